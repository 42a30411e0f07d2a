"""Model card of a checkpoint: its training, the data it was tested on, its metrics and its limits."""

import dataclasses
import html
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.evaluation.metrics.metric import Metric
from lipfd_jax.evaluation.metrics.summary import MetricSet, MetricSummary
from lipfd_jax.evaluation.metrics.table import list_metrics
from lipfd_jax.evaluation.report.text_tables import format_interval, format_number
from lipfd_jax.pages.rendering import render_template
from lipfd_jax.storage import files

MODEL_CARD = "model_card.md"
_LEFT_OUT = ("name", "model")  # training settings that the card has already
_PATHS = ("data.path", "data.validation_path", "start", "start_encoder", "start_backbone")


def write_model_card(
    output: str | os.PathLike,
    *,
    notes: Mapping[str, str],
    metadata: Metadata,
    summary: MetricSummary,
    suites: Mapping[str, str],
) -> Path:
    """Writes model_card.md into a folder, whole or not at all, and returns its path.

    Args:
      notes: as the report's: checkpoint, data, fingerprints.
      metadata: of the checkpoint.
      summary: the metrics, and the decision they rest on.
      suites: findings of robustness and controls, in words; empty where they were not run.
    """
    text = render_template(
        "lipfd_jax.evaluation",
        "model_card.md.jinja",
        notes=[(name, _format_line(value)) for name, value in notes.items()],
        metadata=metadata,
        records=[(use, _format_records(held)) for use, held in metadata.records.items()],
        training=[
            (name, _format_setting(name, value)) for name, value in _list_training(metadata.experiment)
        ],
        decision=_format_line(summary.decision),
        calibration=_list_calibration(metadata),
        metrics=_list_metrics(summary),
        drawn=summary.videos.intervals,
        suites=[(name, _format_line(text)) for name, text in suites.items()],
    )
    path = Path(output) / MODEL_CARD
    files.write_text(path, str(text))
    return path


def _list_training(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Settings as (dotted name, value), those of the model left out."""
    found: list[tuple[str, Any]] = []
    for name, value in settings.items():
        if isinstance(value, Mapping):
            found += [] if name in _LEFT_OUT else _list_training(value, f"{prefix}{name}.")
        elif prefix or name not in _LEFT_OUT:
            found.append((prefix + name, value))
    return found


def _list_calibration(metadata: Metadata) -> list[tuple[str, str]]:
    if metadata.calibration is None:
        return []
    values = dataclasses.asdict(metadata.calibration).items()
    return [(name, _format_setting(name, value)) for name, value in values if value is not None]


def _format_setting(name: str, value: Any) -> Markup:
    """A value as text; of a path its last two parts, as the card is read elsewhere."""
    if name in _PATHS:
        value = "/".join(Path(value).parts[-2:])
    return _format_line(f"{value:.6g}" if isinstance(value, float) else value if value != "" else "none")


def _list_metrics(summary: MetricSummary) -> list[tuple[str, str, str]]:
    """Rows of title, videos and windows; an indented label is preceded by that of the row above."""
    rows: list[tuple[str, str, str]] = []
    above = ""
    for metric in list_metrics("text"):
        name = metric.label.format(at=summary.decision.at)
        above, name = (above, f"{above}, {name.strip()}") if name.startswith(" ") else (name, name)
        rows.append((name, _format_metric(summary.videos, metric), _format_metric(summary.windows, metric)))
    return rows


def _format_metric(one: MetricSet, metric: Metric) -> str:
    digits = min(metric.digits, 4)
    value, ends = one.metrics[metric.name], one.intervals[metric.name]
    return f"{format_number(value, digits)} {format_interval(ends, digits)}".strip()


def _format_records(held: Mapping[str, Any]) -> str:
    """Which records, in words and with their checksum."""
    words, known = held.get("words"), held.get("sum")
    return _format_line(f"{words} (sum {known})" if words and known else json.dumps(held))


def _format_line(value: object) -> Markup:
    """One line of a table: what would end a cell or a row is replaced, and nothing becomes markup."""
    line = " ".join(str(value).replace("|", "/").split())
    return Markup(html.escape(line, quote=False))  # quotes need no escape in Markdown
