"""What every part of the project speaks of: classes, composite geometry, picture names, windows, colours.

Everything may import this module; it imports nothing of ours.
"""

import functools
import re
from typing import Literal, NamedTuple, get_args

import numpy as np

# Labels: 0 real, 1 fake. The folder of a label is CLASSES[label], its word LABELS[label].
CLASSES = ("0_real", "1_fake")
LABELS = ("real", "fake")
THRESHOLD = 0.5  # where nothing else is asked for; a score of at least this is called fake
LABEL_BY_NAME = {"0": 0, "real": 0, "0_real": 0, "1": 1, "fake": 1, "1_fake": 1}  # as CSVs may spell them

# How a clip's windows are cut; travels with the records. `released`: as the released code, index wrap and
# overlap included; `paper`: ten starts over the whole clip, sound by timestamps.
WindowConvention = Literal["paper", "released"]
WINDOW_CONVENTIONS = get_args(WindowConvention)
CONVENTION_FILE = "windows.txt"  # in a folder of composites: which of the two ways cut them
BUILD_REPORT = "build_report.json"  # beside the shards of a build: their sums, and how they were made
WINDOWS_PER_CLIP = 10
FRAMES_PER_WINDOW = 5

SPLITS = ("train", "validation", "test")

# The composite: the mel strip stretched over the upper half, five frames side by side below it.
TILE = 500  # side of a frame in the composite, and height of its mel half, in pixels
COMPOSITE_SHAPE = (2 * TILE, FRAMES_PER_WINDOW * TILE, 3)  # rows, columns, RGB; uint8
REGIONS = ("head", "face", "lip")  # crops of each frame, the largest first

# Loudness is drawn in this matplotlib colour map, the lowest value in colour 0. Taking a colour back to its
# loudness needs a map along which this weighted sum of R, G and B never falls by more than rounding.
COLOUR_MAP = "viridis"
COLOUR_WEIGHTS = (1, 2, 0)

_COMPOSITE_NAME = re.compile(r"(?:^|/)(?P<folder>[^/]+)/(?P<name>[^/]+)_(?P<window>[0-9]{1,9})\.png$")


class CompositeName(NamedTuple):
    """The parts of CLASS/NAME_J.png, the file name of a composite."""

    folder: str  # CLASS: 0_real or 1_fake, or another where somebody else named it
    name: str  # NAME of the video
    window: int  # J, from 0

    @property
    def video(self) -> str:
        """The video id, CLASS/NAME."""
        return f"{self.folder}/{self.name}"


def composite_name(video: str, window: int) -> str:
    """CLASS/NAME_J.png, the name of a window's composite in folders and score files."""
    return f"{video}_{int(window)}.png"


def parse_composite_name(path: str) -> CompositeName | None:
    """The parts of `.../CLASS/NAME_J.png`, whatever folders stand before; None for any other form.

    J has one to nine ASCII digits; Windows' path separators are taken as well.
    """
    match = _COMPOSITE_NAME.search(path.replace("\\", "/"))
    return CompositeName(match["folder"], match["name"], int(match["window"])) if match else None


@functools.cache
def colour_table() -> np.ndarray:
    """The colour map, (256, 3) uint8 RGB: entry k is the colour of loudness k / 255. Read-only."""
    from matplotlib import colormaps  # takes a third of a second, which not every command needs

    table = colormaps[COLOUR_MAP](np.arange(256), bytes=True)[:, :3].copy()
    table.setflags(write=False)
    return table
