"""The public detector: an opened checkpoint or export that scores composites and analyses videos."""

import os
from typing import Any

from lipfd_jax.detection.result import Result
from lipfd_jax.inference.detector import CompositeDetector


class Detector(CompositeDetector):
    """A checkpoint or export ready to score composites and videos. Make one with `Detector.open`."""

    def __call__(self, video: str | os.PathLike, **options: Any) -> Result:
        """Detects manipulation in a video: finds and crops faces, scores windows, gives reasons.

        Args:
          video: any file that PyAV reads, of any length.
          options: `sound`, another file to take the sound from; `settings`, those of
            `detection.detection_settings`.

        Raises:
          ClipError: the file can't be analysed as a whole; the message names it and the reason.
        """
        from lipfd_jax.detection.detect import detect_video  # and with it the libraries that decode videos

        return detect_video(self, video, **options).result
