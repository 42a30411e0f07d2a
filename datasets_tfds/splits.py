"""Which split a video belongs to, by its source id; writes the split as CSV and reads one back.

python -m datasets_tfds.splits --manual_dir=DIR --config=avlips --output=splits.csv
python -m datasets_tfds.splits --manual_dir=DIR --config=folder --folds=3 --output=folds
"""

import csv
import hashlib
import io
import os
import pathlib
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from absl import app, flags
from sklearn.model_selection import StratifiedGroupKFold

from datasets_tfds import footage, options
from datasets_tfds.build_settings import Settings
from lipfd_jax.listing.clips import Clip, ClipError, Item
from lipfd_jax.listing.layouts import list_layout
from lipfd_jax.listing.names import escape_controls
from lipfd_jax.storage import files
from lipfd_jax.vocabulary import SPLITS

COLUMNS = ("video", "source", "label", "split")
HELD_OUT_FILE = pathlib.Path(__file__).parent / "avlips" / "official_val_sources.txt"


def held_out_sources() -> frozenset[str]:
    """Returns the 744 source ids that occur in the official validation windows."""
    return frozenset(HELD_OUT_FILE.read_text().split())


def assign(items: Iterable[Item], settings: Settings) -> dict[str, str]:
    """Returns the split of every video: {video id: "train" | "validation" | "test"}.

    Real and forged videos of one source id, and all windows of both, are always in one split. Videos that
    `settings.splits_csv` does not mention are left out.

    Raises:
      ValueError: that file can't be followed; the message says what to change.
    """
    if settings.splits_csv:
        return _followed(items, read(settings.splits_csv), settings)
    held_out = held_out_sources() if settings.held_out else frozenset()
    return {
        item.video: "test" if item.source in held_out else _drawn(item.source, settings) for item in items
    }


def _drawn(source: str, settings: Settings) -> str:
    """A number in [0, 1) from salt and source id, compared with the fractions: no other source has a say."""
    digest = hashlib.sha256(f"{settings.salt}:{source}".encode()).digest()
    draw = int.from_bytes(digest[:8], "big") / 2**64
    train, validation, test = settings.fractions
    if draw < train:
        return "train"
    return "validation" if draw < train + validation or not test else "test"


def _followed(items: Iterable[Item], rows: Mapping[str, str], settings: Settings) -> dict[str, str]:
    items = list(items)
    splits = {item.video: rows[item.video] for item in items if item.video in rows}
    unknown = sorted(set(rows) - set(splits))
    if unknown:
        raise ValueError(
            f"{settings.splits_csv}: {len(unknown)} videos are not in the data, such as {unknown[:3]}; "
            "remove those rows or check manual_dir"
        )
    _refuse_crossing(items, splits, settings.splits_csv)
    if settings.held_out:
        trained = [i.video for i in items if splits.get(i.video) != "test" and i.source in held_out_sources()]
        trained = [video for video in trained if video in splits]
        if trained:
            raise ValueError(
                f"{settings.splits_csv}: {len(trained)} videos of the official validation sources are not in "
                f"test, such as {trained[:3]}; move them, or build with --noheld_out"
            )
    return splits


def _refuse_crossing(items: list[Item], splits: Mapping[str, str], path: str) -> None:
    sides = defaultdict(set)
    for item in items:
        if item.video in splits:
            sides[item.source].add(splits[item.video])
    crossing = sorted(source for source, found in sides.items() if len(found) > 1)
    if crossing:
        raise ValueError(
            f"{path}: {len(crossing)} source ids are in more than one split, such as {crossing[:3]}; "
            "all videos of a source id belong on one side"
        )


def read(path: str) -> dict[str, str]:
    """Reads {video: split} from a CSV with the columns video and split (others are ignored).

    Raises:
      ValueError: no CSV, no such columns, an unknown split or a video that occurs twice.
      OSError: the file can't be read.
    """
    try:
        return _read(path)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: can't be read as CSV in UTF-8: {error}") from error


def _read(path: str) -> dict[str, str]:
    splits: dict[str, str] = {}
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, restval="")
        if not {"video", "split"} <= set(reader.fieldnames or ()):
            raise ValueError(f"{path}: columns {reader.fieldnames}, expected {','.join(COLUMNS)}")
        for row in reader:
            video, split = row["video"].strip(), row["split"].strip()
            if split not in SPLITS:
                raise ValueError(f"{path}, line {reader.line_num}: split {split!r}, expected one of {SPLITS}")
            if video in splits:
                raise ValueError(f"{path}, line {reader.line_num}: {video} occurs twice")
            splits[video] = split
    return splits


def write(path: str | os.PathLike, items: Iterable[Item], splits: Mapping[str, str]) -> None:
    """Writes the split as CSV (video,source,label,split), in the order of the items."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows((i.video, i.source, i.label, splits[i.video]) for i in items if i.video in splits)
    files.write_text(path, text.getvalue())


def main(argv: list[str]) -> None:
    """Runs the command."""
    given = flags.FLAGS
    if len(argv) > 1 or not given.manual_dir:
        raise app.UsageError(f"--manual_dir is missing, or unexpected arguments {argv[1:]}")
    try:
        settings = options.settings()
        with tempfile.TemporaryDirectory() as unpacked:
            found = list_layout(
                given.manual_dir,
                settings.layout,
                clips_csv=settings.clips_csv,
                links=settings.links,
                unpack_dir=given.unpack_dir or unpacked,
            )
            print(found.summary())
            splits = _splits(found.clips, settings, given.folds)
            if given.check_footage:
                clips = [item for item in found.clips if isinstance(item, Clip)]
                _print_mismatches(clips, os.cpu_count() if given.workers is None else given.workers)
        for number, split in enumerate(splits, start=1):
            if given.output:
                write(_file(given.output, number, given.folds), found.clips, split)
            counts, fold = Counter(split.values()), f"fold {number}, " if given.folds else ""
            print(f"{fold}videos in {', '.join(f'{name}: {counts[name]}' for name in SPLITS)}")
    except (ClipError, OSError, ValueError) as error:
        sys.exit(f"error: {error}")


def _splits(items: list[Item], settings: Settings, count: int | None) -> list[dict[str, str]]:
    """One split, or one for each fold. ValueError where a setting asks for what folds can't do."""
    if count is None:
        return [assign(items, settings)]
    if settings.splits_csv:
        raise ValueError("--folds draws splits of its own; leave --splits_csv out")
    if settings.held_out:
        raise ValueError("--folds deals out all sources, the official validation ones too: add --noheld_out")
    return folds(items, count)


def _file(output: str, number: int, count: int | None) -> pathlib.Path:
    """Where a split goes: the output itself, or with folds a file of its number in that folder."""
    if count is None:
        return pathlib.Path(output)
    pathlib.Path(output).mkdir(parents=True, exist_ok=True)
    return pathlib.Path(output) / f"{number}.csv"


def _print_mismatches(clips: list[Clip], worker_count: int) -> None:
    different = footage.mismatches(clips, worker_count)
    print(
        f"{len(footage.pairs(clips))} pairs of real and forged clips, {len(different)} not the same footage:"
    )
    for pair, result in different:
        print(
            escape_controls(
                f"  {pair.real.video} {pair.fake.video}: "
                f"{result if isinstance(result, str) else f'{result:.3f}'}"
            )
        )


def _define_flags() -> None:
    options.define()
    flags.DEFINE_string("output", None, "write the split here, as CSV; with --folds a folder of them")
    flags.DEFINE_integer("folds", None, "draw this many folds, in which every video is tested once")
    flags.DEFINE_string("unpack_dir", None, "where to keep what an archive holds; default: not at all")
    flags.DEFINE_bool("check_footage", False, "compare real and forged clips of each source id")


if __name__ == "__main__":
    _define_flags()
    app.run(main)


_VALIDATION_PARTS = 4  # one of so many parts of what is not tested chooses the checkpoint and its threshold


def folds(items: Sequence[Item], count: int, seed: int = 0) -> list[dict[str, str]]:
    """The splits of `count` folds, {video id: "train" | "validation" | "test"} each.

    All videos of a source are on one side in every fold, and each class is dealt out as evenly as sources
    allow. Fold k's test videos are the k-th part of all; of the rest a quarter is for validation. The same
    items and seed give the same folds, whatever the order of the items.

    Raises:
      ValueError: fewer than two folds, or too few sources of a class for each part to have one.
    """
    if count < 2:
        raise ValueError(f"{count} folds: expected at least 2")
    items = sorted(items, key=lambda item: item.video)
    found = []
    for rest, tested in _parts(items, count, seed):
        train, validation = _parts([items[i] for i in rest], _VALIDATION_PARTS, seed)[0]
        split = {items[i].video: "test" for i in tested}
        split |= {items[rest[i]].video: "train" for i in train}
        found.append(split | {items[rest[i]].video: "validation" for i in validation})
    return found


def _parts(items: Sequence[Item], count: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each part: the places of all others, and its own."""
    labels = np.array([item.label for item in items])
    sources = np.array([item.source for item in items])
    for label, name in enumerate(("real", "fake")):
        if (there := len(set(sources[labels == label]))) < count:
            raise ValueError(f"{there} sources of {name} videos can't be dealt out to {count} parts")
    parts = list(StratifiedGroupKFold(count, shuffle=True, random_state=seed).split(items, labels, sources))
    for _, chosen in parts:
        if len(set(labels[chosen])) < 2:
            raise ValueError(f"{count} parts: one would hold one class only, as sources are so uneven")
    return parts
