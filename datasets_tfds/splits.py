"""Splits: train, validation and test by source id, from a hash or a CSV, and folds of a cross-validation."""

import csv
import hashlib
import io
import os
import pathlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from datasets_tfds.build_settings import BuildSettings
from lipfd_jax.listing.clips import Item
from lipfd_jax.listing.csv_tables import read_csv_table
from lipfd_jax.storage import files
from lipfd_jax.vocabulary import SPLITS

COLUMNS = ("video", "source", "label", "split")
HELD_OUT_FILE = pathlib.Path(__file__).parent / "avlips" / "official_val_sources.txt"
_VALIDATION_PARTS = 4  # of the videos that a fold does not test, one part of this many is for validation


def read_held_out_sources() -> frozenset[str]:
    """Returns the 744 source ids that occur in the official validation windows."""
    return frozenset(HELD_OUT_FILE.read_text().split())


def assign_splits(items: Iterable[Item], settings: BuildSettings) -> dict[str, str]:
    """Returns the split of every video: {video id: "train" | "validation" | "test"}.

    Real and fake videos of one source id, and all their windows, are in one split. Videos that
    `settings.splits_csv` does not mention are left out.

    Raises:
      ValueError: that file can't be applied; the message names the change it needs.
    """
    if settings.splits_csv:
        return _follow_rows(items, read_splits(settings.splits_csv), settings)
    held_out = read_held_out_sources() if settings.held_out else frozenset()
    return {
        item.video: "test" if item.source in held_out else _draw_split(item.source, settings)
        for item in items
    }


def draw_folds(items: Sequence[Item], count: int, seed: int = 0) -> list[dict[str, str]]:
    """Returns the splits of `count` folds, {video id: "train" | "validation" | "test"} each.

    All videos of a source are in one split in every fold, and each class is distributed as evenly as sources
    allow. The test videos of fold k are the k-th part of all videos; a quarter of the others, which chooses
    the checkpoint and its threshold, is for validation. The same items and seed give the same folds in any
    order of the items.

    Raises:
      ValueError: fewer than two folds, or too few sources of a class for each part to have one.
    """
    if count < 2:
        raise ValueError(f"{count} folds: expected at least 2")
    items = sorted(items, key=lambda item: item.video)
    folds = []
    for rest, tested in _deal_parts(items, count, seed):
        train, validation = _deal_parts([items[i] for i in rest], _VALIDATION_PARTS, seed)[0]
        split = {items[i].video: "test" for i in tested}
        split |= {items[rest[i]].video: "train" for i in train}
        folds.append(split | {items[rest[i]].video: "validation" for i in validation})
    return folds


def read_splits(path: str) -> dict[str, str]:
    """Reads {video: split} from a CSV with the columns video and split; others are ignored.

    Raises:
      ValueError: not a CSV or not readable, no such columns, an unknown split, or a video that occurs twice.
    """
    table = read_csv_table(path)
    if not {"video", "split"} <= set(table.columns):
        raise ValueError(f"{path}: columns {', '.join(table.columns)}; expected {','.join(COLUMNS)}")
    splits: dict[str, str] = {}
    for row in table.rows:
        video, split = row.values.get("video", ""), row.values.get("split", "").lower()
        if split not in SPLITS:
            raise ValueError(f"{path}, line {row.line}: split {split!r}, expected one of {SPLITS}")
        if video in splits:
            raise ValueError(f"{path}, line {row.line}: {video} occurs twice")
        splits[video] = split
    return splits


def write_splits(path: str | os.PathLike, items: Iterable[Item], splits: Mapping[str, str]) -> None:
    """Writes a split as CSV (video,source,label,split), in the order of the items."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows((i.video, i.source, i.label, splits[i.video]) for i in items if i.video in splits)
    files.write_text(path, text.getvalue())


def _draw_split(source: str, settings: BuildSettings) -> str:
    """Hashes salt and source id to [0, 1) and compares with the fractions, independent of other sources."""
    digest = hashlib.sha256(f"{settings.salt}:{source}".encode()).digest()
    draw = int.from_bytes(digest[:8], "big") / 2**64
    train, validation, test = settings.fractions
    if draw < train:
        return "train"
    return "validation" if draw < train + validation or not test else "test"


def _follow_rows(items: Iterable[Item], rows: Mapping[str, str], settings: BuildSettings) -> dict[str, str]:
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
        _refuse_trained(items, splits, settings.splits_csv)
    return splits


def _refuse_crossing(items: Sequence[Item], splits: Mapping[str, str], path: str) -> None:
    """Raises ValueError where a source id is in two splits."""
    sides = defaultdict(set)
    for item in items:
        if item.video in splits:
            sides[item.source].add(splits[item.video])
    crossing = sorted(source for source, found in sides.items() if len(found) > 1)
    if crossing:
        raise ValueError(
            f"{path}: {len(crossing)} source ids are in more than one split, such as {crossing[:3]}; "
            "put all videos of a source id into one split"
        )


def _refuse_trained(items: Sequence[Item], splits: Mapping[str, str], path: str) -> None:
    """Raises ValueError where a source of the official validation windows is in another split than test."""
    held_out = read_held_out_sources()
    trained = [i.video for i in items if i.source in held_out and splits.get(i.video, "test") != "test"]
    if trained:
        raise ValueError(
            f"{path}: {len(trained)} videos of the official validation sources are not in test, such as "
            f"{trained[:3]}; move them, or build with --noheld_out"
        )


def _deal_parts(items: Sequence[Item], count: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Deals items to parts; returns for each part the indices of all other items, and its own."""
    labels = np.array([item.label for item in items])
    sources = np.array([item.source for item in items])
    for label, name in enumerate(("real", "fake")):
        if (present := len(set(sources[labels == label]))) < count:
            raise ValueError(f"{present} sources of {name} videos can't be dealt out to {count} parts")
    parts = list(StratifiedGroupKFold(count, shuffle=True, random_state=seed).split(items, labels, sources))
    for _, chosen in parts:
        if len(set(labels[chosen])) < 2:
            raise ValueError(f"{count} parts: one would hold one class only, as sources are so uneven")
    return parts
