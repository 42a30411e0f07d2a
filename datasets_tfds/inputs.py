"""What lies in manual_dir: the videos of AVLips, of a CSV, or the official validation pictures."""

import dataclasses
import pathlib
import shutil
from collections import Counter

from datasets_tfds.settings import Settings
from lipfd_jax.listing import clips
from lipfd_jax.listing.archives import ARCHIVE_SUFFIXES, unpack
from lipfd_jax.listing.clips import Clip, ClipError
from lipfd_jax.vocabulary import CLASSES, parse_picture_name


@dataclasses.dataclass(frozen=True)
class Pictures:
    """The finished composites of one video, NAME_J.png, as released for validation."""

    video: str  # "CLASS/NAME"
    paths: tuple[tuple[int, pathlib.Path], ...]  # (window number, file), in order
    label: int
    source: str
    generator: str = ""

    @property
    def path(self) -> pathlib.Path:
        return self.paths[0][1]


Item = Clip | Pictures


@dataclasses.dataclass(frozen=True)
class Inputs:
    """Everything a build starts from."""

    items: tuple[Item, ...]
    problems: tuple[tuple[str, str], ...]  # (name, reason) of what was found but can't be used

    def summary(self) -> str:
        """Returns what was found, for people."""
        lines = []
        for label, name in enumerate(CLASSES):
            found = [item for item in self.items if item.label == label]
            sources = len({item.source for item in found})
            kinds = Counter(_kind(item) for item in found)
            detail = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
            lines.append(f"  {name}: {len(found)} videos of {sources} sources ({detail or 'none'})")
        shared = {i.source for i in self.items if i.label} & {i.source for i in self.items if not i.label}
        lines.append(f"  {len(shared)} sources have both a real and a forged video")
        if self.problems:
            lines.append(f"  {len(self.problems)} files can't be used:")
            lines += [f"    {name}: {reason}" for name, reason in self.problems[:20]]
        if len(self.problems) > 20:
            lines.append(f"    ... and {len(self.problems) - 20} more, all in the build report")
        return "\n".join(lines)


def _kind(item: Item) -> str:
    if isinstance(item, Pictures):
        return f"as {len(item.paths)} finished pictures"
    return "with wav" if item.wav else "with only the sound inside"


def files(item: Item) -> tuple[pathlib.Path, ...]:
    """Returns the files the records of an item depend on."""
    if isinstance(item, Pictures):
        return tuple(path for _, path in item.paths)
    return (item.path,) if item.wav is None else (item.path, item.wav)


def find(manual_dir: str | pathlib.Path, settings: Settings, unpack_dir: str | pathlib.Path) -> Inputs:
    """Lists the input of a build.

    Args:
      manual_dir: the folder with the data, an archive of it (zip or tar), or a folder that holds just the
        archive; an archive is unpacked below unpack_dir once.

    Raises:
      ClipError: nothing that fits `settings.source` is there, or the archive is not safe to unpack.
    """
    place = pathlib.Path(manual_dir)
    if not place.exists():
        raise ClipError(f"{place}: no such folder or archive")
    if place.is_file():
        place = unpack(place, pathlib.Path(unpack_dir))
    root = _root(place, settings)
    if root is None:
        packed = sorted(p for p in place.iterdir() if p.name.lower().endswith(ARCHIVE_SUFFIXES))
        if len(packed) != 1:
            raise ClipError(f"{place}: holds neither {_expected(settings)} nor exactly one archive of it")
        place = unpack(packed[0], pathlib.Path(unpack_dir))
        root = _root(place, settings)
    if root is None:
        raise ClipError(f"{place}: holds no {_expected(settings)}")
    if settings.source == "folder":
        listing = clips.folder_clips(root / settings.clips_csv)
    else:
        listing = clips.avlips_clips(root) if settings.source == "avlips" else official_pictures(root)
    return Inputs(tuple(listing.clips), tuple(listing.problems))


def _expected(settings: Settings) -> str:
    return settings.clips_csv if settings.source == "folder" else "0_real and 1_fake"


def _root(place: pathlib.Path, settings: Settings) -> pathlib.Path | None:
    """The folder at or one or two levels below `place` that holds the data, if exactly one does."""
    if settings.source == "folder":
        return next((p for p in _levels(place) if (p / settings.clips_csv).is_file()), None)
    return next((p for p in _levels(place) if any((p / name).is_dir() for name in CLASSES)), None)


def _levels(place: pathlib.Path) -> list[pathlib.Path]:
    below = [sorted(p for p in place.glob(pattern) if p.is_dir()) for pattern in ("*", "*/*")]
    return [place, *below[0], *below[1]]


@dataclasses.dataclass(frozen=True)
class _PictureListing:
    clips: tuple[Pictures, ...]
    problems: tuple[tuple[str, str], ...]


def official_pictures(folder: pathlib.Path) -> _PictureListing:
    """Lists 0_real/NAME_J.png and 1_fake/NAME_J.png, the windows of a video together."""
    videos: dict[str, Pictures] = {}
    problems = []
    for label, name in enumerate(CLASSES):
        for path in sorted((folder / name).glob("*")):
            named = parse_picture_name(str(path))
            if path.name.startswith("."):
                continue
            if not named or not path.resolve().is_relative_to(folder.resolve()):
                problems.append((f"{name}/{path.name}", "expected NAME_J.png inside the folder"))
                continue
            old = videos.get(named.video, Pictures(named.video, (), label, named.name))
            windows = sorted([*old.paths, (named.window, path)])
            videos[named.video] = dataclasses.replace(old, paths=tuple(windows))
    return _PictureListing(tuple(videos.values()), tuple(problems))


def free_bytes(folder: pathlib.Path) -> int:
    """Returns the free disk space where a folder is or will be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
