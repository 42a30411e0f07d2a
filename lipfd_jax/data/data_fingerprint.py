"""Fingerprint of the records of a source, to recognise changed data."""

import concurrent.futures
import dataclasses
import json
from collections.abc import Iterable
from typing import Any

from etils import epath

from lipfd_jax.data.sources import CompositeFolder, RecordReader, Records
from lipfd_jax.storage.checksums import hash_json
from lipfd_jax.vocabulary import BUILD_REPORT

_NAMING = 4  # parts of a build's path: data_dir, dataset, config, version
_DIGITS = 16  # hexadecimal, of a fingerprint
_THREADS = 32  # a bucket answers slowly


@dataclasses.dataclass(frozen=True)
class DataFingerprint:
    """Fingerprint of a source, for results and checkpoints: `digest` is compared, `description` shown."""

    digest: str  # 16 hexadecimal digits; depends on the records, not on their place
    description: str  # what was hashed, and the name of its folder; no path, as results are shared

    def __str__(self) -> str:
        return f"{self.description} (sum {self.digest})"

    def to_json(self) -> dict[str, str]:
        """Returns the keys that checkpoints store."""
        return {"sum": self.digest, "words": self.description}


def compute_data_fingerprint(source: RecordReader) -> DataFingerprint:
    """Fingerprints the records of a source without reading them.

    The report of a TFDS build holds the SHA-256 of its shards; a split or a part of one has those of its own
    shards. For a folder of composites, and for a build without a report, names, sizes and times (whole
    seconds) of the files are hashed: a copy that does not keep times counts as changed.

    Raises:
      OSError: a file was removed meanwhile.
      TypeError: the source is of another kind.
    """
    if isinstance(source, CompositeFolder):
        # Part of the name only: the folder may have been moved.
        files = zip((f"{p.parent.name}/{p.name}" for p in source.composites), source.composites, strict=True)
        return DataFingerprint(
            hash_json({"windows": source.window_convention, "files": _stat_files(files)}, _DIGITS),
            f"{len(source)} composites in {source.folder.name}, by name, size and time",
        )
    if isinstance(source, Records):
        return _fingerprint_build(source)
    raise TypeError(f"{type(source).__name__}: has no fingerprint; expected Records or CompositeFolder")


def _fingerprint_build(source: Records) -> DataFingerprint:
    paths = {epath.Path(path).name: epath.Path(path) for path, *_ in source.parts}
    sums = _read_reported_sums(source.folder)
    known = paths.keys() <= sums.keys()
    shards = {name: sums[name] for name in paths} if known else _stat_files(sorted(paths.items()))
    place = "/".join(source.folder.parts[-_NAMING:])
    ranges = sorted([epath.Path(path).name, skipped, taken] for path, skipped, taken in source.parts)
    how = "sums in its report" if known else "name, size and time of its shards"
    return DataFingerprint(
        hash_json({"shards": shards, "ranges": ranges}, _DIGITS),
        f"split {source.split} ({len(source)} records) of {place}, by the {how}",
    )


def _read_reported_sums(folder: epath.Path) -> dict[str, str]:
    """Reads the SHA-256 of each shard from a build's report; empty without a complete report."""
    try:
        shards = json.loads((folder / BUILD_REPORT).read_text())["shards"]
        return {name: str(shard["sha256"]) for name, shard in shards.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _stat_files(files: Iterable[tuple[str, epath.Path]]) -> list[list[Any]]:
    names, paths = zip(*files, strict=True)
    with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
        stats = pool.map(lambda path: path.stat(), paths)
        return [[name, stat.length, stat.mtime] for name, stat in zip(names, stats, strict=True)]
