"""Scores all records of a source into a file, batch by batch, from wherever an earlier run stopped."""

from collections.abc import Callable, Iterator
from pathlib import Path

from tqdm import tqdm

from lipfd_jax.data import records
from lipfd_jax.data.corrupt import CorruptRecords
from lipfd_jax.data.sources import RecordSource
from lipfd_jax.evaluation.folder import SCORES, SKIPPED
from lipfd_jax.evaluation.predict import Prediction
from lipfd_jax.evaluation.scores import ScoresWriter
from lipfd_jax.evaluation.skipped import check_share, most, next_record, read_skipped, write_skipped
from lipfd_jax.processes import by_first

Run = Callable[..., Iterator[Prediction]]  # `predict` of a model on its mesh


def score_source(run: Run, source: RecordSource, folder: Path, *, skip_corrupt: bool = False) -> None:
    """Completes scores.csv (and skipped.csv) in a claimed folder; the first process alone writes.

    Args:
      run: from a source, `start` and `corrupt` to predictions.
      skip_corrupt: name records that can't be read in skipped.csv and go on, unless there are too many.

    Raises:
      ValueError: a record can't be read, or with `skip_corrupt` too many; the file holds other scores.
    """
    logs: list[_Log] = []  # of the first process

    def begin() -> int:
        logs.append(_Log(folder, source))
        return logs[0].start

    try:
        start = by_first(begin)
        corrupt = CorruptRecords("skip" if skip_corrupt else "stop", limit=most(len(source)))
        for prediction in run(source, start=start, corrupt=corrupt) if start < len(source) else ():
            for log in logs:
                log.add(prediction)
    finally:
        for log in logs:
            log.close()


class _Log:
    """What was scored and what was skipped so far, on the disk, and a bar with the time left."""

    def __init__(self, folder: Path, source: RecordSource):
        self.file, self.total = folder / SKIPPED, len(source)
        known = read_skipped(self.file)
        self.writer = ScoresWriter(folder / SCORES)
        done = len(self.writer.finished)
        self.start = next_record(done, known)
        # Named before their batch's rows were written; what lies beyond is met again.
        self.skipped = tuple(one for one in known if one.index < self.start)
        last = max(set(range(self.start)) - {one.index for one in self.skipped}, default=None)
        if self.start > self.total or (last is not None and not self._is_scored(source, last)):
            self.writer.close()
            raise ValueError(f"{folder / SCORES}: holds scores of other data; --overwrite starts anew")
        self.bar = tqdm(total=self.total, initial=self.start, unit="window", desc="scoring")

    def _is_scored(self, source: RecordSource, index: int) -> bool:
        return records.picture_path(records.metadata(source[index])) in self.writer.finished

    def add(self, prediction: Prediction) -> None:
        if prediction.skipped:
            self.skipped += prediction.skipped
            write_skipped(self.file, self.skipped)
            for one in prediction.skipped:
                tqdm.write(f"skipped: {one.reason}")
            check_share(self.skipped, self.total)
        self.writer.append(prediction.rows)
        self.bar.update(len(prediction.rows) + len(prediction.skipped))

    def close(self) -> None:
        self.writer.close()
        self.bar.close()
