"""Computes all metrics from a scores file alone, without a model.

    lipfd metrics --scores=scores.csv [--compare=published.csv] [--output=DIR]
    lipfd metrics --scores=fold1 --scores=fold2 --scores=fold3 --output=DIR

A scores file is a CSV with a header and at least the columns path,label,score: path ends in CLASS/NAME_J.png
(window J of video CLASS/NAME), label is 0 for real and 1 for fake, score is the probability of fake.
Prints the metrics of windows and of videos (the mean of their windows, or by --pooling) with intervals,
per generator where the file names them, and the metrics as the released validation script would print them.
Several files, or folders of evaluations, are pooled: folds of a cross-validation give one value, and suites
that all folders hold one result.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from absl import app, flags

from lipfd_jax.commands import metric_flags
from lipfd_jax.evaluation.cross_validation import describe_pooled_scores, pool_suites, read_pooled_scores
from lipfd_jax.evaluation.metrics.bootstrap import BootstrapSettings
from lipfd_jax.evaluation.metrics.pooling import Decision, make_decision
from lipfd_jax.evaluation.metrics.scores import read_scores
from lipfd_jax.evaluation.report.write import write_results
from lipfd_jax.evaluation.suites.results import SuiteResult
from lipfd_jax.storage.errors import describe_error
from lipfd_jax.storage.output_folder import check_unused


def main(argv: Sequence[str]) -> int | None:
    """Prints and writes what the flags ask for; returns 1, with one line of explanation, where it can't."""
    if argv[1:]:
        raise app.UsageError(f"unexpected argument {argv[1]!r}; files are given as --scores=FILE")
    given = flags.FLAGS
    other, output = given.compare, given.output
    try:
        if output:
            check_unused(Path(output), "a report")
        decision = make_decision(threshold=given.threshold, pooling=metric_flags.read_pooling(given))
        bootstrap = metric_flags.read_bootstrap_settings(given)
        scores, others = read_pooled_scores(given.scores), read_scores(other) if other else None
        if not len(scores):
            raise ValueError(f"{', '.join(given.scores)}: no scores in there")
        notes, suites = _pool_suites(given.scores, output, decision, bootstrap)
        print("".join(f"{name}: {text}\n" for name, text in notes.items()))
        write_results(
            scores,
            output,
            notes=notes,
            decision=decision,
            bootstrap=bootstrap,
            others=others,
            others_name=Path(other).name if other else "",
            suites=suites,
        )
    except (ValueError, OSError) as error:
        print(f"error: {describe_error(error)}", file=sys.stderr)
        return 1
    return None


def _pool_suites(
    places: Sequence[str], output: str | None, decision: Decision, bootstrap: BootstrapSettings
) -> tuple[dict[str, str], list[SuiteResult]]:
    """Notes on the scores, and pooled results of the suites that all folders hold."""
    if len(places) == 1:
        return {"Scores": Path(places[0]).name}, []
    notes = describe_pooled_scores(places, decision)
    if not output or "weights" not in notes:
        return notes, []
    weights = notes["weights"]
    return notes, pool_suites(places, output, weights=weights, decision=decision, bootstrap=bootstrap)


def define_flags() -> None:
    """Defines the flags of this command."""
    flags.DEFINE_multi_string(
        "scores",
        None,
        "Scores file to evaluate, or the folder of an evaluation. May be given several times: folds, in "
        "which every video is tested once, are pooled.",
        required=True,
    )
    flags.DEFINE_string(
        "compare",
        None,
        "Another scores file, such as a published one: prints how far the scores of the shared windows "
        "differ and both sets of metrics side by side. Windows match by the end of their path, "
        "CLASS/NAME_J.png.",
    )
    flags.DEFINE_string(
        "output", None, "Folder for metrics.json, metrics.csv, videos.csv and report.html; made if need be."
    )
    metric_flags.define_flags()
