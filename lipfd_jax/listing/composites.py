"""Lists finished composites in a folder, CLASS/NAME_J.png: those released for validation, or our own."""

import dataclasses
import os
from pathlib import Path
from typing import cast

from natsort import natsort_keygen

from lipfd_jax.listing import folder as folders
from lipfd_jax.listing.clips import ClipError, CompositeFiles, Listing
from lipfd_jax.listing.folder import Links
from lipfd_jax.listing.names import escape_controls, find_name_problem
from lipfd_jax.vocabulary import (
    CLASSES,
    CONVENTION_FILE,
    WINDOW_CONVENTIONS,
    WindowConvention,
    parse_composite_name,
)


def list_composites(folder: Path, links: Links = "refuse") -> Listing:
    """Lists the videos whose composites are in a folder, with all windows of a video together.

    The folder may also be an `epath.Path`, for instance of a bucket. Problems are files with other names,
    irregular files, links out of the folder (unless links are followed) and names that records can't hold.
    """
    videos: dict[str, CompositeFiles] = {}
    problems = []
    for label, name in enumerate(CLASSES):
        files = [path for path in (folder / name).glob("*") if not path.name.startswith(".")]
        for path in sorted(files, key=natsort_keygen(lambda path: path.name)):
            parsed = parse_composite_name(str(path))
            reason = "expected NAME_J.png" if parsed is None else find_name_problem(parsed.name)
            if not reason and links == "refuse" and folders.leads_outside(path, folder):
                reason = "expected NAME_J.png inside the folder; for links of your own, use --links=follow"
            if not reason and "://" not in str(folder) and not os.path.isfile(path):
                reason = "not a regular file"  # reading a pipe would never end
            if reason or parsed is None:
                problems.append((f"{name}/{escape_controls(path.name)}", reason))
                continue
            old = videos.get(parsed.video, CompositeFiles(parsed.video, (), label, parsed.name))
            videos[parsed.video] = dataclasses.replace(old, paths=(*old.paths, (parsed.window, path)))
    ordered = (dataclasses.replace(v, paths=tuple(sorted(v.paths))) for v in videos.values())
    return Listing(tuple(ordered), tuple(problems))


def read_window_convention(folder: Path) -> WindowConvention:
    """Returns the window convention noted in a folder by our tool; without a note "released".

    Raises ClipError if the note has another value.
    """
    note = folder / CONVENTION_FILE
    if not note.is_file():
        return "released"
    value = note.read_bytes()[:100].decode(errors="replace").strip()
    if value not in WINDOW_CONVENTIONS:
        raise ClipError(f"{note}: {value!r}, expected one of {', '.join(WINDOW_CONVENTIONS)}")
    return cast(WindowConvention, value)
