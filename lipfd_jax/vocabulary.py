"""Shared constants and names: classes, composite geometry, composites' file names, window conventions,
colours.

Every module may import this one; it imports none of ours.
"""

import functools
import re
from typing import Literal, NamedTuple, get_args

import numpy as np

# Indexed by label, 0 real and 1 fake: the label's folder in a data set, and its name.
CLASSES = ("0_real", "1_fake")
LABELS = ("real", "fake")
THRESHOLD = 0.5  # default; a score of at least this is called fake
LABEL_BY_NAME = {"0": 0, "real": 0, "0_real": 0, "1": 1, "fake": 1, "1_fake": 1}  # spellings accepted in CSVs

# How a clip's windows are cut; stored with the records. `released`: as in the released code, index wrap and
# overlap included; `paper`: ten starts spread over the whole clip, sound aligned by timestamps.
WindowConvention = Literal["paper", "released"]
WINDOW_CONVENTIONS: tuple[WindowConvention, ...] = get_args(WindowConvention)
CONVENTION_FILE = "windows.txt"  # in a folder of composites: their window convention
BUILD_REPORT = "build_report.json"  # next to a build's shards: their checksums and settings
WINDOWS_PER_CLIP = 10
FRAMES_PER_WINDOW = 5

SPLITS = ("train", "validation", "test")

# The composite: the mel strip stretched over the upper half, five frames in a row below it.
TILE = 500  # side of a frame in the composite, and height of its mel half, in pixels
COMPOSITE_SHAPE = (2 * TILE, FRAMES_PER_WINDOW * TILE, 3)  # rows, columns, RGB; uint8
FACE_SIDE = 224  # pixels of AVLips' own clips, to which face crops are shrunk unless a model wants more
REGIONS = ("head", "face", "lip")  # crops of each frame, the largest first

# Matplotlib colour map of mel images, the lowest value in colour 0. Inverting it (colour to loudness) needs a
# map along which this weighted sum of R, G and B never falls by more than rounding.
COLOUR_MAP = "viridis"
COLOUR_WEIGHTS = (1, 2, 0)

_COMPOSITE_NAME = re.compile(r"(?:^|/)(?P<folder>[^/]+)/(?P<name>[^/]+)_(?P<window>[0-9]{1,9})\.png$")


class CompositeName(NamedTuple):
    """Parts of CLASS/NAME_J.png, the file name of a composite."""

    folder: str  # CLASS: 0_real or 1_fake; other tools may use other names
    name: str  # NAME of the video
    window: int  # J, from 0

    @property
    def video(self) -> str:
        """Video id, CLASS/NAME."""
        return f"{self.folder}/{self.name}"


def composite_name(video: str, window: int) -> str:
    """Returns CLASS/NAME_J.png, the name of a window's composite in folders and score files."""
    return f"{video}_{int(window)}.png"


def parse_composite_name(path: str) -> CompositeName | None:
    """Parses `.../CLASS/NAME_J.png`, with any leading folders; returns None for any other form.

    J has one to nine ASCII digits; Windows path separators are accepted.
    """
    match = _COMPOSITE_NAME.search(path.replace("\\", "/"))
    return CompositeName(match["folder"], match["name"], int(match["window"])) if match else None


@functools.cache
def colour_table() -> np.ndarray:
    """Returns the colour map, (256, 3) uint8 RGB: entry k is the colour of loudness k / 255. Read-only."""
    from matplotlib import colormaps  # a third of a second that not every command needs

    table = colormaps[COLOUR_MAP](np.arange(256), bytes=True)[:, :3].copy()
    table.setflags(write=False)
    return table
