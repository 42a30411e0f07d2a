"""What an evaluation leaves behind once the scores are there: printed tables, metrics.json and the report."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.evaluation.metrics.bootstrap import DEFAULT_BOOTSTRAP, BootstrapSettings
from lipfd_jax.evaluation.metrics.compute import compute_released_metrics
from lipfd_jax.evaluation.metrics.pooling import DEFAULT_DECISION, Decision
from lipfd_jax.evaluation.metrics.scores import Scores
from lipfd_jax.evaluation.metrics.summary import MetricSummary, summarise_scores
from lipfd_jax.evaluation.report import metrics_files
from lipfd_jax.evaluation.report.comparison import compare_scores, comparison_json, format_comparison
from lipfd_jax.evaluation.report.examples import ExampleWindow
from lipfd_jax.evaluation.report.metrics_files import (
    build_metrics_json,
    format_metrics_csv,
    format_videos_csv,
)
from lipfd_jax.evaluation.report.model_card import write_model_card
from lipfd_jax.evaluation.report.page import write_report
from lipfd_jax.evaluation.report.text_tables import format_summary
from lipfd_jax.evaluation.suites.suite import suite_findings, suite_lines, suite_results, suite_sections
from lipfd_jax.pages.rendering import Section
from lipfd_jax.storage import files

REPORT = "report.html"


def write_results(
    scores: Scores,
    output: str | os.PathLike | None,
    *,
    notes: Mapping[str, str],
    decision: Decision = DEFAULT_DECISION,
    bootstrap: BootstrapSettings = DEFAULT_BOOTSTRAP,
    others: Scores | None = None,
    others_name: str = "the other scores",
    pictures: Sequence[ExampleWindow] = (),
    metadata: Metadata | None = None,
) -> MetricSummary:
    """Prints the tables of scores and writes metrics.json and report.html, each whole or not at all.

    Args:
      output: the folder, made if need be; None to print only.
      notes: what the reader has to know: inputs, windows, checkpoint, ...
      decision: how videos are pooled, calibrated and called fake.
      bootstrap: how intervals are made.
      others: scores of somebody else for windows of the same names, to compare with.
      others_name: what to call them.
      pictures: examples for the report.
      metadata: of the checkpoint, for its model card; without it there is none.

    Returns:
      All figures.

    Raises:
      ScoresError: the two sides disagree about a window's label, or hold one twice.
      OSError: the folder can't be written to.
    """
    summary, released, sections = (
        summarise_scores(scores, decision, bootstrap),
        compute_released_metrics(scores),
        [],
    )
    print(format_summary(summary, released))
    suites = suite_results(output, notes.get("weights", "")) if output is not None else {}
    figures = build_metrics_json(summary, released, notes, suites)
    if others is not None:
        comparison = compare_scores(scores, others, decision.window_threshold, decision.pooling, bootstrap)
        told = format_comparison(comparison)
        print(f"\nCompared with {others_name}\n{told}")
        figures["comparison"] = comparison_json(comparison)
        sections = [Section(f"Beside {others_name}", told)]
    if output is None:
        return summary
    output = _write_figures(
        output, figures, format_metrics_csv(summary, suites), format_videos_csv(scores, decision)
    )
    report = write_report(
        scores,
        output / REPORT,
        title="Lip-sync forgery detection",
        notes=notes,
        pictures=pictures,
        sections=[*sections, *suite_sections(suites)],
        findings=suite_findings(suites),
        summary=summary,
    )
    print(f"\nreport: {report}")
    if metadata is not None:
        lines = suite_lines(suites)
        card = write_model_card(output, notes=notes, metadata=metadata, summary=summary, suites=lines)
        print(f"card: {card}")
    return summary


def _write_figures(folder: str | os.PathLike, figures: Mapping[str, Any], metrics: str, videos: str) -> Path:
    """Makes the folder if need be, and returns it."""
    output = Path(folder)
    output.mkdir(parents=True, exist_ok=True)
    files.write_json(output / metrics_files.METRICS_JSON, figures)
    files.write_text(output / metrics_files.METRICS_CSV, metrics)
    files.write_text(output / metrics_files.VIDEOS_CSV, videos)
    return output
