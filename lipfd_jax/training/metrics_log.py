"""Log of a run's metrics: one JSON object per line, TensorBoard if installed, curves as a PNG."""

import io
import json
import logging
import os
import re
import time
from collections.abc import Collection
from typing import Any

import numpy as np
from etils import epath

from lipfd_jax.data.pairs import KINDS
from lipfd_jax.storage.files import write_bytes, write_text

logger = logging.getLogger(__name__)

FILE = "metrics.jsonl"
PICTURE = "curves.png"


class MetricsLog:
    """Appends to metrics.jsonl on one process; does nothing on the others.

    Opened at a restored step, it removes the lines of later steps, so that no step appears twice.
    """

    def __init__(self, workdir: str | os.PathLike, *, step: int = 0, writes: bool = True):
        self.path = epath.Path(workdir) / FILE
        self._board = None
        if not writes:
            self.path = None
            return
        kept = [line for line in read_log(workdir) if line["step"] <= step] if step else []
        self._text = "".join(json.dumps(line) + "\n" for line in kept)
        self._store()
        self._board = _open_tensorboard(workdir, step)

    def write(self, step: int, **values: Any) -> None:
        """Adds a line {"step": ..., "time": ..., ...}; numbers become Python floats."""
        if self.path is None:
            return
        plain = {name: _to_plain(value) for name, value in values.items()}
        line = json.dumps({"step": step, "time": round(time.time(), 3), **plain}) + "\n"
        self._text += line
        if "://" in str(self.path):  # object stores can't append
            self._store()
        else:
            with self.path.open("a") as file:
                file.write(line)
        if self._board is not None:
            for name, value in plain.items():
                if isinstance(value, float):
                    self._board.add_scalar(name, value, step)

    def close(self) -> None:
        """Flushes TensorBoard's events."""
        if self._board is not None:
            self._board.close()

    def _store(self) -> None:
        """Writes the whole log atomically."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_text(self.path, self._text)


def read_log(workdir: str | os.PathLike) -> list[dict[str, Any]]:
    """Reads the log's lines; skips a last one cut short by a kill, and damaged ones with a warning."""
    path = epath.Path(workdir) / FILE
    texts = path.read_bytes().decode(errors="replace").splitlines() if path.exists() else []
    lines = []
    for number, text in enumerate(texts, 1):
        try:
            line = json.loads(text)
            lines.append({**line, "step": int(line["step"])})
        except (ValueError, KeyError, TypeError):
            if number < len(texts):
                logger.warning("%s: line %d is damaged; skipped", path, number)
    return lines


def draw_curves(workdir: str | os.PathLike) -> epath.Path:
    """Draws loss, learning rate and validation curves of the log into curves.png; returns its path."""
    from matplotlib.figure import Figure  # matplotlib takes a second to import

    lines = read_log(workdir)
    known = {name for line in lines for name in line}
    panels = [
        ("training loss", ("loss", "classification", "teacher")),
        ("validation", _list_validation_curves(known)),
        ("region-awareness loss", ("region",)),
        ("learning rate", ("learning_rate",)),
    ]
    if "rank" in known or any(name.startswith("rank_") for name in known):  # of pairs
        panels.append(("ranking loss", ("rank", *(f"rank_{kind}" for kind in KINDS))))
    rows = -(-len(panels) // 2)
    figure = Figure(figsize=(11, 3.5 * rows), layout="constrained")
    for axes, (title, names) in zip(figure.subplots(rows, 2).flat, panels, strict=False):
        for name in names:
            points = [(line["step"], line[name]) for line in lines if isinstance(line.get(name), float)]
            if points:
                axes.plot(*np.array(points).T, label=name, marker="o" if len(points) < 30 else "", ms=3)
        axes.set(title=title, xlabel="step")
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend()
    for axes in figure.axes[len(panels) :]:
        axes.set_axis_off()
    target, drawn = epath.Path(workdir) / PICTURE, io.BytesIO()
    figure.savefig(drawn, format="png", dpi=100)
    write_bytes(target, drawn.getvalue())
    return target


def _list_validation_curves(known: Collection[str]) -> tuple[str, ...]:
    """Validation metrics to draw: of the first set all ranks, of others the AUC; their mean."""
    others = (name for name in known if re.fullmatch(r"validation_(\d+|mean)_auc", name))
    return (*(f"validation_{name}" for name in ("auc", "ap", "eer", "matched_rank")), *sorted(others))


def _to_plain(value: Any) -> Any:
    return value if isinstance(value, str | int | list | dict) or value is None else float(value)


def _open_tensorboard(workdir: str | os.PathLike, step: int) -> Any:
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(os.path.join(os.fspath(workdir), "tensorboard"), purge_step=step + 1)
