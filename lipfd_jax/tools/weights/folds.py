"""Folds that keep people, footage and the repositories that clips come from together."""

import csv
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lipfd_jax.data.clip_index import ClipEntry

_ORIGIN = "source"  # column of clips.csv: where a clip was published, "REPOSITORY : FILE"


@dataclass(frozen=True)
class FoldClip:
    """What decides the fold of a clip."""

    group: str  # person or footage
    origin: str  # where it was published; "" where unknown
    label: int  # 0 real, 1 fake


def read_origins(media: Path) -> dict[str, str]:
    """Returns the origin of each group's clips in a folder's clips.csv, "" where the table names none.

    Groups with clips of several origins have them joined by "|".
    """
    found: dict[str, set[str]] = defaultdict(set)
    with (media / "clips.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            origin = (row.get(_ORIGIN) or "").split(" : ")[0].strip()
            found[row.get("group") or ""].add(origin)
    return {group: "|".join(sorted(origins - {""})) for group, origins in found.items()}


def list_fold_clips(entries: Sequence[ClipEntry], origins: dict[str, str]) -> list[FoldClip]:
    """Returns what decides the fold of each entry."""
    return [FoldClip(entry.source, origins.get(entry.source, ""), entry.label) for entry in entries]


def assign_folds(clips: Sequence[FoldClip], count: int = 3) -> dict[str, int]:
    """Returns the fold of each group: groups that share an origin are in one fold.

    The largest sets of linked groups come first, each into the fold that holds least by then. Groups with
    both classes weigh most, as matched ranks are computed on them, then real clips.
    """
    linked = _link_groups(clips)
    weights = {name: _weigh(clips, groups) for name, groups in linked.items()}
    loads = [0.0] * count
    folds: dict[str, int] = {}
    for name in sorted(linked, key=lambda name: (-weights[name], name)):
        fold = loads.index(min(loads))
        loads[fold] += weights[name]
        folds |= dict.fromkeys(sorted(linked[name]), fold)
    return folds


def _link_groups(clips: Sequence[FoldClip]) -> dict[str, set[str]]:
    """Returns sets of groups, each named by its first: those that an origin links, directly or not."""
    parent: dict[str, str] = {}

    def find(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for clip in clips:
        find(f"group {clip.group}")
        for origin in filter(None, clip.origin.split("|")):
            parent[find(f"group {clip.group}")] = find(f"origin {origin}")
    sets: dict[str, set[str]] = defaultdict(set)
    for clip in clips:
        sets[find(f"group {clip.group}")].add(clip.group)
    return {min(groups): groups for groups in sets.values()}


def _weigh(clips: Sequence[FoldClip], groups: set[str]) -> float:
    inside = [clip for clip in clips if clip.group in groups]
    both = {clip.group for clip in inside if clip.label} & {clip.group for clip in inside if not clip.label}
    return 2.0 * len(both) + sum(0.3 if clip.label else 0.6 for clip in inside)
