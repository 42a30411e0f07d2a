"""Computes all metrics from a scores file alone, without a model.

    python -m lipfd_jax.evaluation --scores=scores.csv [--compare=published.csv] [--output=DIR]

A scores file is a CSV with a header and at least the columns path,label,score: path ends in CLASS/NAME_J.png
(window J of video CLASS/NAME), label is 0 for real and 1 for fake, score is the probability of fake.
Prints the metrics of windows and of videos (mean of their windows), per generator where the file names them,
and the figures as the released validation script would print them.
"""

import html
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from absl import app, flags

from lipfd_jax.evaluation.compare import Comparison, compare, comparison_json, comparison_text
from lipfd_jax.evaluation.page import Section
from lipfd_jax.evaluation.report import write_report
from lipfd_jax.evaluation.scores import Scores, ScoresError, read_scores
from lipfd_jax.evaluation.table import metrics_json, metrics_table

_SCORES = flags.DEFINE_string("scores", None, "Scores file to evaluate.", required=True)
_COMPARE = flags.DEFINE_string(
    "compare",
    None,
    "Another scores file, such as a published one: prints how far the scores of the shared windows lie "
    "apart and both sets of metrics side by side. Windows match by the end of their path, CLASS/NAME_J.png.",
)
_OUTPUT = flags.DEFINE_string("output", None, "Folder for metrics.json and report.html; made if need be.")


def main(argv: Sequence[str]) -> int | None:
    """Prints and writes what the flags ask for; returns 1, with one line of explanation, where it can't."""
    if argv[1:]:
        raise app.UsageError(f"unexpected argument {argv[1]!r}; files are given as --scores=FILE")
    try:
        run(_SCORES.value, other=_COMPARE.value, output=_OUTPUT.value)
    except (ScoresError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return None


def run(file: str, *, other: str | None = None, output: str | None = None) -> None:
    """Evaluates the scores in `file`, beside those in `other`, into the folder `output`.

    Raises ScoresError for a bad scores file and OSError for one that can't be read or a folder that can't
    be written.
    """
    scores = read_scores(file)
    comparison = compare(scores, read_scores(other)) if other else None
    print(metrics_table(scores))
    text = comparison_text(comparison) if comparison else ""
    if text:
        print(f"\nCompared with {other}\n{text}")
    if output:
        _write(scores, Path(output), notes={"Scores": Path(file).name}, comparison=comparison, text=text)


def _write(
    scores: Scores, output: Path, *, notes: dict[str, str], comparison: Comparison | None, text: str
) -> None:
    output.mkdir(parents=True, exist_ok=True)
    figures, sections = metrics_json(scores, notes), []
    if comparison:
        figures["comparison"] = comparison_json(comparison)
        sections = [
            Section("Beside the other scores", f'<div class="scroll"><pre>{html.escape(text)}</pre></div>')
        ]
    (output / "metrics.json").write_text(json.dumps(figures, indent=2, allow_nan=False) + "\n", "utf-8")
    report = write_report(
        scores, output / "report.html", title="Lip-sync forgery detection", notes=notes, sections=sections
    )
    print(f"\nreport: {report}")


if __name__ == "__main__":
    app.run(main)
