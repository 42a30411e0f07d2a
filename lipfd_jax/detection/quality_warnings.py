"""Warnings about videos that differ from the detector's training and test data."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lipfd_jax.detection.detection_settings import DetectionSettings
from lipfd_jax.detection.lip_sync import LipSync
from lipfd_jax.detection.offset_fit import IN_STEP, OffsetFit
from lipfd_jax.detection.result import Caution
from lipfd_jax.detection.sound import SoundTrack
from lipfd_jax.detection.texts import EFFECTS_ON_PICTURES, WARNINGS, format_number, format_time
from lipfd_jax.faces.framing import Square
from lipfd_jax.faces.scan import Scan
from lipfd_jax.preprocessing.key_frames import NOTICED_SECONDS
from lipfd_jax.preprocessing.mel import mel_frequencies
from lipfd_jax.preprocessing.paper_windows import LOWEST_RATE
from lipfd_jax.preprocessing.track_choices import AudioChoice, VideoChoice

SMALL_SQUARE = 160  # pixels; AVLips' clips have 224
LOW_BITS = 0.03  # per pixel and frame
SHORT_SECONDS = 2.0
OFFSET_SECONDS, OFFSET_PROMINENCE = 0.2, 3.0
_LISTED = 5  # places of joins that a warning names
EMPTY_BAND = 1e-7  # share of the strongest mel band's mean power
EMPTY_FROM = 0.93  # share of used bands below which the sound is narrow
PADDED = 0.1  # share of a square outside the frame
_HIGHEST = 11025.0  # Hz, top of the mel bands


def make_caution(key: str, *values: str) -> Caution:
    """Makes a warning with its measured values."""
    words = WARNINGS[key]
    return Caution(key, words.text.format(*values), words.effect, words.serious)


def with_effects_on_pictures(cautions: Sequence[Caution]) -> list[Caution]:
    """Returns warnings with their effects on a detector that does not hear the sound."""
    effects = {c.key: EFFECTS_ON_PICTURES.get(c.key, (c.effect, c.serious)) for c in cautions}
    return [replace(c, effect=effects[c.key][0], serious=effects[c.key][1]) for c in cautions]


def find_frame_cautions(
    scan: Scan, squares: Sequence[Square | None], *, face_side: int = 224
) -> list[Caution]:
    """Finds warnings about the frames, given the squares of all windows and the model's face_side."""
    found = []
    short_side = min(scan.width, scan.height)
    sides = [short_side if square is None else min(square.side, short_side) for square in squares]
    if sides and np.median(sides) < SMALL_SQUARE:
        found.append(make_caution("small_face", format_number(float(np.median(sides)), 0), str(face_side)))
    if scan.usual_fps < LOWEST_RATE:
        found.append(make_caution("low_frame_rate", format_number(scan.usual_fps, 1)))
    bits = compute_bits_per_pixel(scan)
    if bits < LOW_BITS:
        found.append(make_caution("compression", format_number(bits, 3)))
    if scan.corrupt:
        found.append(make_caution("corrupt", str(scan.corrupt)))
    if scan.clock.missing:
        found.append(make_caution("cut_off", format_time(scan.end - float(scan.times[0]))))
    if scan.missing_start > NOTICED_SECONDS:
        found.append(make_caution("no_key_frame", format_number(scan.missing_start, 1)))
    if scan.clock.unread:
        found.append(make_caution("unread", f"{scan.clock.unread / 1e6:.1f} MB"))
    if scan.clock.joins:
        places = [format_time(join - float(scan.times[0])) for join in scan.clock.joins[:_LISTED]]
        found.append(make_caution("joined", ", ".join(places) + " ..." * (len(scan.clock.joins) > _LISTED)))
    outside = [_share_outside(square, scan) for square in squares if square is not None]
    if outside and np.median(outside) > PADDED:
        found.append(make_caution("padded", f"{100 * float(np.median(outside)):.0f} %"))
    return found


def compute_bits_per_pixel(scan: Scan) -> float:
    """Bits of the video stream per pixel and frame; from its packets, as headers exaggerate."""
    return 8 * scan.bytes / (scan.width * scan.height * len(scan.times))


def _share_outside(square: Square, scan: Scan) -> float:
    right, bottom = square.left + square.side, square.top + square.side
    width = min(right, scan.width) - max(square.left, 0)
    height = min(bottom, scan.height) - max(square.top, 0)
    return 1 - max(width, 0) * max(height, 0) / square.side**2


def find_track_cautions(video: VideoChoice | None, audio: AudioChoice | None) -> list[Caution]:
    """Finds warnings about the choice among several tracks and channels, where nobody asked for one."""
    found = []
    if video is not None and video.count > 1 and not video.requested:
        found.append(make_caution("several_pictures", f"{video.number} of {video.count}"))
    if audio is None:
        return found
    if len(audio.spoken) > 1 and not audio.requested:
        found.append(make_caution("several_voices", _name_track(audio)))
    elif audio.count > 1 and not audio.requested:
        found.append(make_caution("several_sounds", _name_track(audio)))
    if audio.cancels:
        found.append(make_caution("cancelling_channels", audio.channels_taken))
    return found


def _name_track(audio: AudioChoice) -> str:
    return f"{audio.number} of {audio.count}" + (f" ({audio.language})" if audio.language else "")


def find_sound_cautions(
    sound: SoundTrack | None, lip_syncs: Sequence[LipSync], fit: OffsetFit | None = None
) -> list[Caution]:
    """Finds warnings about the sound and how the mouths follow it."""
    if sound is None:
        return []
    found = [make_caution("damaged_sound", str(len(sound.damaged)))] if sound.damaged else []
    if not sound.voice.any():
        return found
    shifted = [a for a in lip_syncs if _is_shifted(a)]
    if fit and fit.is_constant:
        found.append(make_caution("offset", format_number(abs(fit.first))))
    elif fit:  # and not a track's offset, which is the same fault
        found.append(make_caution("drift", describe_drift(fit)))
    elif shifted and len(shifted) * 2 > len(lip_syncs):
        found.append(make_caution("offset", format_number(abs(shifted[0].offset))))
    used = _share_of_used_bands(sound)
    if used < EMPTY_FROM:
        found.append(make_caution("narrow_sound", format_number(_band_frequency(used) / 1000, 1)))
    return found


def _is_shifted(found: LipSync) -> bool:
    return abs(found.offset) >= OFFSET_SECONDS and found.prominence >= OFFSET_PROMINENCE


def find_placement_cautions(shift: float) -> list[Caution]:
    """Finds a warning about a separate sound that was moved by so many seconds."""
    return [make_caution("moved_sound", format_number(abs(shift)))] if shift else []


def describe_drift(fit: OffsetFit) -> str:
    """Words the offsets of a drift at its two ends, and when they change."""
    begin, end = _format_moment(fit.begin), _format_moment(fit.end)
    first, last = (_describe_offset(seconds) for seconds in (fit.first, fit.last))
    if fit.step is None:
        return f"{first} at {begin}, {last} at {end}"
    return f"{first} until about {_format_moment(fit.step)}, {last} from there on"


def _format_moment(seconds: float) -> str:
    return format_time(round(seconds)).removesuffix(".0")


def _describe_offset(seconds: float) -> str:
    return "in step" if abs(seconds) <= IN_STEP else f"{format_number(abs(seconds), 1)} s apart"


def _share_of_used_bands(sound: SoundTrack) -> float:
    """Share of mel bands, from below, up to the highest one with more than 1e-7 of the largest mean power."""
    power = np.mean([block.mean(axis=1) for block in sound.blocks], axis=0)
    used = np.flatnonzero(power > EMPTY_BAND * power.max())
    return float((used[-1] + 1) / len(power)) if len(used) else 0.0


def _band_frequency(share: float) -> float:
    """Frequency in hertz at a share of the mel bands (Slaney's scale)."""
    return float(mel_frequencies(128, _HIGHEST)[min(round(share * 128), 127)])


def find_selection_cautions(
    settings: DetectionSettings, left_out: int, judged_seconds: float
) -> list[Caution]:
    """Finds warnings about the settings and about how little could be scored."""
    found = []
    if 0 < judged_seconds < SHORT_SECONDS:
        found.append(make_caution("short", format_number(judged_seconds, 1)))
    if left_out:
        found.append(make_caution("left_out", str(left_out)))
    if settings.crop == "none":
        found.append(make_caution("untested_crop", "--crop=none"))
    return found


def find_checkpoint_cautions(convention: str) -> list[Caution]:
    """Finds warnings about the window convention that the checkpoint was trained with."""
    return [make_caution("released_windows", convention)] if convention == "released" else []
