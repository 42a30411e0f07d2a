"""Judges videos: lipfd detect VIDEO_OR_FOLDER... --checkpoint=DIR [--output=DIR].

Finds faces, cuts them like the training clips, scores windows of frames and sound, and writes result.json
and report.html for each video. Exit codes: 0 no evidence found, 10 evidence of manipulation in one of the
videos at least, 11 inconclusive or not judged, 1 error.
"""

import logging
import sys
from pathlib import Path

from absl import app, flags
from absl import logging as absl_logging

from lipfd_jax import judging_flags
from lipfd_jax.detection.settings import Settings
from lipfd_jax.detector import Detector


def main(argv: list[str]) -> None:
    """Parses the flags and judges."""
    given = flags.FLAGS
    if len(argv) < 2:
        raise app.UsageError("name a video or a folder of videos")
    judging_flags.check_checkpoint()
    absl_logging.set_verbosity(absl_logging.WARNING)  # the libraries' own chatter
    logging.getLogger("lipfd_jax").setLevel(logging.INFO)
    from lipfd_jax.detection.run import detect_all, exit_code, videos_in
    from lipfd_jax.exhaustion import one_line

    try:
        settings = judging_flags.settings()
        videos = videos_in([Path(name) for name in argv[1:]])
        if given.sound and len(videos) > 1:
            raise ValueError("--sound goes with one video")
        detector = judging_flags.opened()
        sound = Path(given.sound) if given.sound else None
        with one_line("try a smaller --batch_size"):
            print(_expectation(detector, videos, settings), flush=True)
            lines = detect_all(
                detector, videos, Path(given.output), sound=sound, settings=settings, table=given.csv
            )
    except (ValueError, OSError) as error:  # ours name the file and what to do
        sys.exit(f"error: {error}")
    for line in lines:
        if line.folder:
            print(f"report: {line.folder / 'report.html'}")
    sys.exit(exit_code(lines))


def _expectation(detector: Detector, videos: list[Path], settings: Settings) -> str:
    """How long it will take, by a trial of the model on this machine."""
    from lipfd_jax.detection.estimate import expected_seconds, readable

    seconds, length = expected_seconds(videos, settings, detector.trial())
    count = f"{len(videos)} video{'s' * (len(videos) != 1)}"
    return f"{count} of {readable(length)} in all: expected to take about {readable(seconds)}"


def define_flags() -> None:
    """Defines the flags of this command."""
    judging_flags.define_flags()
    flags.DEFINE_string("output", "detected", "Folder for the results, one folder each.")
    flags.DEFINE_string("sound", None, "Take the sound from this file instead of the video.")
    flags.DEFINE_bool("csv", False, "Write results.csv too.")


if __name__ == "__main__":
    define_flags()
    app.run(main)
