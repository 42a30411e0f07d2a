"""Sources of samples: a TFDS build or a folder of composites, both with random access."""

import dataclasses
import json
import logging
import os
from pathlib import Path
from typing import Any, Literal, Protocol, cast

import tensorflow_datasets as tfds
from etils import epath
from natsort import natsort_keygen

from lipfd_jax.data.corrupt import CorruptRecord
from lipfd_jax.listing.composites import list_composites, read_window_convention
from lipfd_jax.listing.synthetic_mark import is_synthetic
from lipfd_jax.storage.unavailable import Patience
from lipfd_jax.vocabulary import BUILD_REPORT, CLASSES, FACE_SIDE, WindowConvention, parse_composite_name

logger = logging.getLogger(__name__)


class RecordReader(Protocol):
    """Records by index, images still encoded; see `records.decode_record`."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> dict[str, Any]: ...


RecordKind = Literal["windows", "clips"]
_BUILT_AS = {"windows": "lipfd build --config=folder --crop=faces", "clips": "lipfd build --config=clips"}


def open_source(
    path: str, *, split: str = "test", builder_config: str | None = None, kind: RecordKind = "windows"
) -> RecordReader:
    """Opens the data at a path, a build or a folder of composites.

    Args:
      path: a folder of composites (0_real/NAME_J.png, 1_fake/NAME_J.png) or a TFDS data_dir (or a folder
        inside it, down to a version).
      split: split of a TFDS build; a folder of composites has none and gives all its composites.
      builder_config: which built config, where the data_dir holds several.
      kind: of the records: windows (see `records.decode_record`), or clips (see `clip_records.decode_clip`).

    Raises:
      FileNotFoundError: nothing readable is there.
      StorageUnavailable: a bucket does not answer, or refuses access.
      ValueError: several built configs fit, the split does not exist or is empty, or the records are of
        another kind.
    """
    try:
        return Patience().read(lambda: _open_at(epath.Path(path), split, builder_config, kind), path, path)
    except ImportError as error:  # the library for this kind of address
        raise ValueError(f"{path}: {error}; for Google Storage: pip install gcsfs") from error


def _open_at(folder: epath.Path, split: str, builder_config: str | None, kind: RecordKind) -> RecordReader:
    if any((folder / name).is_dir() for name in CLASSES):
        _check_kind(folder, "windows", kind)
        return CompositeFolder(folder)
    records = Records.open(find_build(folder, builder_config), split)
    _check_kind(records.folder, records.kind, kind)
    return records


def _check_kind(folder: epath.Path, found: RecordKind, expected: RecordKind) -> None:
    if found != expected:
        raise ValueError(
            f"{folder}: its records are {found}, expected {expected}; build those with: {_BUILT_AS[expected]}"
        )


def find_window_convention(source: RecordReader) -> WindowConvention:
    """Returns the convention of a source's windows, "released" or "paper"; one source holds one kind.

    Raises CorruptRecord where no record can be read.
    """
    for index in range(len(source)):
        try:
            value = source[index]["windows"]
            return cast(WindowConvention, value.decode() if isinstance(value, bytes) else value)
        except CorruptRecord as error:  # reading that record raises it again
            last = error
    raise last


def read_crop(source: RecordReader) -> str:
    """Returns the crop of a source's windows: "faces" if a build's report has it, else "none"."""
    return "faces" if _read_report(source, "settings", "crop") == "faces" else "none"


def read_face_side(source: RecordReader) -> int | None:
    """Returns the pixels to which face crops of a source's windows were shrunk; None where none were cut."""
    if read_crop(source) != "faces":
        return None
    return int(_read_report(source, "settings", "face_side") or FACE_SIDE)


def is_synthetic_source(source: RecordReader) -> bool:
    """Whether a source's records show drawn people, by a build's report or a folder's mark."""
    if isinstance(source, CompositeFolder):
        return is_synthetic(cast(Path, source.folder))
    return _read_report(source, "synthetic") is True


def _read_report(source: RecordReader, *keys: str) -> Any:
    """A value in the report of a source's build; None where there is no build, or an earlier version's."""
    try:
        value = json.loads((cast(Records, source).folder / BUILD_REPORT).read_text())
        for key in keys:
            value = value[key]
        return value
    except (AttributeError, KeyError, OSError, TypeError, ValueError):
        return None


def find_build(folder: epath.Path, builder_config: str | None = None) -> epath.Path:
    """Returns the folder of the one TFDS version at or below `folder` (newest version of one config)."""
    depths = ("", "*/", "*/*/", "*/*/*/")  # data_dir/builder/config/version; buckets have no recursive search
    files = [file for depth in depths for file in folder.glob(f"{depth}features.json")]
    found = sorted(file.parent for file in files if "incomplete" not in file.parent.name)
    if builder_config:
        found = [p for p in found if p.parent.name == builder_config]
    if not found:
        wanted = f" of config {builder_config!r}" if builder_config else ""
        raise FileNotFoundError(
            f"{folder}: no TFDS build{wanted} and no folder of composites (0_real, 1_fake) there; "
            "build one with: lipfd build"
        )
    configs = sorted({p.parent.name for p in found})
    if len(configs) > 1:
        raise ValueError(f"{folder}: holds several configs ({', '.join(configs)}); name one")
    return max(found, key=lambda p: [int(n) for n in p.name.split(".")])


@dataclasses.dataclass(frozen=True)
class Records:
    """One split of a TFDS build in array_record format."""

    folder: epath.Path
    split: str
    records: Any
    parts: tuple[tuple[str, int, int], ...]  # (path, skipped, taken) for each shard with records of the split
    patience: Patience = dataclasses.field(default_factory=Patience, repr=False, compare=False)
    kind: RecordKind = "windows"

    @classmethod
    def open(cls, folder: epath.Path, split: str) -> "Records":
        builder = tfds.builder_from_directory(folder)
        if split.split("[")[0] not in builder.info.splits:
            raise ValueError(f"{folder}: no split {split!r}; there are {', '.join(builder.info.splits)}")
        parts = tuple((p.filename, p.skip, p.take) for p in builder.info.splits[split].file_instructions)
        if not parts or builder.info.splits[split].num_examples < 1:
            raise ValueError(f"{folder}: split {split!r} is empty")
        images = [n for n, f in builder.info.features.items() if isinstance(f, tfds.features.Image)]
        records = builder.as_data_source(split, decoders={n: tfds.decode.SkipDecoding() for n in images})
        kind: RecordKind = "windows" if "window" in builder.info.features else "clips"
        return cls(folder, split, records, parts, kind=kind)

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> dict[str, Any]:
        what = f"{self.folder}: record {index} of split {self.split!r}"
        try:
            return self.patience.read(
                lambda: self.records[index], what, self.folder, lambda: _drop_failed_readers(self.records)
            )
        except (OSError, MemoryError):
            raise
        except Exception as error:
            name = f"{what} can't be read ({error})"
            if "() failed:" in str(error):  # array_record's form of the system's error
                raise OSError(name) from error
            raise CorruptRecord(
                f"{name}. A shard is damaged: `lipfd build --verify` names it; with --overwrite the command "
                "builds again"
            ) from error

    def __repr__(self) -> str:  # Grain puts it into the iterator's identity
        return f"Records({self.folder.parent.name}, {self.split}, {len(self)})"


def _drop_failed_readers(records: Any) -> None:
    """Drops readers that have failed: array_record keeps them, and they only repeat their error."""
    readers = getattr(getattr(records, "data_source", records), "_readers", [])
    for number, reader in enumerate(readers):
        if reader is not None and hasattr(reader, "ok") and not reader.ok():
            readers[number] = None


class CompositeFolder:
    """Records of a folder of composites, as the released script and `lipfd preprocess` write it.

    `window_convention` is read from the note that `lipfd preprocess` writes; without one it is "released".
    """

    def __init__(self, folder: str | os.PathLike):
        self.folder = epath.Path(folder)
        listing = list_composites(self.folder, "follow")
        if listing.problems:
            count, (name, reason) = len(listing.problems), listing.problems[0]
            logger.warning("%s: %d files are left out, the first is %s: %s", folder, count, name, reason)
        found = (path for video in listing.clips for path in video.files)
        self.composites = sorted(found, key=natsort_keygen(lambda p: (p.parent.name, p.name)))
        if not self.composites:
            raise FileNotFoundError(f"{folder}: no composites named NAME_J.png in 0_real or 1_fake")
        self.window_convention = read_window_convention(self.folder)
        self.patience = Patience()

    def __len__(self) -> int:
        return len(self.composites)

    def __getitem__(self, index: int) -> dict[str, Any]:
        path = self.composites[index]
        named = parse_composite_name(str(path))
        assert named is not None  # the listing holds no other names
        return {
            "composite": self.patience.read(path.read_bytes, str(path), self.folder),
            "label": CLASSES.index(named.folder),
            "video": named.video,
            "source": named.name,
            "generator": "",
            "window": named.window,
            "start_frame": -1,
            "fps": 0.0,
            "windows": self.window_convention,
        }

    def __repr__(self) -> str:
        return f"CompositeFolder({self.folder.name}, {len(self)})"
