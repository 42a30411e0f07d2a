"""Build report, build_report.json: counts, problems, settings and the checksums of the shards."""

import json
import pathlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow_datasets as tfds

from datasets_tfds.build_settings import BuildError, BuildSettings
from datasets_tfds.records import get_codec, read_key
from datasets_tfds.shards import WrittenShard
from lipfd_jax.listing.clips import Listing
from lipfd_jax.listing.names import escape_controls
from lipfd_jax.storage.checksums import hash_file
from lipfd_jax.version import __version__
from lipfd_jax.vocabulary import BUILD_REPORT, CLASSES


def describe_build(
    listing: Listing,
    written: Sequence[WrittenShard],
    settings: BuildSettings,
    left_out: Sequence[str],
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Returns the report of a build as JSON values, without the input's fingerprint and shards' checksums."""
    outcomes = [outcome for shard in written for outcome in shard.outcomes]
    bad = [(o.video, o.problem) for o in outcomes if o.problem]
    tracebacks = {o.video: o.traceback for o in outcomes if o.traceback}
    return {
        "project": __version__,
        "settings": settings.as_dict(),
        "synthetic": listing.synthetic,
        "videos": {
            "listed": len(listing.clips),
            "built": len(outcomes) - len(bad),
            "left_out": len(left_out),
        },
        "records": sum(shard.records for shard in written),
        "bytes": sum(shard.bytes for shard in written),
        "splits": _count_by_split(written, settings.kind),
        "problems": [{"name": n, "reason": r} for n, r in sorted([*listing.problems, *bad])],
        **({"tracebacks": tracebacks} if tracebacks else {}),  # of unexpected errors
        "warnings": [{"video": o.video, "warnings": list(o.warnings)} for o in outcomes if o.warnings],
        "left_out": sorted(left_out),
        "notes": list(notes),
    }


def _count_by_split(written: Sequence[WrittenShard], kind: str) -> dict[str, dict[str, dict[str, int]]]:
    counts: dict[str, dict[str, dict[str, int]]] = {}
    for shard in written:
        split = counts.setdefault(shard.split, {name: {"videos": 0, kind: 0} for name in CLASSES})
        for outcome in shard.outcomes:
            name = outcome.video.split("/")[0]
            split[name]["videos"] += not outcome.problem
            split[name][kind] += len(outcome.keys)
    return counts


def summarize_build(report: dict[str, Any]) -> str:
    """Returns the report as text, several lines."""
    lines = [
        f"{report['records']} records of {report['videos']['built']} videos, {report['bytes'] / 1e6:.1f} MB"
    ]
    kind = report["settings"].get("kind", "windows")
    for split, classes in report["splits"].items():
        parts = [f"{name} {n['videos']} videos / {n[kind]} {kind}" for name, n in classes.items()]
        lines.append(f"  {split}: {', '.join(parts)}")
        if not all(counts[kind] for counts in classes.values()):
            lines.append(f"    {split} lacks a class: set other --fractions, another --salt, or --splits_csv")
    lines.append(f"{len(report['problems'])} inputs could not be used")
    lines += [f"  {problem['name']}: {problem['reason']}" for problem in report["problems"][:50]]
    lines.append(f"{len(report['warnings'])} videos were built with a warning")
    lines += [
        f"  {warning['video']}: {'; '.join(warning['warnings'])}" for warning in report["warnings"][:20]
    ]
    if report["left_out"]:
        lines.append(f"{len(report['left_out'])} videos are in no split")
    return "\n".join(map(escape_controls, lines))


def check_records(
    folder: pathlib.Path,
    infos: Sequence[tfds.core.SplitInfo],
    written: Sequence[WrittenShard],
    settings: BuildSettings,
) -> dict[str, dict[str, Any]]:
    """Reads every record back and compares the keys with those of all built videos.

    Returns:
      Contents and checksum of each shard: {file name: {"records", "bytes", "sha256"}}.

    Raises:
      BuildError: a window or clip is missing, duplicated, or in the wrong split.
    """
    shards = {}
    found: Counter[tuple[str, str]] = Counter()
    for info in infos:
        for path in map(pathlib.Path, info.filepaths):
            keys = [read_key(get_codec(settings).parse(record)) for record in read_shard(path)]
            found.update((info.name, key) for key in keys)
            shards[path.name] = {"records": len(keys), **_hash_shard(path)}
    expected = Counter((s.split, key) for s in written for outcome in s.outcomes for key in outcome.keys)
    if found != expected:
        missing, extra = sorted((expected - found).elements()), sorted((found - expected).elements())
        raise BuildError(
            f"{folder}: {len(missing)} {settings.kind} are missing {missing[:3]}, {len(extra)} too many "
            f"{extra[:3]}; the records are not complete, build again with --overwrite"
        )
    return shards


def read_shard(path: pathlib.Path) -> Iterator[bytes]:
    """Yields the records of an array_record or tfrecord file, whose checksums the reader verifies.

    tfrecord needs TensorFlow.
    """
    if ".tfrecord" in path.name:
        import tensorflow as tf

        yield from tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
        return
    from array_record.python import array_record_module

    reader = array_record_module.ArrayRecordReader(str(path))
    try:
        for index in range(reader.num_records()):
            yield reader.read([index])[0]
    finally:
        reader.close()


def _hash_shard(path: pathlib.Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": hash_file(path)}


def write_report(report: dict[str, Any], folder: pathlib.Path) -> None:
    """Writes build_report.json into a folder."""
    (folder / BUILD_REPORT).write_text(json.dumps(report, indent=1) + "\n")


def read_report(folder: pathlib.Path) -> dict[str, Any]:
    """Reads build_report.json from a folder. Raises BuildError where it is missing or damaged."""
    path = pathlib.Path(folder) / BUILD_REPORT
    if not path.is_file():
        raise BuildError(
            f"{path}: no such file; was this built by another program? Build again with --overwrite"
        )
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise BuildError(f"{path}: damaged ({error}); build again with --overwrite") from error


def find_damaged_shards(folder: pathlib.Path, *, checksums: bool = True) -> list[str]:
    """Compares the shards of a finished build with its report.

    Args:
      checksums: compares checksums too, which reads every byte; otherwise only sizes.

    Returns:
      A line for each shard that is missing or changed.
    """
    lines = []
    for name, stored in read_report(folder)["shards"].items():
        path = pathlib.Path(folder) / name
        if not path.is_file():
            lines.append(f"{path}: missing")
        elif path.stat().st_size != stored["bytes"]:
            lines.append(f"{path}: {path.stat().st_size} bytes, expected {stored['bytes']}")
        elif checksums and _hash_shard(path) != {field: stored[field] for field in ("bytes", "sha256")}:
            lines.append(f"{path}: its checksum differs from the report's")
    return lines


def compare_settings(old: dict[str, Any], settings: BuildSettings) -> dict[str, tuple[Any, Any]]:
    """Returns the settings that differ from those of a report: {name: (built with, asked for)}."""
    asked, defaults = settings.as_dict(), BuildSettings().as_dict()
    # Reports of earlier versions have the layout under the key "source", and lack settings added later.
    old = {**defaults, **({"layout": old["source"]} if "source" in old else {}), **old}
    return {name: (old[name], asked[name]) for name in asked if old[name] != asked[name]}
