"""Colours of high dynamic range (HLG, PQ) and of wide gamut (BT.2020, Display P3) as BT.709 in 8 bits.

Reference white of 203 nits (ITU-R BT.2408) becomes white, as in a picture graded for ordinary screens; what
is brighter is clipped. Ordinary screens are assumed to have a gamma of 2.4 (BT.1886).
"""

import functools
from dataclasses import dataclass

import av
import cv2
import numpy as np

_BT2020, _DISPLAY_P3 = 9, 12  # codes of ITU-T H.273, for primaries
_PQ, _HLG = 16, 18  # and for transfer characteristics
_BT2020_MATRIX = 9
_UNKNOWN = 2
_WHITE = 203.0  # nits
_HLG_PEAK, _HLG_GAMMA = 1000.0, 1.2  # nits of the screen that HLG is seen on, and the gamma it has (BT.2100)
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
_LUMINANCE = np.array([[0.2126, 0.7152, 0.0722]], np.float32)  # of BT.709


@dataclass(frozen=True)
class Conversion:
    """Conversion from a frame's colours to BT.709."""

    transfer: int  # code of the transfer characteristic: PQ, HLG, or any other for ordinary gamma
    primaries: int  # code of the primaries


def find_conversion(frame: av.VideoFrame) -> Conversion | None:
    """Returns the conversion that a frame's tags call for; None for ordinary ones."""
    transfer, primaries = int(frame.color_trc), int(frame.color_primaries)
    if transfer not in (_PQ, _HLG):
        return Conversion(1, primaries) if primaries in (_BT2020, _DISPLAY_P3) else None
    return Conversion(transfer, _BT2020 if primaries == _UNKNOWN else primaries)


def convert_to_sdr(rgb: np.ndarray, conversion: Conversion) -> np.ndarray:
    """Returns (height, width, 3) uint8 BT.709 of a frame's own R'G'B' in 8 bits, full range."""
    parts = range(0, len(rgb), _ROWS)
    return np.concatenate([_convert_rows(rgb[top : top + _ROWS], conversion) for top in parts])


def _convert_rows(rgb: np.ndarray, conversion: Conversion) -> np.ndarray:
    # Products and powers of light are sums of its logarithms, which OpenCV computes fastest.
    light = cv2.transform(cv2.LUT(rgb, _eotf(conversion.transfer)), _mixing(conversion.primaries))
    light = np.maximum(light, _DARKEST, out=light)
    levels = cv2.log(light)
    if conversion.transfer == _HLG:  # its screen brightens by luminance, all channels alike
        luminance = cv2.cvtColor(cv2.log(cv2.transform(light, _LUMINANCE)), cv2.COLOR_GRAY2RGB)
        peak = np.log(_HLG_PEAK / _WHITE) / _GAMMA
        levels = cv2.addWeighted(levels, 1 / _GAMMA, luminance, (_HLG_GAMMA - 1) / _GAMMA, peak, dst=levels)
    else:
        levels *= 1 / _GAMMA
    return cv2.convertScaleAbs(cv2.exp(levels, dst=levels), alpha=255)


def convert_grey(grey: np.ndarray, conversion: Conversion) -> np.ndarray:
    """Returns (height, width) uint8 BT.709 luma of a frame's own, full range, as if it had no colour."""
    return cv2.LUT(grey, _grey_table(conversion))


@functools.cache
def _grey_table(conversion: Conversion) -> np.ndarray:
    levels = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    return convert_to_sdr(levels, conversion)[0, :, 0]


@functools.cache
def _eotf(transfer: int) -> np.ndarray:
    """Returns (256,) float32: linear light of each level; PQ and ordinary gamma in units of white."""
    signal = np.arange(256) / 255
    if transfer == _PQ:  # SMPTE ST 2084
        root = signal ** (32 / 2523)
        light = (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (16384 / 2610)
        return (light * 10000 / _WHITE).astype(np.float32)
    if transfer == _HLG:  # ARIB STD-B67: of the scene, 1 is the brightest
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        bright = (np.exp((signal - c) / a) + b) / 12
        return np.where(signal <= 0.5, signal**2 / 3, bright).astype(np.float32)
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
