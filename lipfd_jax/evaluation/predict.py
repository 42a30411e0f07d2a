"""Scores records with a model: batches through the devices, one score row per window."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from lipfd_jax.data import pipeline, records
from lipfd_jax.data.corrupt import CorruptRecords
from lipfd_jax.data.sources import RecordSource
from lipfd_jax.evaluation.scores import ScoreRow, Scores
from lipfd_jax.mesh import to_devices
from lipfd_jax.processes import gather
from lipfd_jax.scoring import make_forward, part_of, takes_parts


@dataclasses.dataclass(frozen=True)
class Skipped:
    """A record that can't be read, of which there is no score."""

    index: int  # its number in the source, from 0
    path: str  # CLASS/NAME_J.png; "" where not even that can be read
    reason: str


@dataclasses.dataclass(frozen=True)
class Prediction:
    """The scored windows of one batch, in the order of the records."""

    rows: tuple[ScoreRow, ...]
    region_weights: np.ndarray  # (n, 5, 3) float32: per frame the shares of head, face and lip
    skipped: tuple[Skipped, ...] = ()


def predict(
    graph: Any,
    states: tuple,
    source: RecordSource,
    *,
    mesh: Mesh,
    batch_size: int,
    start: int = 0,
    threads: int = 2,
    kernels: str = "auto",
    precision: str | None = None,
    corrupt: CorruptRecords | None = None,
) -> Iterator[Prediction]:
    """Scores records in order; every process must call it and every process gets all rows.

    Args:
      graph: structure of the model (nnx.split).
      states: its state trees, on the mesh.
      source: records by index.
      batch_size: global; a multiple of the number of devices.
      start: first record.
      kernels: a setting of kernels.choice.
      precision: what the model was given in `precision.with_precision`.
      corrupt: what to do with records that can't be read; by default the first one is raised.
    """
    forward = functools.partial(make_forward(graph, mesh, kernels, precision), states)
    yield from predict_by(
        forward,
        source,
        mesh=mesh,
        batch_size=batch_size,
        start=start,
        threads=threads,
        corrupt=corrupt,
        first=part_of(batch_size) if takes_parts(mesh) else None,
    )


def predict_by(
    forward: Callable[[jax.Array], tuple[Any, Any]],
    source: RecordSource,
    *,
    mesh: Mesh,
    batch_size: int,
    start: int = 0,
    threads: int = 2,
    corrupt: CorruptRecords | None = None,
    first: int | None = None,
) -> Iterator[Prediction]:
    """As `predict`, with any function from composites on the mesh to scores (B,) and region weights.

    So many of the `first` batch go before the rest of it, for a score to come soon.
    """
    batches = pipeline.evaluation_batches(
        source,
        batch_size=batch_size,
        start=start,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
        threads=threads,
        corrupt=corrupt,
    )
    # Several processes meet for each prediction, so that all must do so at the same place.
    alone = jax.process_count() == 1
    waiting = None  # results of the batch before, where they are computed while the next one is read
    for batch in _first_cut(batches, first):
        composites = to_devices({"composite": batch["composite"]}, mesh)["composite"]
        running = batch, forward(composites)
        if waiting:
            yield _prediction(*waiting)
        waiting = running
        if alone and all(getattr(part, "is_ready", lambda: True)() for part in running[1]):
            yield _prediction(*waiting)
            waiting = None
    if waiting:
        yield _prediction(*waiting)


def _first_cut(
    batches: Iterator[Mapping[str, np.ndarray]], first: int | None
) -> Iterator[Mapping[str, np.ndarray]]:
    for number, batch in enumerate(batches):
        whole = number or first is None or first == len(batch["mask"])
        for cut in (slice(None),) if whole else (slice(first), slice(first, None)):
            yield {name: values[cut] for name, values in batch.items()}


def collect(predictions: Iterator[Prediction]) -> Scores:
    """Returns the score columns of all predictions."""
    return Scores.from_rows([row for prediction in predictions for row in prediction.rows])


def _prediction(batch: Mapping[str, np.ndarray], results: tuple[jax.Array, jax.Array]) -> Prediction:
    scores, weights = (np.asarray(jax.device_get(r), np.float32) for r in results)
    places = gather([_place(batch, i) for i in range(len(batch["mask"]))])
    # Results lie process by process; records were dealt out one by one, so they are taken in turn.
    per_process = len(scores) // jax.process_count()
    turns = [process * per_process + k for k in range(per_process) for process in range(jax.process_count())]
    kept = [i for i in turns if places[i]["scored"]]
    return Prediction(
        tuple(ScoreRow(score=float(scores[i]), **places[i]["row"]) for i in kept),
        weights[kept],
        tuple(Skipped(**places[i]["skipped"]) for i in turns if places[i]["skipped"]),
    )


def _place(batch: Mapping[str, np.ndarray], i: int) -> dict[str, Any]:
    """What a score row says besides the score, and whether there is a score."""
    video, reason = str(batch["video"][i]), str(batch["reason"][i])
    path = records.picture_path({name: batch[name][i] for name in ("video", "window")}) if video else ""
    row = {
        "path": path,
        "label": int(batch["label"][i]),
        "video": video,
        "source": str(batch["source"][i]),
        "generator": str(batch["generator"][i]),
        "window": int(batch["window"][i]),
        "start_frame": int(batch["start_frame"][i]),
    }
    skipped = {"index": int(batch["index"][i]), "path": path, "reason": reason} if reason else None
    return {"scored": bool(batch["mask"][i]), "row": row, "skipped": skipped}


class Chosen:
    """Some records of a source, by their numbers."""

    def __init__(self, source: RecordSource, index: Sequence[int]):
        self.source, self.index = source, index

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, i: int) -> dict[str, Any]:
        return self.source[int(self.index[i])]
