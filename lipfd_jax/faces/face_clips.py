"""A face clip: the frames of one face, cropped around it at native detail, and the sound of their time."""

import functools
from dataclasses import dataclass

import numpy as np

from lipfd_jax.preprocessing.audio import Sound, make_mel_image
from lipfd_jax.preprocessing.pcm import decode_pcm

CLIP_SIDE = 448  # pixels; frames are shrunk so that the square of the face has at most this side


@dataclass(frozen=True)
class FaceClip:
    """Frames of one face, from which windows can be cut at any fit start; n frames, m starts.

    Frames that no window of fit frames shows are left out, and in videos of more than 31 frames a second
    those that none of the starts needs. Pixels are those of the video's picture, before shrinking.
    """

    video: str  # video id, CLASS/NAME
    source: str  # group of clips with the same footage or person
    generator: str  # generator of the forgery, "" where unknown
    label: int  # 0 real, 1 fake
    part: int  # number within the video, from 0: long videos have several
    fps: float  # average frames per second of the video
    width: int  # frame width of the video as displayed, pixels
    height: int
    whole: bool  # frames are stored whole, as they are already cropped like AVLips
    frames: tuple[bytes, ...]  # n JPEGs of the areas, with full-resolution chroma
    numbers: np.ndarray  # (n,) int64: frame numbers in the video, ascending
    times: np.ndarray  # (n,) float64: seconds on the file's clock at which each frame is shown ...
    ends: np.ndarray  # (n,) float64: ... and no longer shown
    areas: np.ndarray  # (n, 4) int64: left, top, width, height of the stored part of the picture, pixels
    squares: np.ndarray  # (n, 3) float64: left, top, side of each frame's own square, pixels
    boxes: np.ndarray  # (n, 4) float64: left, top, right, bottom of the face, smoothed, pixels
    starts: np.ndarray  # (m,) int64: indices of the frames with which a window can start
    sound: bytes  # PCM, 16 bits little-endian, mono at 22050 Hz; longer than the frames if it can be
    sound_scale: float  # amplitude of one step of the PCM
    sound_start: float  # time of its first sample, seconds on the file's clock

    def read_sound(self) -> Sound:
        """Returns the sound as float samples."""
        return Sound(decode_pcm(self.sound, self.sound_scale), self.sound_start)

    @functools.cached_property
    def mel(self) -> np.ndarray:
        """Mel image of the clip's sound, (128, columns, 3) uint8 RGB, computed once."""
        return make_mel_image(self.read_sound().samples)
