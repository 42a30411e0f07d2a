"""Stills of suspicious windows, kept as JPEG while a video is scored, for the page."""

import cv2
import numpy as np

from lipfd_jax.detection.result import FaceResult, Suspicion
from lipfd_jax.vocabulary import FRAMES_PER_WINDOW

_HEIGHT = 176  # pixels
_QUALITY = 80

Stills = dict[tuple[int, int], bytes]  # (face from 1, start frame): a JPEG


def encode_still(frames: np.ndarray) -> bytes:
    """Encodes a window's middle frame; frames are (5, height, width, 3) uint8 RGB."""
    frame = frames[FRAMES_PER_WINDOW // 2]
    height, width = frame.shape[:2]
    if height > _HEIGHT:
        size = (max(1, round(width * _HEIGHT / height)), _HEIGHT)
        frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return encoded.tobytes()


def find_still(stills: Stills, face: FaceResult, stretch: Suspicion) -> bytes | None:
    """Returns the still of the window with the highest score of a stretch; None where none was kept."""
    peak = min(face.windows, key=lambda window: abs((window.start + window.end) / 2 - stretch.peak_time))
    return stills.get((face.number, peak.start_frame))
