"""Properties of videos that need no model: of their files, of their framing, and the sharpness of mouths."""

from collections.abc import Sequence
from typing import Any

import av
import cv2
import numpy as np

from lipfd_jax.evaluation.suites.videos import ClipCache, ClipVideo, SuiteVideo
from lipfd_jax.preprocessing.composite import Window, resize_to_tile
from lipfd_jax.preprocessing.containers import open_container
from lipfd_jax.preprocessing.mouth_region import locate_mouth
from lipfd_jax.preprocessing.stream_choice import choose_audio, choose_video


def measure_video(video: SuiteVideo, windows: Sequence[Window]) -> dict[str, Any]:
    """Properties of a video that need no model: a row for `compute_baselines`, of plain values.

    File properties (bit rate, size, aspect, frame rate, duration, sound format, and the face's share of the
    picture where windows are cut to it) only where the file is at hand. Raises ClipError.
    """
    row = {"label": video.label, "source": video.source, "sharpness": measure_sharpness(windows)}
    return row | {"file": _measure_file(video) if isinstance(video, ClipVideo) else None}


def read_file_properties(video: ClipVideo) -> dict[str, float | str]:
    """Properties of a clip's file: numbers as logarithms, formats as words. Raises ClipError."""
    path = video.clip.path
    with open_container(path) as container:
        stream = container.streams[choose_video(path, container).index]
        context = stream.codec_context
        seconds = float(container.duration or 0) / av.time_base or 1.0
        rate = stream.average_rate or stream.guessed_rate or 25
        columns: dict[str, float | str] = {
            "bits": float(np.log(8 * path.stat().st_size / seconds)),
            "pixels": float(np.log(context.width * context.height)),
            "aspect": float(np.log(context.width / context.height)),
            "rate": float(np.log(float(rate))),
            "seconds": float(np.log(seconds)),
            "video": context.name,
        }
    sound = video.clip.wav or path
    with open_container(sound) as container:
        track = container.streams[choose_audio(sound, container).index]
        format_ = f"{track.codec_context.name} {track.rate} {track.channels}"
    return {**columns, "sound": format_}


def measure_framing(video: ClipVideo) -> float:
    """Logarithm of the median side of the largest face over the picture's shorter side; 0 without a face."""
    seen = (video.cache or ClipCache()).scan_faces(video.clip.path)
    sides = [max(face.bottom - face.top for face in one.faces) for one in seen.samples if one.faces]
    return float(np.log(np.median(sides) / min(seen.width, seen.height))) if sides else 0.0


def measure_sharpness(windows: Sequence[Window]) -> float:
    """Logarithm of the mean variance of the Laplacian of mouths, on frames of 500x500 pixels."""
    values = []
    for window in windows:
        for frame in window.frames:
            grey = cv2.cvtColor(resize_to_tile(frame), cv2.COLOR_RGB2GRAY)
            values.append(cv2.Laplacian(grey[locate_mouth(*grey.shape)], cv2.CV_64F).var())
    return float(np.log(np.mean(values) + 1e-3))


def _measure_file(video: ClipVideo) -> dict[str, float | str]:
    """File properties, and the framing where the face was found already to cut windows to it."""
    columns = read_file_properties(video)
    return columns if video.crop == "none" else {**columns, "framing": measure_framing(video)}
