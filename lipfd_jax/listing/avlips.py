"""Lists the clips of a folder in the AVLips layout."""

from pathlib import Path

from lipfd_jax.listing import folder as folders
from lipfd_jax.listing.clips import Clip, ClipError, Listing, drop_duplicates
from lipfd_jax.listing.folder import VIDEO_SUFFIXES, Links
from lipfd_jax.listing.names import escape_controls
from lipfd_jax.vocabulary import CLASSES


def list_avlips(folder: str | Path, links: Links = "refuse") -> Listing:
    """Lists the clips of a folder in the AVLips layout, in natural order, real clips first.

    The layout is `0_real/NAME.mp4`, `1_fake/NAME.mp4` (any video suffix), `wav/0_real/NAME.wav` and
    `wav/1_fake/NAME.wav`. Real NAME and fake NAME show the same footage, so the source id is NAME. Problems
    are a wav without a video, a file that is not a video, a link out of the folder (unless links are
    followed) and a file that occurs twice. Raises ClipError if neither class folder exists.
    """
    folder = Path(folder)
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
    return drop_duplicates(clips.values(), problems + _lone_wavs(folder))


def _find_problem(path: Path, wav: Path, folder: Path, links: Links) -> str:
    reason = folders.find_file_problem(path, folder, links)
    if reason:
        return reason
    if path.suffix.lower() not in VIDEO_SUFFIXES:
        return f"not a video by its name (expected one of {' '.join(VIDEO_SUFFIXES)})"
    if links == "refuse" and wav.exists() and folders.leads_outside(wav, folder):
        return "its wav is a link out of the data folder; copy the file, or use --links=follow"
    return ""


def _lone_wavs(folder: Path) -> list[tuple[str, str]]:
    videos = {(name, path.stem) for name in CLASSES for path in folders.list_entries(folder / name)}
    return [
        (f"wav/{name}/{escape_controls(path.name)}", "a wav without a video")
        for name in CLASSES
        for path in folders.list_entries(folder / "wav" / name)
        if path.suffix.lower() == ".wav" and (name, path.stem) not in videos
    ]
