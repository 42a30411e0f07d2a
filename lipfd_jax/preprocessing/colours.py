"""Colours of high dynamic range (HLG, PQ) and of wide gamut (BT.2020, Display P3) as BT.709 in 8 bits.

Reference white becomes white, as in a picture graded for ordinary screens; what is brighter is clipped. It is
at 203 nits by ITU-R BT.2408, but at 100 in videos converted from ordinary ones without a thought of it: there
nothing is brighter (see `find_white`). Ordinary screens are assumed to have a gamma of 2.4 (BT.1886).
"""

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter

from lipfd_jax.listing.clips import ClipError
from lipfd_jax.preprocessing.containers import (
    Damage,
    decode_frames,
    open_container,
    promised_seconds,
)

_BT2020, _DISPLAY_P3 = 9, 12  # codes of ITU-T H.273, for primaries
_ORDINARY, _PQ, _HLG = 1, 16, 18  # for transfer characteristics
_RGB_MATRIX, _BT2020_MATRIX = 0, 9  # and for matrices
_UNKNOWN = 2
WHITE, LOWER_WHITE = 203.0, 100.0  # nits
_BRIGHTER = 105.0  # nits that are reached where white is at 203
_PROBES, _PROBE_HEIGHT = 8, 120  # frames looked at, spread over a video, and pixels of their height then
_PEAKS = {_PQ: 10_000.0, _HLG: 1000.0}  # nits of full level; of HLG on the screen that BT.2100 assumes, ...
_HLG_GAMMA = 1.2  # ... and its gamma, here of each channel as in ffmpeg's zscale, not of luminance
_GAMMA = 2.4
_ROWS = 256  # processed at once, to save memory
_DARKEST = 1e-7  # linear light taken for black: logarithms need some

# x and y of red, green and blue; the white point is D65.
_PRIMARIES = {
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    _BT2020: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    _DISPLAY_P3: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
_D65 = (0.3127, 0.3290)


@dataclass(frozen=True)
class Conversion:
    """Conversion from a frame's colours to BT.709."""

    transfer: int  # code of the transfer characteristic
    primaries: int  # code of the primaries
    white: float = WHITE  # nits, for high dynamic range

    @property
    def is_hdr(self) -> bool:
        """Whether the frame is of high dynamic range."""
        return self.transfer in (_PQ, _HLG)


def find_conversion(frame: av.VideoFrame, white: float = WHITE) -> Conversion | None:
    """Returns the conversion that a frame's tags call for; None for ordinary ones.

    What tags of high dynamic range or BT.2020 lack is BT.2020's; a missing matrix is set in the frame.
    """
    transfer, primaries = int(frame.color_trc), int(frame.color_primaries)
    if transfer not in (_PQ, _HLG):
        if primaries not in (_BT2020, _DISPLAY_P3):
            return None
        transfer = _ORDINARY
    elif primaries == _UNKNOWN:
        primaries = _BT2020
    if primaries == _BT2020 and frame.colorspace in (_RGB_MATRIX, _UNKNOWN) and not frame.format.is_rgb:
        frame.colorspace = _BT2020_MATRIX
    return Conversion(transfer, primaries, white)


def convert_to_sdr(rgb: np.ndarray, conversion: Conversion) -> np.ndarray:
    """Returns (height, width, 3) uint8 BT.709 of a frame's own R'G'B' in 8 bits, full range."""
    parts = range(0, len(rgb), _ROWS)
    return np.concatenate([_convert_rows(rgb[top : top + _ROWS], conversion) for top in parts])


def _convert_rows(rgb: np.ndarray, conversion: Conversion) -> np.ndarray:
    light = cv2.transform(cv2.LUT(rgb, _eotf(conversion.transfer)), _mixing(conversion.primaries))
    # A power and a product are a product and a sum of logarithms, which OpenCV computes fastest.
    levels = cv2.log(np.maximum(light, _DARKEST, out=light))
    scale = np.log(_PEAKS.get(conversion.transfer, conversion.white) / conversion.white)
    levels = cv2.addWeighted(levels, 1 / _GAMMA, levels, 0, scale / _GAMMA, dst=levels)
    return cv2.convertScaleAbs(cv2.exp(levels, dst=levels), alpha=255)


def convert_grey(grey: np.ndarray, conversion: Conversion) -> np.ndarray:
    """Returns (height, width) uint8 BT.709 luma of a frame's own, full range, as if it had no colour."""
    return cv2.LUT(grey, _grey_table(conversion))


def find_white(path: Path, index: int, transfer: int) -> float:
    """Returns the reference white of a file's stream of high dynamic range, in nits.

    It is the lower one if no spot of some pixels is brighter in eight frames, spread over the video. Faults
    of the file are left to who reads it.
    """
    reformatter, brightest = VideoReformatter(), 0.0
    for frame in _probe_frames(path, index):
        grey = reformatter.reformat(frame, format="gray").to_ndarray().astype(np.float32)
        size = max(round(grey.shape[1] * _PROBE_HEIGHT / len(grey)), 1), _PROBE_HEIGHT
        brightest = max(brightest, float(cv2.resize(grey, size, interpolation=cv2.INTER_AREA).max()))
    light = np.interp(brightest, np.arange(256), _eotf(transfer))
    return WHITE if light * _PEAKS[transfer] > _BRIGHTER else LOWER_WHITE


def _probe_frames(path: Path, index: int) -> Iterator[av.VideoFrame]:
    try:
        with open_container(path) as container:
            stream = container.streams[index]
            seconds = promised_seconds(container)
            for probe in range(_PROBES if seconds else 1):
                container.seek(int((container.start_time or 0) + probe * seconds / _PROBES * av.time_base))
                yield from itertools.islice(decode_frames(path, container, stream, Damage("keep")), 1)
    except ClipError:
        return


@functools.cache
def _grey_table(conversion: Conversion) -> np.ndarray:
    levels = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    return convert_to_sdr(levels, conversion)[0, :, 0]


@functools.cache
def _eotf(transfer: int) -> np.ndarray:
    """Returns (256,) float32: linear light of each level; 1 for the highest."""
    signal = np.arange(256) / 255
    if transfer == _PQ:  # SMPTE ST 2084
        root = signal ** (32 / 2523)
        light = (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (16384 / 2610)
        return light.astype(np.float32)
    if transfer == _HLG:  # ARIB STD-B67
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
        return (scene**_HLG_GAMMA).astype(np.float32)
    return (signal**_GAMMA).astype(np.float32)


@functools.cache
def _mixing(primaries: int) -> np.ndarray:
    """Returns (3, 3) float32: linear RGB of BT.709 from linear RGB of these primaries."""
    return (np.linalg.inv(_to_xyz(1)) @ _to_xyz(primaries)).astype(np.float32)


def _to_xyz(primaries: int) -> np.ndarray:
    """Returns (3, 3): CIE XYZ of linear RGB, with white of luminance 1; unknown primaries are BT.709's."""
    columns = np.array([(x / y, 1, (1 - x - y) / y) for x, y in _PRIMARIES.get(primaries, _PRIMARIES[1])]).T
    x, y = _D65
    return columns * np.linalg.solve(columns, [x / y, 1, (1 - x - y) / y])
