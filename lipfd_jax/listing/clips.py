"""Clips and finished composites of a data set, before any is opened, and problems found while listing."""

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lipfd_jax.listing.problems import count_hidden, group_problems
from lipfd_jax.vocabulary import CLASSES, LABELS


class ClipError(ValueError):
    """An input that can't be used; the message names the file and the reason."""


@dataclass(frozen=True)
class Clip:
    """A labelled video of a data set, before it is opened."""

    video: str  # video id "CLASS/NAME", unique in its data set
    path: Path  # the video file
    wav: Path | None  # its wav; None: the track inside the video
    label: int  # 0 real, 1 fake
    source: str  # id of the footage or person; clips that share it stay in one split
    generator: str = ""  # method of the forgery, if known

    @property
    def files(self) -> tuple[Path, ...]:
        """Files on which its composites depend, the video first."""
        return (self.path,) if self.wav is None else (self.path, self.wav)


@dataclass(frozen=True)
class CompositeFiles:
    """Finished composites of one video, NAME_J.png, as released for validation."""

    video: str  # "CLASS/NAME"
    paths: tuple[tuple[int, Path], ...]  # (window number, file), in order
    label: int
    source: str
    generator: str = ""

    @property
    def path(self) -> Path:
        """Its first file, which names it in messages."""
        return self.paths[0][1]

    @property
    def files(self) -> tuple[Path, ...]:
        """All its composites."""
        return tuple(path for _, path in self.paths)


Item = Clip | CompositeFiles


@dataclass(frozen=True)
class Listing:
    """Clips of a data set, and problems: files that are not clips."""

    clips: tuple[Item, ...]
    problems: tuple[tuple[str, str], ...]  # (name, reason)
    notes: tuple[str, ...] = ()  # what was guessed or ignored while listing
    synthetic: bool = False  # drawn people, see `synthetic_mark`
    hidden: int = 0  # hidden files and those of file managers, which are skipped
    unlisted: tuple[str, ...] = ()  # videos in the folder of a table that are in no row of it

    def all_notes(self) -> tuple[str, ...]:
        """Returns the notes, and one where all clips have one label."""
        labels = {clip.label for clip in self.clips}
        if len(labels) != 1:
            return self.notes
        name = LABELS[labels.pop()]
        return (*self.notes, f"all clips are {name}: training and most metrics need real and forged ones")

    def summary(self) -> str:
        """Returns a readable summary, one line per class and reason, with control characters escaped."""
        lines = [_class_line(label, name, self.clips) for label, name in enumerate(CLASSES)]
        real, fake = ({clip.source for clip in self.clips if clip.label == label} for label in (0, 1))
        lines.append(f"  {len(real & fake)} sources have both a real and a forged video")
        if self.problems:
            lines.append(f"  {len(self.problems)} files can't be used:")
            lines += [f"    {line}" for line in group_problems(self.problems, "the build report")]
        if self.unlisted:
            (line,) = group_problems(((name, "in no row") for name in self.unlisted), "the folder")
            lines.append(f"  not taken: {line}")
        if self.hidden:
            lines.append(f"  skipped: {count_hidden(self.hidden)}")
        return "\n".join(lines)


def _class_line(label: int, name: str, clips: Iterable[Item]) -> str:
    found = [clip for clip in clips if clip.label == label]
    kinds = Counter(_describe_kind(clip) for clip in found)
    detail = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    sources = len({clip.source for clip in found})
    return f"  {name}: {len(found)} videos of {sources} sources ({detail or 'none'})"


def _describe_kind(item: Item) -> str:
    if isinstance(item, CompositeFiles):
        return f"as {len(item.paths)} finished composites"
    return "with wav" if item.wav else "with only the sound inside"


def drop_duplicates(clips: Iterable[Item], problems: Iterable[tuple[str, str]]) -> Listing:
    """Returns a listing in which every file occurs once, under whatever names and links it is reached.

    A file listed as real and as fake is refused in both cases, as its true label is unknown. Of several
    entries with one label the first is kept: the others could get into another split.
    """
    clips = tuple(clips)
    owners: dict[object, Item] = {}
    refused: dict[str, str] = {}
    for clip in clips:
        for path in clip.files[:1] if isinstance(clip, Clip) else clip.files:
            first = owners.setdefault(_file_key(path), clip)
            if first.label != clip.label:
                refused[first.video] = f"the same file as {clip.video}: one file can't be real and fake"
                refused[clip.video] = f"the same file as {first.video}: one file can't be real and fake"
            elif first is not clip:
                reason = f"the same file as {first.video}, by a link or listed twice: only the first is kept"
                refused.setdefault(clip.video, reason)
    kept = tuple(clip for clip in clips if clip.video not in refused)
    return Listing(kept, (*problems, *refused.items()))


def _file_key(path: Path) -> object:
    """Returns a key that is the same for all names and links of a file."""
    try:
        info = os.stat(path)
    except OSError:
        return path
    return (info.st_dev, info.st_ino) if info.st_ino else os.path.realpath(path)
