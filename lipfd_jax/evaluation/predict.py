"""Scores records with a model: batches through the devices, one score row per window."""

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh

from lipfd_jax.data import pipeline, records
from lipfd_jax.data.sources import RecordSource
from lipfd_jax.evaluation.scores import ScoreRow, Scores
from lipfd_jax.mesh import to_devices
from lipfd_jax.scoring import make_forward


@dataclasses.dataclass(frozen=True)
class Prediction:
    """The scored windows of one batch, in the order of the records."""

    rows: tuple[ScoreRow, ...]
    region_weights: np.ndarray  # (n, 5, 3) float32: per frame the shares of head, face and lip


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
) -> Iterator[Prediction]:
    """Scores records in order; every process must call it and every process gets all rows.

    Args:
      graph: structure of the model (nnx.split).
      states: its state trees, on the mesh.
      source: records by index.
      batch_size: global; a multiple of the number of devices.
      start: first record.
      kernels: a setting of kernels.choice.
    """
    batches = pipeline.evaluation_batches(
        source,
        batch_size=batch_size,
        start=start,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
        threads=threads,
    )
    forward = make_forward(graph, mesh, kernels)
    waiting = None  # results of the batch before, computed while the next one is read
    for batch in batches:
        composites = to_devices({"composite": batch["composite"]}, mesh)["composite"]
        running = batch, forward(states, composites)
        if waiting:
            yield _prediction(*waiting)
        waiting = running
    if waiting:
        yield _prediction(*waiting)


def collect(predictions: Iterator[Prediction]) -> Scores:
    """Returns the score columns of all predictions."""
    return Scores.from_rows([row for prediction in predictions for row in prediction.rows])


def _prediction(batch: Mapping[str, np.ndarray], results: tuple[jax.Array, jax.Array]) -> Prediction:
    scores, weights = (np.asarray(jax.device_get(r), np.float32) for r in results)
    places = _gather([_place(batch, i) for i in range(len(batch["mask"]))])
    rows, kept = [], []
    # Results lie process by process; records were dealt out one by one, so they are taken in turn.
    per_process = len(scores) // jax.process_count()
    for k in range(per_process):
        for process in range(jax.process_count()):
            index = process * per_process + k
            if places[index] is not None:
                rows.append(ScoreRow(score=float(scores[index]), **places[index]))
                kept.append(index)
    return Prediction(tuple(rows), weights[kept])


def _place(batch: Mapping[str, np.ndarray], i: int) -> dict[str, Any] | None:
    """What a score row says besides the score; None for a blank sample that only fills the batch."""
    if not batch["mask"][i]:
        return None
    sample = {name: batch[name][i] for name in ("video", "window")}
    return {
        "path": records.picture_path(sample),
        "label": int(batch["label"][i]),
        "video": str(batch["video"][i]),
        "source": str(batch["source"][i]),
        "generator": str(batch["generator"][i]),
        "window": int(batch["window"][i]),
        "start_frame": int(batch["start_frame"][i]),
    }


def _gather(places: list) -> list:
    """Joins the lists of all processes, in process order."""
    if jax.process_count() == 1:
        return places
    text = np.frombuffer(json.dumps(places).encode(), np.uint8)
    sizes = multihost_utils.process_allgather(np.array([len(text)]))
    padded = np.zeros(int(sizes.max()), np.uint8)
    padded[: len(text)] = text
    texts = multihost_utils.process_allgather(padded)
    return [
        place
        for row, size in zip(texts, sizes[:, 0], strict=True)
        for place in json.loads(row[:size].tobytes().decode())
    ]


class Chosen:
    """Some records of a source, by their numbers."""

    def __init__(self, source: RecordSource, index: Sequence[int]):
        self.source, self.index = source, index

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, i: int) -> dict[str, Any]:
        return self.source[int(self.index[i])]
