"""Real and forged clips in the AVLips layout; both leave through the same encoder in the same formats."""

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soundfile

from lipfd_jax.preprocessing.recoding import REPEATABLE
from lipfd_jax.tools.synthetic.canvas import FRAME
from lipfd_jax.tools.synthetic.difficulty import Difficulty
from lipfd_jax.tools.synthetic.footage import Footage, clean_frame, draw_footage, in_frame, pose, sensor_noise
from lipfd_jax.tools.synthetic.forgery import forge, forged_region
from lipfd_jax.tools.synthetic.identity import Identity, draw_identity
from lipfd_jax.tools.synthetic.motion import FPS
from lipfd_jax.tools.synthetic.speech import RATE, Speech, speak

REAL, FAKE = "0_real", "1_fake"
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


def draw_take(seed: int, identity: int, clip: int = 0, difficulty: Difficulty | None = None) -> Take:
    """One take of one person, the same for the same three numbers whatever else is generated."""
    difficulty = difficulty or Difficulty()
    person = draw_identity(np.random.default_rng((seed, identity, 0)))
    look = np.random.default_rng((seed, identity, 1))
    filming, spoken, other, noise = (np.random.default_rng((seed, identity, 2, clip, i)) for i in range(4))
    frames = int(filming.integers(FRAMES[0], FRAMES[1] + 1))
    footage = draw_footage(person, look, filming, frames, difficulty)
    speeches = [_words(person, rng, frames) for rng in (spoken, other)]
    real, fake = _film(footage, *speeches, noise, difficulty)
    return Take(real, fake, speeches[0].sound, speeches[1].sound)


def write_take(take: Take, output: Path, name: str) -> None:
    """Writes CLASS/NAME.mp4 and wav/CLASS/NAME.wav under `output` for the real clip and the forged one."""
    for kind, frames, sound in ((REAL, take.real, take.real_sound), (FAKE, take.fake, take.fake_sound)):
        for folder in (output / kind, output / "wav" / kind):
            folder.mkdir(parents=True, exist_ok=True)
        write_video(output / kind / f"{name}.mp4", frames, sound)
        soundfile.write(output / "wav" / kind / f"{name}.wav", sound, RATE, subtype="PCM_16")


def write_video(path: Path, frames: np.ndarray, sound: np.ndarray) -> None:
    """An mp4 as AVLips has them: H.264 at 25 frames a second with a 16 kHz AAC track.

    frames: (F, 224, 224, 3) uint8 RGB; sound: (n,) float32 at 16 kHz.
    Equal frames give equal bytes.
    """
    with av.open(str(path), "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=FPS, options=_X264)
        video.width, video.height, video.pix_fmt = FRAME, FRAME, "yuv420p"
        audio = container.add_stream("aac", rate=RATE, layout="mono", bit_rate=_AAC_BITS)
        for picture in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode())
        block = av.AudioFrame.from_ndarray(sound[None].astype(np.float32), format="fltp", layout="mono")
        block.sample_rate = RATE
        container.mux(audio.encode(block))
        container.mux(audio.encode())


def _words(person: Identity, rng: np.random.Generator, frames: int) -> Speech:
    return speak(
        rng,
        frames=frames,
        fps=FPS,
        pitch=person.pitch,
        tract=person.tract,
        loudness=person.loudness,
        hiss=person.hiss,
    )


def _film(
    footage: Footage, said: Speech, claimed: Speech, noise: np.random.Generator, difficulty: Difficulty
) -> tuple[np.ndarray, np.ndarray]:
    """The same footage twice: with the mouth it had, and with the forger's mouth for the other speech."""
    region = forged_region(footage, difficulty)
    pairs = []
    for frame in range(said.opening.size):
        posed = pose(footage, frame)
        real, redrawn = (
            clean_frame(footage, posed, (s.opening[frame], s.spread[frame])) for s in (said, claimed)
        )
        real = real + sensor_noise(footage, noise)
        pairs.append((real, forge(real, redrawn, in_frame(posed, region), difficulty)))
    real, fake = (np.stack([_bytes(frame) for frame in frames]) for frames in zip(*pairs, strict=True))
    return real, fake


def _bytes(frame: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(frame), 0, 255).astype(np.uint8)
