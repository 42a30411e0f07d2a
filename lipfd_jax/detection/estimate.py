"""How long judging will take, by what the files say of themselves and a trial of the model."""

from collections.abc import Sequence
from pathlib import Path

from lipfd_jax.detection.detection_settings import Settings
from lipfd_jax.detection.scoring import SHOWN
from lipfd_jax.detection.window_selection import CLIP_SECONDS
from lipfd_jax.faces.scan import MAX_HOURS, SAMPLES_PER_SECOND
from lipfd_jax.listing.clips import ClipError
from lipfd_jax.preprocessing.containers import open_container
from lipfd_jax.vocabulary import WINDOWS_PER_CLIP

# Seconds of one core, measured on clips of 224x224 to 1920x1080; a rough guide.
_PER_FRAME, _PER_PIXEL = 0.0005, 4e-9
_PER_SAMPLE = 0.025  # looking for faces
_PER_WINDOW = 0.01  # cutting frames and putting the composite together
_SALIENCY = 4.5  # windows' time for a saliency map, of which the report of one face shows SHOWN


def reading_seconds(path: Path) -> float:
    """Seconds that looking at a video takes; none of an unreadable file."""
    return _looking(*header_facts(path))


def expected_seconds(
    videos: Sequence[Path], settings: Settings, seconds_per_window: float
) -> tuple[float, float, float]:
    """Seconds that judging these videos takes, those that suspicions add, and how long the videos last.

    Suspicions are followed up with more windows: `settings.refined` of a video at most. Unreadable files
    count none.
    """
    total = more = length = 0.0
    for path in videos:
        seconds, pixels = header_facts(path)
        if seconds == 0:
            continue
        total += _looking(seconds, pixels) + _windows(seconds, settings) * (seconds_per_window + _PER_WINDOW)
        total += SHOWN * _SALIENCY * seconds_per_window
        refined = settings.refined if settings.stride == 0 else 0
        more += refined * (seconds_per_window + _PER_WINDOW)
        length += seconds
    return total, more, length


def expectation(videos: Sequence[Path], settings: Settings, seconds_per_window: float) -> str:
    """The line that says how long it will take."""
    seconds, more, length = expected_seconds(videos, settings, seconds_per_window)
    count = f"{len(videos)} video{'s' * (len(videos) != 1)}"
    taken = readable(seconds)
    if readable(seconds + more) != taken:
        taken += f", up to {readable(seconds + more)} where forgeries are suspected"
    return f"{count} of {readable(length)} in all: expected to take about {taken}"


def _looking(seconds: float, pixels: int) -> float:
    rate = 30.0
    return seconds * (rate * (_PER_FRAME + pixels * _PER_PIXEL) + SAMPLES_PER_SECOND * _PER_SAMPLE)


def _windows(seconds: float, settings: Settings) -> float:
    if settings.stride > 0:
        return seconds / settings.stride
    return min(max(WINDOWS_PER_CLIP, WINDOWS_PER_CLIP * seconds / CLIP_SECONDS), settings.windows)


def header_facts(path: Path) -> tuple[float, int]:
    """Seconds and pixels that a file's header promises; 0 where it can't be opened."""
    try:
        with open_container(path) as container:
            stream = container.streams.best("video")
            if stream is None or stream.codec_context is None:
                return 0.0, 0
            seconds = (container.duration or 0) / 1e6
            return min(max(seconds, 0.0), MAX_HOURS * 3600), stream.width * stream.height
    except ClipError:
        return 0.0, 0


def readable(seconds: float) -> str:
    """A span of time in words."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
