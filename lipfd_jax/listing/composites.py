"""Finished composites in a folder, CLASS/NAME_J.png: those released for validation, or our own."""

import dataclasses
import os
from pathlib import Path

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
    """The videos whose composites lie in a folder, the windows of a video together.

    The folder may also be an `epath.Path`, of a bucket for instance.
    Files of another name, what is no file, links that lead out of the folder (unless they are followed) and
    names that records can't hold are listed as problems.
    """
    videos: dict[str, CompositeFiles] = {}
    problems = []
    for label, name in enumerate(CLASSES):
        files = [path for path in (folder / name).glob("*") if not path.name.startswith(".")]
        for path in sorted(files, key=natsort_keygen(lambda path: path.name)):
            named = parse_composite_name(str(path))
            reason = "expected NAME_J.png" if named is None else find_name_problem(named.name)
            if not reason and links == "refuse" and folders.leads_outside(path, folder):
                reason = "expected NAME_J.png inside the folder; for links of your own, give --links=follow"
            if not reason and "://" not in str(folder) and not os.path.isfile(path):
                reason = "no regular file"  # reading a pipe would never end
            if reason:
                problems.append((f"{name}/{escape_controls(path.name)}", reason))
                continue
            old = videos.get(named.video, CompositeFiles(named.video, (), label, named.name))
            videos[named.video] = dataclasses.replace(old, paths=(*old.paths, (named.window, path)))
    ordered = (dataclasses.replace(v, paths=tuple(sorted(v.paths))) for v in videos.values())
    return Listing(tuple(ordered), tuple(problems))


def read_window_convention(folder: Path) -> WindowConvention:
    """How the windows were cut: noted beside the pictures by our tool, else the released script's way.

    Raises ClipError where the note says something else.
    """
    note = folder / CONVENTION_FILE
    if not note.is_file():
        return "released"
    said = note.read_bytes()[:100].decode(errors="replace").strip()
    if said not in WINDOW_CONVENTIONS:
        raise ClipError(f"{note}: says {said!r}, expected one of {', '.join(WINDOW_CONVENTIONS)}")
    return said
