"""Voice detection in steps of 30 ms by WebRTC's detector, which takes music for voice, too."""

import numpy as np

RATE = 16000  # Hz, of its input
STEP_SECONDS = 0.03
STEP = round(RATE * STEP_SECONDS)  # samples


class VoiceDetector:
    """Detects voice in a sound given in parts, in order: it adapts to the noise heard so far.

    `strictness` is webrtcvad's mode: from 0 to 3 it takes less and less for voice.
    """

    def __init__(self, strictness: int):
        import webrtcvad

        self._detector = webrtcvad.Vad(strictness)

    def detect(self, steps: np.ndarray) -> np.ndarray:
        """Returns (n,) bool: whether there is voice in each step of (n, 480) float32 samples, -1 to 1."""
        pcm = (np.clip(steps, -1, 1) * 32767).astype(np.int16)
        return np.array([self._detector.is_speech(step.tobytes(), RATE) for step in pcm], bool)
