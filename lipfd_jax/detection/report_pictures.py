"""Pictures of a detection's page: thumbnails, the sound's mel image, the curve of scores."""

import cv2
import numpy as np
from markupsafe import Markup

from lipfd_jax.detection.result import FaceResult
from lipfd_jax.detection.sound import SoundTrack
from lipfd_jax.detection.texts import format_time
from lipfd_jax.evaluation.metrics.pooling import Decision
from lipfd_jax.faces.scan import Scan
from lipfd_jax.pages.axes import Axis
from lipfd_jax.pages.charts import Chart, Guide, Series, render_chart
from lipfd_jax.pages.images import encode_data_uri
from lipfd_jax.preprocessing.audio import colour_mel

_THUMBNAILS = 24  # frames of the video in a row
_MAX_MEL_COLUMNS = 1000


def draw_thumbnails(scan: Scan) -> str:
    """Image of thumbnails side by side, evenly over the video."""
    wanted = np.linspace(float(scan.times[0]), scan.end, _THUMBNAILS, endpoint=False)
    times = np.array([thumbnail.time for thumbnail in scan.thumbnails])
    chosen = [int(np.argmin(np.abs(times - time))) for time in wanted]
    height, width = scan.thumbnails[0].image.shape[:2]
    images = [cv2.resize(scan.thumbnails[i].image, (width, height)) for i in chosen]
    return encode_data_uri(np.concatenate(images, axis=1), width=1600)


def draw_mel(sound: SoundTrack | None, scan: Scan) -> str:
    """Mel image of the sound over the video's time, low tones on top as in composites."""
    if sound is None or sound.columns < 2:
        return ""
    step = max(1, sound.columns // _MAX_MEL_COLUMNS)
    parts = [block[:, : block.shape[1] // step * step] for block in sound.blocks]
    power = np.concatenate([p.reshape(len(p), -1, step).mean(2) for p in parts if p.shape[1]], axis=1)
    image = colour_mel(power)
    per_second = image.shape[1] / max(sound.end - sound.start, 0.01)
    width = max(2, round((scan.end - scan.times[0]) * per_second))
    first = round((sound.start - scan.times[0]) * per_second)
    canvas = np.zeros((image.shape[0], width, 3), np.uint8)
    a, b = max(first, 0), min(first + image.shape[1], width)
    canvas[:, a:b] = image[:, a - first : b - first]
    return encode_data_uri(canvas, width=1600)


def draw_scores(face: FaceResult, decision: Decision) -> Markup:
    """Chart of window scores and their smoothed curve over time."""
    times = np.array([point.time for point in face.curve])
    low, high = float(face.start), max(float(face.end), face.start + 0.1)
    ticks = tuple(np.linspace(low, high, 5))
    threshold = decision.window_threshold
    scores = np.array([window.score for window in face.windows])
    return render_chart(
        Chart(
            title="Score over time",
            x=Axis("time", low, high, ticks, format_time),
            y=Axis("score", 0.0, 1.0, (0, 0.25, 0.5, 0.75, 1)),
            lines=(
                Series("smoothed", times, np.array([point.score for point in face.curve]), "accent"),
                Series("each window", times, scores, "second", dash=2, dots=True),
            ),
            guides=(Guide((low, high), (threshold, threshold)),),
            caption="The dotted level is the threshold. The smoothed curve is the median over 1.5 s.",
            height=220,
        )
    )
