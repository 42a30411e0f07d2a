"""Training and validation records of a run: opened, checked and fingerprinted before anything else."""

import dataclasses
import itertools
import json
import logging
import os
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from etils import epath

from lipfd_jax.data import pipeline
from lipfd_jax.data.clip_index import read_clip_index
from lipfd_jax.data.clip_sets import ClipSetSettings, parse_sets, read_left_out
from lipfd_jax.data.clip_window_records import ClipWindowRecords
from lipfd_jax.data.corrupt import CorruptRecords
from lipfd_jax.data.data_fingerprint import DataFingerprint, compute_data_fingerprint
from lipfd_jax.data.pairs import ClipSet, PairDrawer, make_pair_batches
from lipfd_jax.data.sources import (
    CompositeFolder,
    RecordReader,
    Records,
    find_window_convention,
    is_synthetic_source,
    open_source,
)
from lipfd_jax.evaluation.predict import RecordSubset
from lipfd_jax.faces.face_clips import CLIP_SIDE
from lipfd_jax.storage.files import write_json
from lipfd_jax.training.config import DataSettings, Experiment
from lipfd_jax.vocabulary import WindowConvention

logger = logging.getLogger(__name__)

TRAINING, VALIDATION = "training", "validation"
_LISTED = "corrupt_records"  # .json in the workdir


@dataclasses.dataclass(frozen=True)
class RunData:
    """Sources of a run under "training" and, if there is one, "validation"; of further sets "training 2"."""

    datasets: dict[str, RecordReader]
    fingerprints: dict[str, DataFingerprint]
    corrupt: dict[str, CorruptRecords]  # corrupt records found by now, and the policy for them
    window_convention: WindowConvention  # how the training windows were cut
    synthetic: bool  # drawn people are trained on
    clip_sets: dict[str, ClipSet] = dataclasses.field(default_factory=dict)  # by name, where pairs are drawn

    @property
    def validation_names(self) -> list[str]:
        """Names of the validation records of all sets, in their order."""
        return [name for name in self.datasets if name.startswith(VALIDATION)]

    def count_training_records(self) -> int:
        """Returns the number of records that are trained on, windows or clips."""
        if self.clip_sets:
            return sum(len(one.entries) for one in self.clip_sets.values())
        return len(self.datasets[TRAINING])

    def make_batches(self, experiment: Experiment, composite_side: int = 0) -> Any:
        """Returns this process's endless training batches, of windows or of pairs.

        Windows are composites in any case; pairs have `composite` too, of faces of up to `composite_side`
        pixels, unless that is 0.
        """
        if self.clip_sets:
            return self._make_pair_batches(experiment, composite_side)
        return pipeline.make_training_batches(
            self.datasets[TRAINING],
            batch_size=experiment.batch_size,
            seed=experiment.seed,
            balance=experiment.data.balance,
            augmentation=experiment.data.augmentation,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
            threads=experiment.data.threads,
            corrupt=self.corrupt[TRAINING],
        )

    def _make_pair_batches(self, experiment: Experiment, composite_side: int) -> Any:
        drawer = PairDrawer(
            list(self.clip_sets.values()),
            experiment.data.pairs,
            seed=experiment.seed,
            corrupt=[self.corrupt[name] for name in self.clip_sets],
            composite_side=composite_side,
        )
        return make_pair_batches(
            drawer,
            batch_size=experiment.batch_size,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
            threads=experiment.data.threads,
        )

    def write_corrupt_list(self, workdir: str | os.PathLike) -> epath.Path:
        """Writes the list of corrupt records found so far into the workdir; returns its path.

        Each process lists those that it found itself.
        """
        path = _list_path(workdir)
        known = {
            name: {"records": self.fingerprints[name].digest, "corrupt": corrupt.messages()}
            for name, corrupt in self.corrupt.items()
            if corrupt.messages()
        }
        if known:
            write_json(path, known)
        return path

    def read_corrupt_list(self, workdir: str | os.PathLike) -> None:
        """Reads the list that an earlier start of this run wrote for the same records."""
        path = _list_path(workdir)
        try:
            for name, listed in (json.loads(path.read_text()) if path.exists() else {}).items():
                if name in self.fingerprints and listed["records"] == self.fingerprints[name].digest:
                    self.corrupt[name].found.update({int(n): text for n, text in listed["corrupt"].items()})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            logger.warning("%s: can't be read (%s); corrupt records are listed anew", path, error)


def open_data(settings: DataSettings) -> RunData:
    """Opens the training and validation records.

    Raises:
      ValueError, FileNotFoundError: they are missing, or training and validation share records; the message
        names the setting.
    """
    if settings.pairs.wanted:
        return _open_clips(settings)
    sources = {TRAINING: _open_source(settings, "train_split", settings.path)}
    if settings.validation_split:
        path = settings.validation_path or settings.path
        if not settings.validation_path and isinstance(sources[TRAINING], CompositeFolder):
            raise ValueError(_explain_no_splits(settings))
        sources[VALIDATION] = _open_source(settings, "validation_split", path)
    fingerprints = {name: compute_data_fingerprint(source) for name, source in sources.items()}
    _refuse_shared(sources, fingerprints)
    if VALIDATION in sources:
        sources[VALIDATION] = _subsample(sources[VALIDATION], settings.validation_samples)
    corrupt = {
        name: CorruptRecords(settings.corrupt_records, settings.corrupt_share * len(source))
        for name, source in sources.items()
    }
    training = sources[TRAINING]
    convention, synthetic = find_window_convention(training), is_synthetic_source(training)
    return RunData(sources, fingerprints, corrupt, convention, synthetic=synthetic)


def _open_clips(settings: DataSettings) -> RunData:
    """Opens sets of clip records for pairs, and windows of the clips of their validation splits."""
    first = ClipSetSettings(settings.path, settings.train_split, settings.builder_config)
    chosen = _name_sets((first, *parse_sets(settings.more_sets)), settings.validation_split)
    sources: dict[str, RecordReader] = {name: _open_clip_set(one) for name, one in chosen.items()}
    corrupt = {
        name: CorruptRecords(settings.corrupt_records, settings.corrupt_share * len(source))
        for name, source in sources.items()
    }
    fingerprints = {name: compute_data_fingerprint(source) for name, source in sources.items()}
    _refuse_shared(sources, fingerprints)
    left_out = read_left_out(settings.left_out)
    sets = {
        name: _select_clips(sources[name], corrupt[name], one, left_out)
        for name, one in chosen.items()
        if name.startswith(TRAINING)
    }
    for name in chosen.keys() - sets.keys():
        windows = ClipWindowRecords(
            sources[name], read_clip_index(sources[name], corrupt[name]), side=CLIP_SIDE
        )
        sources[name] = _subsample(windows, settings.validation_samples)
    synthetic = any(is_synthetic_source(one.source) for one in sets.values())
    return RunData(sources, fingerprints, corrupt, "paper", synthetic=synthetic, clip_sets=sets)


def _name_sets(sets: Sequence[ClipSetSettings], validation_split: str) -> dict[str, ClipSetSettings]:
    """Names the training splits of sets, then their validation splits; `validation_split` is the default."""
    numbers = ["", *(f" {number}" for number in range(2, len(sets) + 1))]
    named = {f"{TRAINING}{number}": one for number, one in zip(numbers, sets, strict=True)}
    for number, one in zip(numbers, sets, strict=True):
        split = validation_split if one.validation_split is None else one.validation_split
        if split:
            named[f"{VALIDATION}{number}"] = dataclasses.replace(one, split=split)
    return named


def _select_clips(
    source: RecordReader, corrupt: CorruptRecords, chosen: ClipSetSettings, left_out: frozenset[str]
) -> ClipSet:
    entries = [entry for entry in read_clip_index(source, corrupt) if entry.source not in left_out]
    if chosen.label >= 0:
        entries = [dataclasses.replace(entry, label=chosen.label) for entry in entries]
    return ClipSet(source, tuple(entries), chosen.weight)


def _open_clip_set(chosen: ClipSetSettings) -> RecordReader:
    try:
        return open_source(
            chosen.path, split=chosen.split, builder_config=chosen.builder_config or None, kind="clips"
        )
    except FileNotFoundError as error:
        raise FileNotFoundError(f"data.path={chosen.path}: {error}") from error
    except ValueError as error:
        raise ValueError(f"data: split {chosen.split!r}: {error}") from error


def _open_source(settings: DataSettings, setting: str, path: str) -> RecordReader:
    split = getattr(settings, setting)
    try:
        return open_source(path, split=split, builder_config=settings.builder_config or None)
    except FileNotFoundError as error:
        where = "validation_path" if path == settings.validation_path else "path"
        raise FileNotFoundError(f"data.{where}={path}: {error}") from error
    except ValueError as error:
        hint = "; leave it empty to train without validation" if setting == "validation_split" else ""
        raise ValueError(f"data.{setting}={split!r}: {error}{hint}") from error


def _explain_no_splits(settings: DataSettings) -> str:
    return (
        f"data.path={settings.path}: a folder of composites has no splits, so training records would also "
        "choose the best checkpoint. Give another folder as data.validation_path, or leave "
        "data.validation_split empty to train without validation"
    )


def _refuse_shared(sources: dict[str, RecordReader], fingerprints: dict[str, DataFingerprint]) -> None:
    training, validation = ([n for n in sources if n.startswith(use)] for use in (TRAINING, VALIDATION))
    for name, other in itertools.product(training, validation):
        train, valid = sources[name], sources[other]
        shared = fingerprints[name].digest == fingerprints[other].digest
        if isinstance(train, Records) and isinstance(valid, Records):
            shared |= any(_share_records(a, b) for a in train.parts for b in valid.parts)
        if shared:
            raise ValueError(
                "data.validation_split and data.validation_path: records of "
                f"{fingerprints[other].description} are also trained on "
                f"({fingerprints[name].description}); the best checkpoint would be chosen by them"
            )


def _share_records(one: tuple[str, int, int], other: tuple[str, int, int]) -> bool:
    """Returns whether two parts of shards (path, skipped, taken) share a record."""
    (path, first, count), (other_path, other_first, other_count) = one, other
    return path == other_path and first < other_first + other_count and other_first < first + count


def _subsample(source: RecordReader, count: int) -> RecordReader:
    """Returns `count` evenly spaced records of a source; all for 0."""
    if not 0 < count < len(source):
        return source
    return RecordSubset(source, np.linspace(0, len(source) - 1, count).astype(int).tolist())


def _list_path(workdir: str | os.PathLike) -> epath.Path:
    process = f".{jax.process_index()}" if jax.process_count() > 1 else ""
    return epath.Path(workdir) / f"{_LISTED}{process}.json"
