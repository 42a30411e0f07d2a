"""What the suites do to videos before they are scored: one effect a cell, seeded by the video's name."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from lipfd_jax.perturbations import frames, mel_strips, samples
from lipfd_jax.preprocessing.composite import Window, resize_to_tile

Random = np.random.Generator
CRFS = (30, 32, 35, 38, 40)  # of H.264 at the five levels of compression, as published


@dataclass(frozen=True)
class Effect:
    """One thing done to every video; what is None leaves that part alone."""

    kind: str  # "noise"
    level: str = ""  # "3", "20 dB"
    sound: Callable[[np.ndarray, Random], np.ndarray] | None = None  # samples, before the mel picture
    strip: Callable[[np.ndarray], np.ndarray] | None = None  # loudness, where samples are no longer at hand
    frame: Callable[[np.ndarray, Random], np.ndarray] | None = None  # a picture, before it is made smaller
    crf: int | None = None  # the whole video is encoded once more; stored frames get `frame` in its place
    windows: Callable[[Sequence[Window], Random], list[Window]] | None = None  # after they were cut
    foreign_sound: bool = False  # the mels are those of a video of another source
    inner_track: bool = False  # the sound is the track inside the video, not the wav beside it

    @property
    def name(self) -> str:
        """The cell's name, also of its file."""
        return f"{self.kind} {self.level}".strip().replace("/", "-")

    def random(self, video: str, part: str) -> Random:
        """The generator of a video; the same in every run and process, and for all levels of a kind."""
        text = f"{self.kind}\n{part}\n{video}".encode()
        return np.random.default_rng(int.from_bytes(hashlib.sha256(text).digest()[:16]))

    def lacking(self) -> str:
        """Why it can't be made on stored windows; "" where it can."""
        if self.sound is not None and self.strip is None:
            return "needs the clip's sound"
        return "needs the clip's files" if self.inner_track else ""


CLEAN = Effect("clean")


def perturbations() -> list[Effect]:
    """The robustness suite: seven visual perturbations at five levels, and those of the sound."""
    names, levels = frames.PERTURBATIONS, frames.LEVELS
    visual = [_visual(name, level) for name in names for level in levels]
    return [*visual, *_noises(), *_codecs(), *_cuts()]


def grey_frames(windows: Sequence[Window], rng: Random) -> list[Window]:
    """Frames without a picture, all middle grey."""
    del rng
    return [replace(window, frames=np.full_like(window.frames, 128)) for window in windows]


def blank_mel(windows: Sequence[Window], rng: Random) -> list[Window]:
    """Mel strips in the colour of silence."""
    del rng
    silence = mel_strips.coloured(np.zeros((1, 1)))[0, 0]
    return [replace(window, mel=np.broadcast_to(silence, window.mel.shape)) for window in windows]


def shuffled_frames(windows: Sequence[Window], rng: Random) -> list[Window]:
    """All frames of the video in another order, the sound where it was."""
    frames = [frame for window in windows for frame in window.frames]
    if len({frame.shape for frame in frames}) > 1:  # cut to a face that comes nearer or goes
        frames = [resize_to_tile(frame) for frame in frames]  # as all frames are in the end
    frames = np.stack(frames)[rng.permutation(len(frames))]
    parts = np.split(frames, np.cumsum([len(window.frames) for window in windows])[:-1])
    return [replace(window, frames=part) for window, part in zip(windows, parts, strict=True)]


# Where AVLips' face crops show the mouth, as shares of height and width.
MOUTH_ROWS, MOUTH_COLUMNS = (0.42, 0.70), (0.27, 0.73)


def mouth(height: int, width: int) -> tuple[slice, slice]:
    """The part of a frame that shows the mouth in crops framed as AVLips' are."""
    rows, columns = (
        slice(round(low * size), round(high * size))
        for (low, high), size in ((MOUTH_ROWS, height), (MOUTH_COLUMNS, width))
    )
    return rows, columns


def masked_mouth(windows: Sequence[Window], rng: Random) -> list[Window]:
    """Middle grey where the mouth is."""
    del rng
    return [_masked(window, outside=False) for window in windows]


def only_mouth(windows: Sequence[Window], rng: Random) -> list[Window]:
    """Middle grey but where the mouth is."""
    del rng
    return [_masked(window, outside=True) for window in windows]


def _masked(window: Window, *, outside: bool) -> Window:
    frames = window.frames.copy()
    place = (slice(None), *mouth(*frames.shape[1:3]))
    kept = frames[place].copy()
    frames[slice(None) if outside else place] = 128
    if outside:
        frames[place] = kept
    return replace(window, frames=frames)


def _visual(name: str, level: int) -> Effect:
    crf = CRFS[level - 1] if name == "compression" else None
    return Effect(name, str(level), frame=partial(_perturbed, name=name, level=level), crf=crf)


def _perturbed(picture: np.ndarray, rng: Random, *, name: str, level: int) -> np.ndarray:
    return frames.perturb(picture[None], name, level, rng)[0]


def _noises() -> list[Effect]:
    levels = (20, 10, 0)
    return [Effect("white noise", f"{snr} dB", sound=partial(_noisy, decibels=snr)) for snr in levels]


def _noisy(sound: np.ndarray, rng: Random, *, decibels: float) -> np.ndarray:
    return samples.white_noise(sound, decibels, rng)


def _codecs() -> list[Effect]:
    found = [
        steady("pitch", f"{tones:+d} semitones", partial(samples.pitch, semitones=tones)) for tones in (-3, 3)
    ]
    for rate in (16_000, 8_000):
        strip = partial(mel_strips.band_limit, hertz=rate / 2)
        change = partial(samples.resampled, rate=rate)
        found.append(steady("resampling", f"{rate // 1000} kHz", change, strip))
    telephone = partial(samples.band_limited, low=300, high=3400)
    found.append(steady("band limit", "300 to 3400 Hz", telephone))
    rates: list[tuple[samples.Codec, int]] = [("mp3", 32), ("mp3", 16), ("opus", 16), ("opus", 8)]
    for codec, kilobits in rates:
        made = partial(samples.coded, codec=codec, kilobits=kilobits)
        found.append(steady(codec, f"{kilobits} kbit per s", made))
    return found


def _cuts() -> list[Effect]:
    silences = [
        Effect("silence", f"{share:.0%}", sound=partial(_silenced, share=share)) for share in (0.1, 0.3, 0.5)
    ]
    shifts = [
        steady("shift", f"{shift:+d} ms", partial(samples.shifted, seconds=shift / 1000))
        for shift in (-400, -160, -80, -40, 40, 80, 160, 400)
    ]
    return [*silences, *shifts]


def _silenced(sound: np.ndarray, rng: Random, *, share: float) -> np.ndarray:
    return samples.silenced(sound, share, rng)


def steady(kind: str, level: str, change: Callable, strip: Callable | None = None) -> Effect:
    """An effect on the sound that draws nothing: of samples, and of loudness where records allow it."""
    return Effect(kind, level, sound=partial(_undrawn, change=change), strip=strip)


def _undrawn(samples: np.ndarray, rng: Random, *, change: Callable) -> np.ndarray:
    del rng
    return change(samples)
