"""Report of an evaluation: one HTML file, images included, that explains metrics in plain words."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lipfd_jax.evaluation.metrics.compute import compute_released_metrics
from lipfd_jax.evaluation.metrics.pooling import Decision, VideoScores, pool_videos
from lipfd_jax.evaluation.metrics.scores import Scores
from lipfd_jax.evaluation.metrics.summary import MetricSummary, summarise_scores
from lipfd_jax.evaluation.report import charts
from lipfd_jax.evaluation.report.examples import group_examples
from lipfd_jax.evaluation.report.html_tables import (
    build_metric_rows,
    build_part_tables,
    build_released_rows,
    build_remarks,
)
from lipfd_jax.pages.charts import render_chart
from lipfd_jax.pages.rendering import Section, render_page
from lipfd_jax.pages.windows import ExampleWindow
from lipfd_jax.storage import files
from lipfd_jax.vocabulary import FRAMES_PER_WINDOW, LABELS

_LISTED_OPEN, _LISTED = 15, 1000  # videos listed at once, and behind a fold; more are in scores.csv alone


def write_report(
    scores: Scores,
    output: str | os.PathLike,
    *,
    title: str,
    notes: Mapping[str, str],
    example_windows: Sequence[ExampleWindow] = (),
    sections: Sequence[Section] = (),
    findings: Sequence[str] = (),
    summary: MetricSummary | None = None,
) -> Path:
    """Writes the report of `scores` as one HTML file, whole or not at all, and returns its path.

    Args:
      scores: of all windows; one class only, or none, gives a report that names the missing metrics.
      output: the HTML file; folders on the way are made.
      title: heading of the page.
      notes: facts about the run, in this order: input convention, window convention, checkpoint, ...
      example_windows: examples, grouped by truth and verdict (`choose_examples` picks them).
      sections: further ones, placed before the list of videos.
      findings: sentences for the head of the page that sum up the sections.
      summary: the metrics, if known already, and the decision they rest on.

    Raises:
      ValueError: an example is not of the form it should have; it is named.
      OSError: the file can't be written.
    """
    summary = summary or summarise_scores(scores)
    decision = summary.decision
    videos = pool_videos(scores, decision.pooling, decision.calibration)
    examples = group_examples(example_windows, threshold=decision.window_threshold)
    text = render_page(
        "lipfd_jax.evaluation",
        "report.html",
        title=title,
        facts=list(notes.items()),
        decision=decision,
        summary=summary.videos.metrics,
        windows=len(scores),
        metrics={
            "head": ["", "videos", "windows"],
            "first": build_metric_rows(summary),
            "further": build_metric_rows(summary, further=True),
            "remarks": build_remarks(summary),
        },
        charts=[render_chart(chart) for chart in _build_charts(scores, videos, decision)],
        parts=build_part_tables(summary),
        sections=sections,
        findings=findings,
        videos=_list_videos(videos, decision),
        examples=examples,
        weighted=any(window.weights for _, group in examples for window in group),
        mapped=any(window.overlay for _, group in examples for window in group),
        frames_head=["frame", *range(1, FRAMES_PER_WINDOW + 1), "mean"],
        released=build_released_rows(compute_released_metrics(scores)),
    )
    output = Path(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    files.write_text(output, text)
    return output


def _build_charts(scores: Scores, videos: VideoScores, decision: Decision) -> list[charts.Chart]:
    if not len(scores):
        return []
    granularities = {
        "videos": (videos.label, videos.score, decision.threshold),
        "windows": (scores.label, scores.score, decision.window_threshold),
    }
    both = {name: columns for name, columns in granularities.items() if len(np.unique(columns[0])) == 2}
    shown = charts.build_curve_charts(both) if both else []
    for noun, (labels, values, threshold) in granularities.items():
        shown.append(charts.build_histogram_chart(labels, values, threshold=threshold, noun=noun))
    if "videos" in both:
        shown.append(charts.build_reliability_chart(videos.label, videos.score, noun="videos"))
        shown.append(charts.build_tippett_chart(videos.label, videos.pooled, decision.calibration))
    return shown


def _list_videos(videos: VideoScores, decision: Decision) -> dict[str, Any]:
    error = np.abs(videos.score - videos.label)
    order = np.argsort(-error, kind="stable")[:_LISTED]
    rows = [_build_video_row(videos, place, decision) for place in order]
    return {"rows": rows, "open": _LISTED_OPEN, "total": len(videos.video)}


def _build_video_row(videos: VideoScores, place: int, decision: Decision) -> dict[str, Any]:
    """A row of the table; windows' scores go through the calibration too, as the video's does."""
    ends = np.array([videos.lowest[place], videos.highest[place]])
    low, high = 100 * (decision.calibration.probability(ends) if decision.calibration else ends)
    return {
        "name": videos.video[place],
        "generator": videos.generator[place],
        "truth": LABELS[videos.label[place]],
        "called": LABELS[int(videos.score[place] >= decision.threshold)],
        "score": videos.score[place],
        "left": f"{low:.1f}",
        "width": f"{high - low:.1f}",
        "mark": f"{100 * videos.score[place]:.1f}",
    }
