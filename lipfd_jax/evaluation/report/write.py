"""Writes and prints the results of an evaluation: tables, metrics.json, report and model card."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.evaluation.metrics.bootstrap import DEFAULT_BOOTSTRAP, BootstrapSettings
from lipfd_jax.evaluation.metrics.compute import compute_released_metrics
from lipfd_jax.evaluation.metrics.pooling import DEFAULT_DECISION, Decision
from lipfd_jax.evaluation.metrics.scores import Scores
from lipfd_jax.evaluation.metrics.summary import MetricSummary, summarise_scores
from lipfd_jax.evaluation.report.comparison import (
    Comparison,
    compare_scores,
    format_comparison,
    record_comparison,
)
from lipfd_jax.evaluation.report.metrics_files import (
    METRICS_CSV,
    METRICS_JSON,
    REPORT_HTML,
    VIDEOS_CSV,
    format_metrics_csv,
    format_videos_csv,
)
from lipfd_jax.evaluation.report.metrics_json import MetricsFile, build_metrics_file
from lipfd_jax.evaluation.report.model_card import write_model_card
from lipfd_jax.evaluation.report.page import write_report
from lipfd_jax.evaluation.report.text_tables import format_summary
from lipfd_jax.evaluation.suites.results import SuiteResult, with_earlier
from lipfd_jax.evaluation.suites.suite import list_findings, make_sections, summarise_suites
from lipfd_jax.pages.rendering import Section
from lipfd_jax.pages.windows import ExampleWindow
from lipfd_jax.storage import files


def write_results(
    scores: Scores,
    output: str | os.PathLike | None,
    *,
    notes: Mapping[str, str],
    decision: Decision = DEFAULT_DECISION,
    bootstrap: BootstrapSettings = DEFAULT_BOOTSTRAP,
    others: Scores | None = None,
    others_name: str = "the other scores",
    example_windows: Sequence[ExampleWindow] = (),
    metadata: Metadata | None = None,
    suites: Sequence[SuiteResult] = (),
) -> MetricSummary:
    """Prints the tables of scores and writes metrics.json and report.html, each whole or not at all.

    Args:
      scores: of all windows.
      output: the folder, made if need be; None to print only.
      notes: what the reader has to know: inputs, windows, checkpoint, ...
      decision: how videos are pooled, calibrated and called fake.
      bootstrap: how intervals are computed.
      others: other scores for windows of the same names, to compare with.
      others_name: what to call them.
      example_windows: examples for the report.
      metadata: of the checkpoint, for its model card; without it there is none.
      suites: results of suites on the same weights; those that earlier runs left in `output` are added.

    Returns:
      All metrics.

    Raises:
      ScoresError: the two sides disagree about a window's label, or hold one twice.
      OSError: the folder can't be written to.
    """
    summary, released = summarise_scores(scores, decision, bootstrap), compute_released_metrics(scores)
    print(format_summary(summary, released))
    held = with_earlier(suites, output, notes.get("weights", "")) if output is not None else {}
    comparison, sections = None, make_sections(held)
    if others is not None:
        compared = compare_scores(scores, others, decision.window_threshold, decision.pooling, bootstrap)
        comparison = record_comparison(compared)
        sections = [_print_comparison(compared, others_name), *sections]
    if output is None:
        return summary
    folder = Path(output)
    content = build_metrics_file(summary, released, notes, held, comparison)
    _write_metrics(folder, content, format_metrics_csv(summary, held), format_videos_csv(scores, decision))
    report = write_report(
        scores,
        folder / REPORT_HTML,
        title="Lip-sync forgery detection",
        notes=notes,
        example_windows=example_windows,
        sections=sections,
        findings=list_findings(held),
        summary=summary,
    )
    print(f"\nreport: {report}")
    if metadata is not None:
        lines = summarise_suites(held)
        card = write_model_card(folder, notes=notes, metadata=metadata, summary=summary, suites=lines)
        print(f"card: {card}")
    return summary


def _print_comparison(compared: Comparison, others_name: str) -> Section:
    """Prints a comparison, and returns it as a section of the report."""
    title, text = f"Compared with {others_name}", format_comparison(compared)
    print(f"\n{title}\n{text}")
    return Section(title, text)


def _write_metrics(folder: Path, content: MetricsFile, metrics: str, videos: str) -> None:
    """Writes metrics.json, metrics.csv and videos.csv into a folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    files.write_json(folder / METRICS_JSON, content.to_json())
    files.write_text(folder / METRICS_CSV, metrics)
    files.write_text(folder / VIDEOS_CSV, videos)
