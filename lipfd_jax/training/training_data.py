"""The records a run is trained on and those it is validated with: opened first, checked, identified."""

import dataclasses
import json
import logging
import os
from typing import Any

import jax
import numpy as np
from etils import epath

from lipfd_jax.data import pipeline
from lipfd_jax.data.corrupt import CorruptRecords
from lipfd_jax.data.data_fingerprint import Identity, identity
from lipfd_jax.data.sources import PictureFolder, Records, RecordSource, open_source, window_convention
from lipfd_jax.evaluation.predict import Chosen
from lipfd_jax.storage.files import write_json
from lipfd_jax.training.config import DataSettings, Experiment
from lipfd_jax.vocabulary import WindowConvention

logger = logging.getLogger(__name__)

TRAINING, VALIDATION = "training", "validation"
_LISTED = "corrupt_records"  # .json in the workdir


@dataclasses.dataclass(frozen=True)
class RunData:
    """The sources of a run, by "training" and, where there is one, "validation"."""

    sources: dict[str, RecordSource]
    identities: dict[str, Identity]
    corrupt: dict[str, CorruptRecords]  # those met so far, and what to do with them
    window_convention: WindowConvention  # of the training records

    def batches(self, experiment: Experiment) -> Any:
        """Returns this process's endless training batches (`pipeline.training_batches`)."""
        return pipeline.training_batches(
            self.sources[TRAINING],
            batch_size=experiment.batch_size,
            seed=experiment.seed,
            balance=experiment.data.balance,
            augmentation=experiment.data.augmentation,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
            threads=experiment.data.threads,
            corrupt=self.corrupt[TRAINING],
        )

    def remember(self, workdir: str | os.PathLike) -> epath.Path:
        """Lists the corrupt records met so far in the workdir; returns the list's path.

        Each process lists those that it met itself.
        """
        path = _list(workdir)
        known = {
            name: {"records": self.identities[name].sum, "corrupt": corrupt.messages()}
            for name, corrupt in self.corrupt.items()
            if corrupt.messages()
        }
        if known:
            write_json(path, known)
        return path

    def recall(self, workdir: str | os.PathLike) -> None:
        """Takes up what an earlier start of this run listed of the same records."""
        path = _list(workdir)
        try:
            for name, listed in (json.loads(path.read_text()) if path.exists() else {}).items():
                if name in self.identities and listed["records"] == self.identities[name].sum:
                    self.corrupt[name].found.update({int(n): text for n, text in listed["corrupt"].items()})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            logger.warning("%s: can't be read (%s); corrupt records are listed anew", path, error)


def open_data(settings: DataSettings) -> RunData:
    """Opens the training and validation records.

    Raises:
      ValueError, FileNotFoundError: they are not there, or what is validated with is also trained on; the
        message names the setting.
    """
    sources = {TRAINING: _opened(settings, "train_split", settings.path)}
    if settings.validation_split:
        path = settings.validation_path or settings.path
        if not settings.validation_path and isinstance(sources[TRAINING], PictureFolder):
            raise ValueError(_no_splits(settings))
        sources[VALIDATION] = _opened(settings, "validation_split", path)
    identities = {name: identity(source) for name, source in sources.items()}
    if VALIDATION in sources:
        _refuse_shared(sources, identities)
        sources[VALIDATION] = _some(sources[VALIDATION], settings.validation_samples)
    corrupt = {
        name: CorruptRecords(settings.corrupt_records, settings.corrupt_share * len(source))
        for name, source in sources.items()
    }
    return RunData(sources, identities, corrupt, window_convention(sources[TRAINING]))


def _opened(settings: DataSettings, setting: str, path: str) -> RecordSource:
    split = getattr(settings, setting)
    try:
        return open_source(path, split=split, builder_config=settings.builder_config or None)
    except FileNotFoundError as error:
        where = "validation_path" if path == settings.validation_path else "path"
        raise FileNotFoundError(f"data.{where}={path}: {error}") from error
    except ValueError as error:
        hint = "; leave it empty to train without validation" if setting == "validation_split" else ""
        raise ValueError(f"data.{setting}={split!r}: {error}{hint}") from error


def _no_splits(settings: DataSettings) -> str:
    return (
        f"data.path={settings.path}: a folder of pictures has no splits, so what is trained on would also be "
        "validated with, and choose the best checkpoint. Give another folder as data.validation_path, or "
        "leave data.validation_split empty to train without validation"
    )


def _refuse_shared(sources: dict[str, RecordSource], identities: dict[str, Identity]) -> None:
    train, validation = sources[TRAINING], sources[VALIDATION]
    shared = identities[TRAINING].sum == identities[VALIDATION].sum
    if isinstance(train, Records) and isinstance(validation, Records):
        shared |= any(_overlap(one, other) for one in train.parts for other in validation.parts)
    if shared:
        raise ValueError(
            "data.validation_split and data.validation_path: records of "
            f"{identities[VALIDATION].words} are also trained on ({identities[TRAINING].words}); the best "
            "checkpoint would be chosen by them"
        )


def _overlap(one: tuple[str, int, int], other: tuple[str, int, int]) -> bool:
    """Says whether two parts of shards (path, skipped, taken) share a record."""
    (path, first, count), (other_path, other_first, other_count) = one, other
    return path == other_path and first < other_first + other_count and other_first < first + count


def _some(source: RecordSource, count: int) -> RecordSource:
    """So many records, spread evenly; all for 0."""
    if not 0 < count < len(source):
        return source
    return Chosen(source, np.linspace(0, len(source) - 1, count).astype(int))


def _list(workdir: str | os.PathLike) -> epath.Path:
    process = f".{jax.process_index()}" if jax.process_count() > 1 else ""
    return epath.Path(workdir) / f"{_LISTED}{process}.json"
