"""Clips that carry their own clock: any composite tells which moment its frames and its mel strip show.

Every frame has twelve black or white blocks at its upper edge, the Gray code of its time in 1/100 s. Sound
has two rising tones above speech: one repeats every 2 s and is read exactly, the other takes 20 s and tells
which repetition it is. Times of both are the clip's own, `first` onwards, whatever the file's clock is.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import scipy.signal

from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.detection.detect import Detection, detect_video
from lipfd_jax.detection.detection_settings import DetectionSettings
from lipfd_jax.listing.clips import Clip
from lipfd_jax.models.lipfd import ModelConfig
from lipfd_jax.preprocessing.composite import make_composite
from lipfd_jax.preprocessing.extraction import extract_windows
from lipfd_jax.preprocessing.mel import BANDS, mel_frequencies
from lipfd_jax.tools.synthetic.speech import RATE as SPEECH_RATE
from lipfd_jax.tools.synthetic.speech import draw_speech
from lipfd_jax.vocabulary import FRAMES_PER_WINDOW, TILE, colour_table
from tests.media_files import FORMS, Form, Pictures, Sounds, write_streams

BITS = 12
SIDE = 224  # pixels of a drawn picture, as in AVLips
UNDISTURBED = -0.010  # seconds of `CodedWindow.off` where nothing is wrong: half a mel column, rounded
TOLERANCE = 0.03
_FINE, _FINE_SECONDS = (2400.0, 4800.0), 2.0  # hertz from and to, seconds of one rise
_COARSE, _COARSE_SECONDS = (5200.0, 7400.0), 20.0
_SPEECH_TOP = 1700.0  # hertz; the tones are above
_COLUMNS = 8  # of a mel strip, as it is read
_FAINTEST = 0.3  # of full scale; a tone below is none


def draw_pictures(times: Sequence[float], side: int = SIDE) -> list[np.ndarray]:
    """Draws a head whose mouth moves, one picture (side, side, 3) uint8 RGB for each time, with its code."""
    return [stamp_time(_draw_head(time, side), time) for time in times]


def _draw_head(time: float, side: int) -> np.ndarray:
    picture = np.full((side, side, 3), (70, 90, 110), np.uint8)
    middle = (int(side * (0.5 + 0.03 * np.sin(2.1 * time))), int(side * 0.55))
    cv2.ellipse(picture, middle, (side * 30 // 100, side * 38 // 100), 0, 0, 360, (205, 165, 140), -1)
    for across in (-1, 1):
        eye = (middle[0] + across * side * 12 // 100, middle[1] - side * 10 // 100)
        cv2.circle(picture, eye, side * 4 // 100, (40, 40, 60), -1)
    opening = int(side * (0.02 + 0.05 * abs(np.sin(2 * np.pi * 2.5 * time))))
    mouth = (middle[0], middle[1] + side * 18 // 100)
    cv2.ellipse(picture, mouth, (side * 10 // 100, opening), 0, 0, 360, (120, 40, 50), -1)
    return picture


def stamp_time(picture: np.ndarray, seconds: float) -> np.ndarray:
    """Returns a picture with the code of a time, 0 to 40 s, at its upper edge."""
    tick = round(seconds * 100)
    bits = (tick ^ tick >> 1) >> np.arange(BITS)[::-1] & 1
    height, width = picture.shape[:2]
    stamped = picture.copy()
    stamped[: height // 16] = (bits[np.arange(width) * BITS // width] * 255)[None, :, None]
    return stamped


def read_frame_time(tile: np.ndarray) -> float:
    """Reads the time in seconds from a frame (height, width, 3) of any size."""
    height, width = tile.shape[:2]
    edge = tile[height // 50 : height // 23].mean(axis=(0, 2))  # the middle of the blocks
    blocks = (edge[int((bit + 0.3) * width / BITS) : int((bit + 0.7) * width / BITS)] for bit in range(BITS))
    value = 0
    for block in blocks:  # each bit of a Gray code is the sum of those above
        value = value << 1 | (int(block.mean() > 128) ^ (value & 1))
    return value / 100


def draw_sound(seconds: float, first: float = 0.0, rate: int = 44100, seed: int = 0) -> np.ndarray:
    """Draws speech with both tones, (n,) float32."""
    speech = _draw_speech(seed)
    speech = np.resize(speech, round(seconds * SPEECH_RATE) + 1)
    at = np.arange(round(seconds * rate)) / rate
    speech = np.interp(at, np.arange(len(speech)) / SPEECH_RATE, speech)
    return np.float32(0.5 * speech + 0.08 * draw_tones(at + first))


@functools.cache
def _draw_speech(seed: int) -> np.ndarray:
    spoken = draw_speech(
        np.random.default_rng(seed), frames=250, fps=25, pitch=130, loudness=-20, hiss=-60
    ).sound
    low = scipy.signal.butter(8, _SPEECH_TOP, fs=SPEECH_RATE, output="sos")
    spoken = scipy.signal.sosfilt(low, spoken)
    return spoken / np.abs(spoken).max()


def draw_tones(times: np.ndarray) -> np.ndarray:
    """The sum of both rising tones at times (n,) in even steps, each of amplitude 1."""
    step = times[1] - times[0]
    found = np.zeros(len(times))
    for (low, high), seconds in ((_FINE, _FINE_SECONDS), (_COARSE, _COARSE_SECONDS)):
        hertz = low * (high / low) ** (times % seconds / seconds)
        found += np.sin(2 * np.pi * np.cumsum(hertz) * step)
    return found


def read_sound_time(composite: np.ndarray) -> float:
    """Reads the time in the middle of a composite's mel strip; NaN where the tones are not heard."""
    green = np.ascontiguousarray(composite[:TILE, :, 1])  # rises with loudness
    strip = cv2.resize(green, (_COLUMNS, BANDS), interpolation=cv2.INTER_AREA)
    levels = np.interp(strip, colour_table()[:, 1], np.linspace(0, 1, 256))
    times = [_read_column(column) for column in levels.T]
    times = [time for time in times if np.isfinite(time)]
    return float(np.median(times)) if len(times) >= _COLUMNS // 2 else float("nan")


def _read_column(column: np.ndarray) -> float:
    """The time of one mel column (128,) of loudness 0 to 1; NaN where a tone is missing."""
    (fine, loud), (coarse, also_loud) = _find_tone(column, *_FINE), _find_tone(column, *_COARSE)
    if min(loud, also_loud) < _FAINTEST:
        return float("nan")
    exact = _FINE_SECONDS * np.log(fine / _FINE[0]) / np.log(_FINE[1] / _FINE[0])
    rough = _COARSE_SECONDS * np.log(coarse / _COARSE[0]) / np.log(_COARSE[1] / _COARSE[0])
    return exact + _FINE_SECONDS * round((rough - exact) / _FINE_SECONDS)


@functools.cache
def _band_centres() -> np.ndarray:
    return mel_frequencies(BANDS + 2)[1:-1]


def _find_tone(column: np.ndarray, low: float, high: float) -> tuple[float, float]:
    """Frequency in hertz, between bands, and loudness of the loudest band near a range."""
    centres = _band_centres()
    inside = np.flatnonzero((centres > low * 0.97) & (centres < high * 1.03))
    peak = int(inside[np.argmax(column[inside])])
    before, at, after = column[peak - 1 : peak + 2]
    bend = before - 2 * at + after
    shift = 0.5 * (before - after) / bend if bend else 0.0
    return float(np.interp(peak + np.clip(shift, -1, 1), np.arange(BANDS), centres)), float(at)


@dataclass(frozen=True)
class CodedWindow:
    """What a composite of a coded clip shows."""

    frames: tuple[float, ...]  # time of each of the five frames, seconds
    sound: float  # time in the middle of the mel strip
    start: float = float("nan")  # as the product says: seconds, or a frame's number
    step: float = 0.04  # seconds that a frame of a window lasts

    @property
    def off(self) -> float:
        """Seconds by which the strip's middle is later than the middle of the frames."""
        return self.sound - (float(np.median(self.frames)) + self.step / 2)


def read_window(composite: np.ndarray, start: float = float("nan"), step: float = 0.04) -> CodedWindow:
    """Reads a composite (1000, 2500, 3)."""
    tiles = np.split(composite[TILE:], FRAMES_PER_WINDOW, axis=1)
    return CodedWindow(tuple(map(read_frame_time, tiles)), read_sound_time(composite), start, step)


def build_windows(path: Path, wav: Path | None = None, **options) -> list[CodedWindow]:
    """The windows that a build makes of a clip; options as for `extract_windows`. Raises ClipError."""
    found = extract_windows(Clip("0_real/coded", path, wav, 0, "coded"), **options)
    return [read_window(make_composite(window), window.start_frame) for window in found.cut_windows]


class RecordingModel:
    """A stand-in for an opened checkpoint that scores nothing and reads every composite."""

    def __init__(self):
        self.metadata = Metadata(ModelConfig(), window_convention="paper", origin="a stand-in")
        self.path, self.batch_size, self.fingerprint = "nowhere", 4, "0123456789abcdef"
        self.read: list[CodedWindow] = []

    def predict(self, composites: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores that number the composites: window n gets n/1000."""
        first = len(self.read)
        self.read += map(read_window, composites)
        scores = np.arange(first, len(self.read), dtype=np.float64) / 1000
        return scores, np.full((len(composites), 5, 3), 1 / 3, np.float32)


def detect_windows(
    path: Path, *, sound: Path | None = None, **settings
) -> tuple[list[CodedWindow], Detection]:
    """The windows that detection scores, whole frames by default, in order of time, and its result."""
    settings = {"crop": "none", "refined": 0, **settings}
    model = RecordingModel()
    found = detect_video(model, path, sound=sound, settings=DetectionSettings(**settings))
    scored = sorted((w for face in found.result.faces for w in face.windows), key=lambda window: window.start)
    return [replace(model.read[round(w.score * 1000)], start=w.start) for w in scored], found


def write_coded(
    path: Path,
    seconds: float = 3.0,
    form: Form = FORMS["mp4"],
    *,
    fps: float = 25,
    times: Sequence[float] | None = None,
    first: float = 0.0,
    start: float = 0.0,
    sound_start: float | None = None,
    rate: int | None = None,
    channels: int = 1,
    side: int = SIDE,
) -> Path:
    """Writes a coded clip of drawn pictures and sound.

    Args:
      times: seconds at which frames are shown, from 0; by default even steps of `fps`.
      first: time that the code of both begins with.
      start: time on the file's clock at which the clip begins.
      sound_start: the same of the sound, if it begins at another time.
    """
    shown = np.arange(round(seconds * fps)) / fps if times is None else np.asarray(times)
    begin = start if sound_start is None else sound_start
    rate = rate or form.rate
    sound = draw_sound(seconds - (begin - start), first + begin - start, rate)
    pictures = Pictures(draw_pictures(shown + first, side), times, fps, start)
    return write_streams(path, [pictures, Sounds(np.tile(sound, (channels, 1)), rate, begin)], form)
