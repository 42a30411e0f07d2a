"""Computes all metrics from a scores file alone, without a model.

    lipfd metrics --scores=scores.csv [--compare=published.csv] [--output=DIR]

A scores file is a CSV with a header and at least the columns path,label,score: path ends in CLASS/NAME_J.png
(window J of video CLASS/NAME), label is 0 for real and 1 for fake, score is the probability of fake.
Prints the metrics of windows and of videos (the mean of their windows, or as --pooling says) with intervals,
per generator where the file names them, and the figures as the released validation script would print them.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from absl import app, flags

from lipfd_jax.evaluation import figure_flags
from lipfd_jax.evaluation.decision import decide
from lipfd_jax.evaluation.results import write_results
from lipfd_jax.evaluation.scores import read_scores


def main(argv: Sequence[str]) -> int | None:
    """Prints and writes what the flags ask for; returns 1, with one line of explanation, where it can't."""
    if argv[1:]:
        raise app.UsageError(f"unexpected argument {argv[1]!r}; files are given as --scores=FILE")
    given = flags.FLAGS
    other, output = given.compare, given.output
    try:
        scores, others = read_scores(given.scores), read_scores(other) if other else None
        write_results(
            scores,
            output,
            notes={"Scores": Path(given.scores).name},
            decision=decide(threshold=given.threshold, pooling=figure_flags.pooling(given)),
            drawing=figure_flags.drawing(given),
            others=others,
            others_name=Path(other).name if other else "",
        )
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return None


def define_flags() -> None:
    """Defines the flags of this command."""
    flags.DEFINE_string("scores", None, "Scores file to evaluate.", required=True)
    flags.DEFINE_string(
        "compare",
        None,
        "Another scores file, such as a published one: prints how far the scores of the shared windows "
        "lie apart and both sets of metrics side by side. Windows match by the end of their path, "
        "CLASS/NAME_J.png.",
    )
    flags.DEFINE_string(
        "output", None, "Folder for metrics.json, metrics.csv, videos.csv and report.html; made if need be."
    )
    figure_flags.define_flags()


if __name__ == "__main__":
    define_flags()
    app.run(main)
