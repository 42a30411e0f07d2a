"""Real and forged clips in the AVLips layout, written by the same encoder in the same formats."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soundfile

from lipfd_jax.preprocessing.recoding import REPEATABLE
from lipfd_jax.tools.synthetic.canvas import FRAME
from lipfd_jax.tools.synthetic.face import draw_person
from lipfd_jax.tools.synthetic.footage import (
    FPS,
    Difficulty,
    Footage,
    draw_footage,
    draw_frame,
    draw_noise,
    forge,
    forged_region,
    project,
)
from lipfd_jax.tools.synthetic.speech import RATE, Speech, draw_speech
from lipfd_jax.vocabulary import CLASSES

REAL, FAKE = CLASSES
FRAMES = (54, 86)  # shortest and longest clip: 2.2 to 3.4 s, room for ten windows of five frames
_X264 = {"crf": "20", "preset": "veryfast"} | REPEATABLE
_AAC_BITS = 64_000


@dataclass(frozen=True)
class Take:
    """A clip and its forgery before encoding: frames (F, 224, 224, 3) uint8 RGB, sound (n,) at 16 kHz."""

    real: np.ndarray
    fake: np.ndarray
    real_sound: np.ndarray
    fake_sound: np.ndarray


def draw_take(seed: int, number: int, clip: int = 0, difficulty: Difficulty | None = None) -> Take:
    """Draws a take of person `number`; the same three numbers give the same take whatever else is drawn."""
    difficulty = difficulty or Difficulty()
    person = draw_person(np.random.default_rng((seed, number, 0)))
    look = np.random.default_rng((seed, number, 1))
    filming, spoken, other, noise = (np.random.default_rng((seed, number, 2, clip, i)) for i in range(4))
    frames = int(filming.integers(FRAMES[0], FRAMES[1] + 1))
    footage = draw_footage(person, look, filming, frames, difficulty)
    voice = {"pitch": person.pitch, "loudness": person.loudness, "hiss": person.hiss}
    own, claimed = (draw_speech(rng, frames=frames, fps=FPS, **voice) for rng in (spoken, other))
    real, fake = _film(footage, own, claimed, noise, difficulty)
    return Take(real, fake, own.sound, claimed.sound)


def write_take(take: Take, output: Path, name: str) -> None:
    """Writes CLASS/NAME.mp4 and wav/CLASS/NAME.wav under `output` for the real clip and the forged one."""
    for kind, frames, sound in ((REAL, take.real, take.real_sound), (FAKE, take.fake, take.fake_sound)):
        for folder in (output / kind, output / "wav" / kind):
            folder.mkdir(parents=True, exist_ok=True)
        write_video(output / kind / f"{name}.mp4", frames, sound)
        soundfile.write(output / "wav" / kind / f"{name}.wav", sound, RATE, subtype="PCM_16")


def write_video(path: Path, frames: np.ndarray, sound: np.ndarray) -> None:
    """Writes an mp4 as in AVLips: H.264 at 25 frames a second with a 16 kHz AAC track.

    Equal frames give equal bytes.

    Args:
      frames: (F, 224, 224, 3) uint8 RGB.
      sound: (n,) float32 at 16 kHz.
    """
    with av.open(str(path), "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=FPS, options=_X264)
        video.width, video.height, video.pix_fmt = FRAME, FRAME, "yuv420p"
        audio = container.add_stream("aac", rate=RATE, layout="mono", bit_rate=_AAC_BITS)
        for frame in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(video.encode())
        block = av.AudioFrame.from_ndarray(sound[None].astype(np.float32), format="fltp", layout="mono")
        block.sample_rate = RATE
        block.pts, block.time_base = 0, Fraction(1, RATE)  # else the encoder's delay is heard
        container.mux(audio.encode(block))
        container.mux(audio.encode())


def _film(
    footage: Footage, own: Speech, claimed: Speech, noise: np.random.Generator, difficulty: Difficulty
) -> tuple[np.ndarray, np.ndarray]:
    """Draws the same footage twice: with its own mouth, and with the forger's mouth for the other speech."""
    region = forged_region(footage, difficulty)
    pairs = []
    for frame in range(own.opening.size):
        real, redrawn = (
            draw_frame(footage, frame, (s.opening[frame], s.spread[frame])) for s in (own, claimed)
        )
        real = real + draw_noise(footage, noise)
        pairs.append((real, forge(real, redrawn, project(footage, frame, region), difficulty)))
    real, fake = (np.stack([_to_bytes(frame) for frame in frames]) for frames in zip(*pairs, strict=True))
    return real, fake


def _to_bytes(frame: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(frame), 0, 255).astype(np.uint8)
