"""Which records a source holds, as a short sum that tells whether they are still the same ones."""

import concurrent.futures
import dataclasses
import hashlib
import json
from collections.abc import Iterable
from typing import Any

from etils import epath

from lipfd_jax.data.sources import PictureFolder, Records, RecordSource
from lipfd_jax.vocabulary import BUILD_REPORT

_NAMING = 4  # parts of a build's path: data_dir, dataset, config, version
_THREADS = 32  # a bucket takes some time to say what it knows of a file


@dataclasses.dataclass(frozen=True)
class Identity:
    """What a source was, for results and checkpoints; compare `sum`, show `words`."""

    sum: str  # 16 hexadecimal digits; other records have another one, wherever they lie
    words: str  # what was summed, and the name of its folder: others read it too, so no path of this machine

    def __str__(self) -> str:
        return f"{self.words} (sum {self.sum})"


def identity(source: RecordSource) -> Identity:
    """Identifies the records of a source without reading them.

    A TFDS build says what its shards hold in its report, by SHA-256; a split or a part of one has the sums
    of the shards it lies in. Of a folder of composites, and of a build without a report, names, sizes and
    times (whole seconds) of the files are summed: a copy that does not keep times counts as changed.

    Raises:
      OSError: a file went away meanwhile.
      TypeError: a source of another kind, which says nothing about its records.
    """
    if isinstance(source, PictureFolder):
        # Part of the name only: the folder may have been moved.
        files = zip((f"{p.parent.name}/{p.name}" for p in source.pictures), source.pictures, strict=True)
        return Identity(
            _digest({"windows": source.window_convention, "files": _stats(files)}),
            f"{len(source)} pictures in {source.folder.name}, by name, size and time",
        )
    if isinstance(source, Records):
        return _of_build(source)
    raise TypeError(f"{type(source).__name__}: can't say which records it holds")


def _of_build(source: Records) -> Identity:
    paths = {epath.Path(path).name: epath.Path(path) for path, *_ in source.parts}
    sums = _reported(source.folder)
    known = paths.keys() <= sums.keys()
    shards = {name: sums[name] for name in paths} if known else _stats(sorted(paths.items()))
    place = "/".join(source.folder.parts[-_NAMING:])
    ranges = sorted([epath.Path(path).name, skipped, taken] for path, skipped, taken in source.parts)
    how = "sums in its report" if known else "name, size and time of its shards"
    return Identity(
        _digest({"shards": shards, "ranges": ranges}),
        f"split {source.split} ({len(source)} records) of {place}, by the {how}",
    )


def _reported(folder: epath.Path) -> dict[str, str]:
    """SHA-256 of each shard as a build noted it; none where there is no report, or not a whole one."""
    try:
        shards = json.loads((folder / BUILD_REPORT).read_text())["shards"]
        return {name: str(shard["sha256"]) for name, shard in shards.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _stats(files: Iterable[tuple[str, epath.Path]]) -> list[list[Any]]:
    names, paths = zip(*files, strict=True)
    with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
        stats = pool.map(lambda path: path.stat(), paths)
        return [[name, stat.length, stat.mtime] for name, stat in zip(names, stats, strict=True)]


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
