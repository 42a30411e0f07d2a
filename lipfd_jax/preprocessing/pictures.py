"""Decoded frames as they are meant to be shown: upright, with square pixels, in 8-bit BT.709 colours.

ffmpeg decodes what is coded and leaves the rest to the player: the display matrix (rotation and mirroring),
the shape of the pixels, and colours of wide gamut or high dynamic range. `to_rgb` and `read_brightness` do
that part, with the same geometry, so that pixels found in one are those of the other.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.sidedata.sidedata import Type
from av.video.reformatter import VideoReformatter

from lipfd_jax.preprocessing.colours import WHITE, convert_grey, convert_to_sdr, find_conversion, find_white
from lipfd_jax.preprocessing.deinterlacing import deinterlace_frames
from lipfd_jax.preprocessing.pixel_aspects import SQUARE, PixelAspects
from lipfd_jax.vocabulary import WindowConvention

_PLANAR = ("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12")  # 8-bit luma first
_FULL_RANGE = 2  # tag of luma that takes all of 0..255 instead of 16..235
# From full range to the limited one, which nearly all video has.
_TO_LIMITED = np.round(16 + np.arange(256) * 219 / 255).astype(np.uint8)
_LARGEST_STRETCHED = 4096 * 2304  # pixels; beyond that the longer side is shrunk instead


@dataclass(frozen=True)
class _Notes:
    """What a frame's picture depends on and the frame itself does not tell; kept in its `opaque`."""

    aspect: Fraction = SQUARE  # of its pixels
    white: float = WHITE  # nits


class Pictures:
    """Prepares the decoded frames of a stream for `to_rgb`; to be made before any is decoded."""

    def __init__(self, path: Path, stream: av.VideoStream, convention: WindowConvention = "paper"):
        self._path, self._stream, self._convention = path, stream, convention
        self._aspects = PixelAspects(stream)
        self._white: float | None = None  # once it was needed

    def prepare(self, frames: Iterable[av.VideoFrame]) -> Iterator[av.VideoFrame]:
        """Yields the frames, one for one, deinterlaced, with what `to_rgb` needs to know noted on them.

        To be called again after seeking. For `released` they stay as they are.
        """
        return iter(frames) if self._convention == "released" else deinterlace_frames(self._note(frames))

    def _note(self, frames: Iterable[av.VideoFrame]) -> Iterator[av.VideoFrame]:
        for frame in frames:
            notes = _Notes(self._aspects.read(frame), self._find_white(frame))
            if notes != _ORDINARY:
                frame.opaque = notes
            yield frame

    def _find_white(self, frame: av.VideoFrame) -> float:
        conversion = find_conversion(frame)
        if conversion is None or not conversion.is_hdr:
            return WHITE
        if self._white is None:
            self._white = find_white(self._path, self._stream.index, conversion.transfer)
        return self._white


_ORDINARY = _Notes()


def _read_notes(frame: av.VideoFrame) -> _Notes:
    return frame.opaque if isinstance(frame.opaque, _Notes) else _ORDINARY


def to_rgb(
    frame: av.VideoFrame, reformatter: VideoReformatter, convention: WindowConvention = "paper"
) -> np.ndarray:
    """Returns a decoded frame as (height, width, 3) uint8 RGB, as it is meant to be shown.

    Colour range and matrix are those of the frame's tags; without any, limited range and BT.601. High dynamic
    range and wide gamut become BT.709, see `colours`. Pixels that are not square (see `Pictures`) are
    stretched, and the display matrix is followed.

    `released`: as OpenCV, which the released code uses, shows it: rotated, and nothing else.
    """
    conversion = find_conversion(frame, _read_notes(frame).white) if convention == "paper" else None
    # To BGR with these flags, as in OpenCV: directly to RGB differs by up to 3 of 255 for 10-bit video.
    bgr = reformatter.reformat(frame, format="bgr24", interpolation="BICUBIC").to_ndarray()
    rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    if convention == "released":
        return np.ascontiguousarray(np.rot90(rgb, round(frame.rotation / 90)))  # both anticlockwise
    if conversion is not None:
        rgb = convert_to_sdr(rgb, conversion)
    return np.ascontiguousarray(_turn(_stretch(rgb, frame, cv2.INTER_CUBIC), frame))


def shrink_to_rgb(frame: av.VideoFrame, reformatter: VideoReformatter, size: tuple[int, int]) -> np.ndarray:
    """Returns what `to_rgb` shows by the paper's convention, shrunk to `size`: (height, width, 3) uint8 RGB.

    By ffmpeg's scaler, which averages pixels before it converts colours.

    Args:
      size: width and height, as shown.
    """
    swapped = _read_orientation(frame)[0]
    width, height = size[::-1] if swapped else size
    conversion = find_conversion(frame, _read_notes(frame).white)
    small = reformatter.reformat(frame, width, height, format="rgb24", interpolation="AREA").to_ndarray()
    if conversion is not None:
        small = convert_to_sdr(small, conversion)
    return np.ascontiguousarray(_turn(small, frame))


def read_brightness(frame: av.VideoFrame, reformatter: VideoReformatter) -> np.ndarray:
    """Returns the luma (height, width) uint8 of limited range; for common formats a view of the plane.

    Its geometry is that of `to_rgb`.
    """
    conversion, full = find_conversion(frame, _read_notes(frame).white), frame.color_range == _FULL_RANGE
    if conversion is None and frame.format.name in _PLANAR:
        plane = frame.planes[0]
        grey = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width]
    else:
        grey, full = reformatter.reformat(frame, format="gray").to_ndarray(), True
    if conversion is not None:
        grey = convert_grey(grey, conversion)
    if full:
        grey = cv2.LUT(grey, _TO_LIMITED)
    return _turn(_stretch(grey, frame, cv2.INTER_LINEAR), frame)


def _stretch(image: np.ndarray, frame: av.VideoFrame, interpolation: int) -> np.ndarray:
    """Returns the image with square pixels: its shorter side is enlarged, if memory allows."""
    aspect = _read_notes(frame).aspect
    if aspect == SQUARE:
        return image
    height, width = image.shape[:2]
    enlarge = width * height * max(aspect, 1 / aspect) <= _LARGEST_STRETCHED
    if (aspect > 1) == enlarge:
        width = max(round(width * aspect), 1)
    else:
        height = max(round(height / aspect), 1)
    return cv2.resize(image, (width, height), interpolation=interpolation if enlarge else cv2.INTER_AREA)


def _turn(image: np.ndarray, frame: av.VideoFrame) -> np.ndarray:
    """Returns a view of the image, turned and mirrored as the frame's display matrix says."""
    swapped, mirrored, inverted = _read_orientation(frame)
    if swapped:
        image = image.swapaxes(0, 1)
    return image[:: -1 if inverted else 1, :: -1 if mirrored else 1]


def _read_orientation(frame: av.VideoFrame) -> tuple[bool, bool, bool]:
    """Returns whether rows and columns are swapped, and then columns and rows reversed.

    The display matrix shows the pixel (x, y) at (a x + c y, b x + d y). Other angles are taken for the
    nearest right one; scales don't matter here, as ffmpeg makes a pixel aspect of them.
    """
    try:
        data = bytes(frame.side_data.get(Type.DISPLAYMATRIX) or b"")
    except ValueError:  # other side data of a kind that PyAV does not know
        return _ROTATIONS[round(frame.rotation / 90) % 4]
    if len(data) < 36:
        return False, False, False
    a, b, _, c, d = struct.unpack_from("=5i", data)
    swapped = abs(b) + abs(c) > abs(a) + abs(d)
    to_x, to_y = (c, b) if swapped else (a, d)
    return swapped, to_x < 0, to_y < 0


_ROTATIONS = ((False, False, False), (True, False, True), (False, True, True), (True, True, False))
