"""Warnings that a video is unlike what the detector was trained and measured on."""

from collections.abc import Sequence

import numpy as np

from lipfd_jax.detection.detection_settings import Settings
from lipfd_jax.detection.lip_sync import Agreement
from lipfd_jax.detection.result import Caution
from lipfd_jax.detection.sound import Heard
from lipfd_jax.detection.texts import WARNINGS, clock, number
from lipfd_jax.faces.framing import Square
from lipfd_jax.faces.scan import Scan
from lipfd_jax.preprocessing.mel import mel_frequencies

SMALL_SQUARE = 160  # pixels; AVLips' clips have 224
LOW_RATE = 20.0  # frames a second
LOW_BITS = 0.03  # per pixel and frame
SHORT_SECONDS = 2.0
OFFSET_SECONDS, OFFSET_PROMINENCE = 0.2, 3.0
CUT_OFF_SECONDS, CUT_OFF_SHARE = 1.0, 0.02  # missing at the end; both, to be said
EMPTY_BAND = 1e-7  # of the strongest mel band's mean power
EMPTY_FROM = 0.93  # of the bands; below that share being used, the sound is called narrow
PADDED = 0.1  # of a square outside of the picture
_HIGHEST = 11025.0  # Hz, top of the mel bands


def caution(key: str, value: str = "") -> Caution:
    """A warning with its measured value."""
    words = WARNINGS[key]
    return Caution(key, words.text.format(value), words.effect, words.serious)


def picture_cautions(scan: Scan, squares: Sequence[Square | None]) -> list[Caution]:
    """Warnings about the picture, given the squares of the windows."""
    found = []
    short_side = min(scan.width, scan.height)
    sides = [short_side if square is None else min(square.side, short_side) for square in squares]
    if sides and np.median(sides) < SMALL_SQUARE:
        found.append(caution("small_face", number(float(np.median(sides)), 0)))
    if scan.fps < LOW_RATE:
        found.append(caution("low_frame_rate", number(scan.fps, 1)))
    bits = bits_per_pixel(scan)
    if bits < LOW_BITS:
        found.append(caution("compression", number(bits, 3)))
    if scan.corrupt:
        found.append(caution("corrupt", str(scan.corrupt)))
    seconds = scan.end - float(scan.times[0])
    if scan.promised and seconds < scan.promised - max(CUT_OFF_SECONDS, CUT_OFF_SHARE * scan.promised):
        found.append(caution("cut_off", clock(seconds)))
    outside = [_outside(square, scan) for square in squares if square is not None]
    if outside and np.median(outside) > PADDED:
        found.append(caution("padded", f"{100 * float(np.median(outside)):.0f} %"))
    return found


def bits_per_pixel(scan: Scan) -> float:
    """Of the video stream, per pixel and frame; from its packets, as headers exaggerate."""
    return 8 * scan.bytes / (scan.width * scan.height * len(scan.times))


def _outside(square: Square, scan: Scan) -> float:
    right, bottom = square.left + square.side, square.top + square.side
    width = min(right, scan.width) - max(square.left, 0)
    height = min(bottom, scan.height) - max(square.top, 0)
    return 1 - max(width, 0) * max(height, 0) / square.side**2


def sound_cautions(heard: Heard | None, agreements: Sequence[Agreement]) -> list[Caution]:
    """Warnings about the sound and how the mouths follow it."""
    if heard is None:
        return []
    found = [caution("damaged_sound", str(len(heard.damaged)))] if heard.damaged else []
    if not heard.voice.any():
        return found
    shifted = [a for a in agreements if _shifted(a)]
    if shifted and len(shifted) * 2 > len(agreements):
        found.append(caution("offset", number(abs(shifted[0].offset))))
    used = _used_bands(heard)
    if used < EMPTY_FROM:
        found.append(caution("narrow_sound", number(_frequency(used) / 1000, 1)))
    return found


def _shifted(found: Agreement) -> bool:
    return abs(found.offset) >= OFFSET_SECONDS and found.prominence >= OFFSET_PROMINENCE


def _used_bands(heard: Heard) -> float:
    """The share of mel bands, from below, up to the highest that holds any power to speak of."""
    power = np.mean([block.mean(axis=1) for block in heard.blocks], axis=0)
    used = np.flatnonzero(power > EMPTY_BAND * power.max())
    return float((used[-1] + 1) / len(power)) if len(used) else 0.0


def _frequency(share: float) -> float:
    """The frequency at a share of the mel bands (Slaney's scale)."""
    return float(mel_frequencies(128, _HIGHEST)[min(round(share * 128), 127)])


def choice_cautions(settings: Settings, left_out: int, judged_seconds: float) -> list[Caution]:
    """Warnings about what was chosen and how little there was."""
    found = []
    if 0 < judged_seconds < SHORT_SECONDS:
        found.append(caution("short", number(judged_seconds, 1)))
    if left_out:
        found.append(caution("left_out", str(left_out)))
    if settings.crop == "none":
        found.append(caution("untested_crop", "--crop=none"))
    return found


def checkpoint_cautions(window_convention: str) -> list[Caution]:
    """Warnings about what the checkpoint was made with, by its window convention."""
    return [caution("released_windows", window_convention)] if window_convention == "released" else []
