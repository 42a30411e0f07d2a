"""Scores records with a model: batches through the devices, one score row per window."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from lipfd_jax.data import pipeline, records
from lipfd_jax.data.corrupt import CorruptRecords
from lipfd_jax.data.sources import RecordReader
from lipfd_jax.evaluation.metrics.scores import ScoreRow, Scores, ScoresWriter
from lipfd_jax.evaluation.metrics.skipped import (
    SkippedRecord,
    check_skipped_share,
    find_next_record,
    max_skipped,
    read_skipped,
    write_skipped,
)
from lipfd_jax.evaluation.output_folder import SCORES_CSV, SKIPPED_CSV
from lipfd_jax.runtime.distributed import gather_lists, run_on_first

Submit = Callable[[np.ndarray], tuple[Any, Any]]  # composites to scores and region weights


@dataclasses.dataclass(frozen=True)
class ScoredBatch:
    """The scored windows of one batch, in the order of the records."""

    rows: tuple[ScoreRow, ...]
    region_weights: np.ndarray  # (n, 5, 3) float32: per frame the shares of head, face and lip
    skipped: tuple[SkippedRecord, ...] = ()


def predict_records(
    submit: Submit,
    source: RecordReader,
    *,
    batch_size: int,
    start: int = 0,
    threads: int = 2,
    corrupt: CorruptRecords | None = None,
    first: int | None = None,
) -> Iterator[ScoredBatch]:
    """Scores records in order; every process must call it and every process gets all rows.

    Args:
      submit: starts scoring composites, this process's part of a batch, as `Detector.submit` does.
      source: records by index.
      batch_size: global; a multiple of the number of devices.
      start: first record.
      threads: that read.
      corrupt: what to do with records that can't be read; by default the first one is raised.
      first: splits the first batch behind this many records so that the first score appears early.
    """
    batches = pipeline.make_evaluation_batches(
        source,
        batch_size=batch_size,
        start=start,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
        threads=threads,
        corrupt=corrupt,
    )
    # Several processes meet for each batch's rows, so that all must do so at the same place.
    alone = jax.process_count() == 1
    waiting = None  # results of the batch before, where they are computed while the next one is read
    for batch in _split_first(batches, first):
        running = batch, submit(batch["composite"])
        if waiting:
            yield _make_scored_batch(*waiting)
        waiting = running
        if alone and all(getattr(part, "is_ready", lambda: True)() for part in running[1]):
            yield _make_scored_batch(*waiting)
            waiting = None
    if waiting:
        yield _make_scored_batch(*waiting)


def _split_first(
    batches: Iterator[Mapping[str, np.ndarray]], first: int | None
) -> Iterator[Mapping[str, np.ndarray]]:
    for number, batch in enumerate(batches):
        whole = number or first is None or first == len(batch["mask"])
        for cut in (slice(None),) if whole else (slice(first), slice(first, None)):
            yield {name: values[cut] for name, values in batch.items()}


def collect_scores(predictions: Iterator[ScoredBatch]) -> Scores:
    """Returns the score columns of all predictions."""
    return Scores.from_rows([row for prediction in predictions for row in prediction.rows])


def _make_scored_batch(batch: Mapping[str, np.ndarray], results: tuple[jax.Array, jax.Array]) -> ScoredBatch:
    scores, weights = (np.asarray(jax.device_get(r), np.float32) for r in results)
    places = gather_lists([_describe_window(batch, i) for i in range(len(batch["mask"]))])
    # Results are grouped by process; records were dealt out one by one, so the groups are interleaved.
    per_process = len(scores) // jax.process_count()
    turns = [process * per_process + k for k in range(per_process) for process in range(jax.process_count())]
    kept = [i for i in turns if places[i]["scored"]]
    return ScoredBatch(
        tuple(ScoreRow(score=float(scores[i]), **places[i]["row"]) for i in kept),
        weights[kept],
        tuple(SkippedRecord(**places[i]["skipped"]) for i in turns if places[i]["skipped"]),
    )


def _describe_window(batch: Mapping[str, np.ndarray], i: int) -> dict[str, Any]:
    """Fields of a score row besides the score, and whether there is a score."""
    video, reason = str(batch["video"][i]), str(batch["reason"][i])
    path = records.composite_path({name: batch[name][i] for name in ("video", "window")}) if video else ""
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


class RecordSubset:
    """Some records of a source, by their numbers."""

    def __init__(self, source: RecordReader, index: Sequence[int]):
        self.source, self.index = source, index

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, i: int) -> dict[str, Any]:
        return self.source[int(self.index[i])]


Run = Callable[..., Iterator[ScoredBatch]]  # `predict_records` of a detector


def score_source(run: Run, source: RecordReader, folder: Path, *, skip_corrupt: bool = False) -> None:
    """Completes scores.csv (and skipped.csv) in a claimed folder; the first process alone writes.

    Args:
      run: from a source, `start` and `corrupt` to predictions.
      skip_corrupt: list records that can't be read in skipped.csv and continue, unless there are too many.

    Raises:
      ValueError: a record can't be read, or with `skip_corrupt` too many; the file holds other scores.
    """
    logs: list[_Log] = []  # written by the first process

    def begin() -> int:
        logs.append(_Log(folder, source))
        return logs[0].start

    try:
        start = run_on_first(begin)
        corrupt = CorruptRecords("skip" if skip_corrupt else "stop", limit=max_skipped(len(source)))
        for prediction in run(source, start=start, corrupt=corrupt) if start < len(source) else ():
            for log in logs:
                log.add(prediction)
    finally:
        for log in logs:
            log.close()


class _Log:
    """What was scored and what was skipped so far, on the disk, and a bar with the time left."""

    def __init__(self, folder: Path, source: RecordReader):
        self.file, self.total = folder / SKIPPED_CSV, len(source)
        known = read_skipped(self.file)
        self.writer = ScoresWriter(folder / SCORES_CSV)
        done = len(self.writer.finished)
        self.start = find_next_record(done, known)
        # Listed before their batch's rows were written; later records are read again.
        self.skipped = tuple(one for one in known if one.index < self.start)
        last = max(set(range(self.start)) - {one.index for one in self.skipped}, default=None)
        if self.start > self.total or (last is not None and not self._is_scored(source, last)):
            self.writer.close()
            raise ValueError(f"{folder / SCORES_CSV}: holds scores of other data; --overwrite starts anew")
        self.bar = tqdm(total=self.total, initial=self.start, unit="window", desc="scoring")

    def _is_scored(self, source: RecordReader, index: int) -> bool:
        return records.composite_path(records.decode_metadata(source[index])) in self.writer.finished

    def add(self, prediction: ScoredBatch) -> None:
        if prediction.skipped:
            self.skipped += prediction.skipped
            write_skipped(self.file, self.skipped)
            for one in prediction.skipped:
                tqdm.write(f"skipped: {one.reason}")
            check_skipped_share(self.skipped, self.total)
        self.writer.append(prediction.rows)
        self.bar.update(len(prediction.rows) + len(prediction.skipped))

    def close(self) -> None:
        self.writer.close()
        self.bar.close()
