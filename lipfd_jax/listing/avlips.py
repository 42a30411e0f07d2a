"""Lists the clips of a folder in the AVLips layout."""

from dataclasses import replace
from pathlib import Path

from lipfd_jax.listing import folder as folders
from lipfd_jax.listing.addresses import explain_address
from lipfd_jax.listing.clips import Clip, ClipError, Listing, drop_duplicates
from lipfd_jax.listing.file_kinds import VIDEO_SUFFIXES, find_kind_problem
from lipfd_jax.listing.folder import Links
from lipfd_jax.listing.names import escape_controls
from lipfd_jax.listing.synthetic_mark import is_synthetic
from lipfd_jax.vocabulary import CLASSES


def list_avlips(folder: str | Path, links: Links = "refuse") -> Listing:
    """Lists the clips of a folder in the AVLips layout, in natural order, real clips first.

    The layout is `0_real/NAME.mp4`, `1_fake/NAME.mp4` (any video suffix), `wav/0_real/NAME.wav` and
    `wav/1_fake/NAME.wav`. Real NAME and fake NAME show the same footage, so the source id is NAME. Problems
    are a wav without a video, a file that is not a video or not in a folder of its class, a link out of the
    folder (unless links are followed) and a file that occurs twice. Raises ClipError if neither class folder
    exists.
    """
    folder = Path(folder)
    if address := explain_address(folder):
        raise ClipError(f"{folder}: {address}")
    if not any((folder / name).is_dir() for name in CLASSES):
        raise ClipError(f"{folder}: has neither 0_real nor 1_fake; expected the AVLips layout")
    clips: dict[str, Clip] = {}
    problems: list[tuple[str, str]] = []
    for label, name in enumerate(CLASSES):
        for path in folders.list_entries(folder / name):
            video = f"{name}/{path.stem}"
            wav = folder / "wav" / name / f"{path.stem}.wav"
            reason = _find_problem(path, wav, folder, links)
            if not reason and video in clips:
                reason = f"has the name of {clips[video].path.name}"
            if reason:
                problems.append((f"{name}/{escape_controls(path.name)}", reason))
                continue
            clips[video] = Clip(video, path, wav if wav.exists() else None, label, source=path.stem)
    listing = drop_duplicates(clips.values(), problems + _find_strays(folder) + _find_unused_sounds(folder))
    hidden = sum(map(folders.count_hidden_entries, _list_folders(folder)))
    return replace(listing, hidden=hidden, synthetic=is_synthetic(folder))


def _list_folders(folder: Path) -> list[Path]:
    places = [folder, folder / "wav"]
    return [*places, *(place / name for place in places for name in CLASSES)]


def _find_problem(path: Path, wav: Path, folder: Path, links: Links) -> str:
    reason = folders.find_file_problem(path, folder, links)
    if reason:
        return reason
    if problem := find_kind_problem(path):
        return problem
    if links == "refuse" and wav.exists() and folders.leads_outside(wav, folder):
        return "its wav is a link out of the data folder; copy the file, or use --links=follow"
    return ""


def _find_strays(folder: Path) -> list[tuple[str, str]]:
    """Videos and wavs beside the folders of the classes, where nothing is read."""
    places = {folder: VIDEO_SUFFIXES, folder / "wav": (".wav",)}
    return [
        (escape_controls(str(path.relative_to(folder))), f"outside of {' and '.join(CLASSES)}")
        for place, suffixes in places.items()
        for path in folders.list_entries(place)
        if path.suffix.lower() in suffixes and not path.is_dir()
    ]


def _find_unused_sounds(folder: Path) -> list[tuple[str, str]]:
    """Files where the wavs are that are no video's sound."""
    found = []
    for name in CLASSES:
        stems = {path.stem for path in folders.list_entries(folder / name)}
        for path in folders.list_entries(folder / "wav" / name):
            if path.suffix.lower() == ".wav" and path.stem not in stems:
                reason = "a wav without a video"
            elif path.suffix != ".wav":
                reason = "not read; expected NAME.wav"
            else:
                continue
            found.append((f"wav/{name}/{escape_controls(path.name)}", reason))
    return found
