"""Detects lip-sync forgery in videos: lipfd detect VIDEO_OR_FOLDER... --checkpoint=DIR [--output=DIR].

Finds faces, cuts them like the training clips, scores windows of frames and sound, and writes result.json
and report.html for each video. Exit codes: 0 no evidence found, 10 evidence of manipulation in one of the
videos at least, 11 inconclusive or not judged, 1 error, 130 interrupted.
"""

import logging
import os
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from absl import app, flags
from absl import logging as absl_logging

from lipfd_jax.commands import detector_flags
from lipfd_jax.detection.detection_settings import DetectionSettings
from lipfd_jax.inference.background import BackgroundDetector
from lipfd_jax.listing.addresses import explain_address
from lipfd_jax.listing.names import escape_path
from lipfd_jax.listing.videos import VideoListing, list_videos
from lipfd_jax.runtime.interrupts import record_interrupts
from lipfd_jax.runtime.memory import exit_when_exhausted
from lipfd_jax.storage.errors import MachineError, describe_error
from lipfd_jax.storage.output_folder import check_unused

if TYPE_CHECKING:
    from lipfd_jax.detection.video_rows import VideoRow

EXIT_INTERRUPTED = 130  # as shells have it


def main(argv: list[str]) -> None:
    """Parses the flags and detects."""
    if len(argv) < 2:
        raise app.UsageError("name a video or a folder of videos")
    detector_flags.check_checkpoint()
    absl_logging.set_verbosity(absl_logging.WARNING)  # the libraries' own chatter
    logging.getLogger("lipfd_jax").setLevel(logging.INFO)
    with record_interrupts() as interrupted:
        try:
            lines = _detect(argv[1:], interrupted)
        except ValueError as error:  # ours name the file and what to do
            sys.exit(f"error: {describe_error(error)}")
        except (MachineError, OSError) as error:
            remedy = "fix that and run the same command again, finished videos are kept"
            sys.exit(f"error: {describe_error(error)}; {remedy}")
        except KeyboardInterrupt:
            _leave_interrupted()
    from lipfd_jax.detection.video_rows import choose_exit_code

    for line in lines:
        if line.folder:
            print(f"report: {escape_path(line.folder / 'report.html')}")
    sys.exit(choose_exit_code(lines))


def _detect(names: Sequence[str], interrupted: Sequence[int]) -> "Sequence[VideoRow]":
    """Lists and detects videos; raises KeyboardInterrupt soon after `interrupted` has an entry."""
    if interrupted:  # while this module was imported
        raise KeyboardInterrupt
    settings = replace(detector_flags.build_settings(), compare_sound=flags.FLAGS.compare_sound)
    listing = _list_inputs(names)
    check_unused(Path(flags.FLAGS.output), "a detection")  # before minutes go into opening the checkpoint
    with (
        exit_when_exhausted("try a smaller --batch_size"),
        closing(detector_flags.open_in_background()) as detector,
    ):
        return _detect_videos(detector, listing, settings, interrupted)


def _list_inputs(names: Sequence[str]) -> VideoListing:
    """Lists the videos and prints what is not taken. Raises ValueError where nothing can be done."""
    given = flags.FLAGS
    for name in names:
        if name.startswith("--") and not os.path.lexists(name):
            raise ValueError(f"{name}: no such file; flags belong before the --")
    listing = list_videos(names, skip=Path(given.output))
    if given.sound and len(listing.videos) > 1:
        raise ValueError(f"--sound needs exactly one video, {len(listing.videos)} were found")
    if given.sound and (address := explain_address(given.sound)):
        raise ValueError(f"--sound={given.sound}: {address}")
    if summary := listing.summary():
        print(summary, file=sys.stderr)
    return listing


def _leave_interrupted() -> NoReturn:
    """Exits at once: threads that still read or compile would otherwise be waited for."""
    print(
        "interrupted; run the same command again to go on, finished videos are kept",
        file=sys.stderr,
        flush=True,
    )
    sys.stdout.flush()
    os._exit(EXIT_INTERRUPTED)


def _detect_videos(
    detector: BackgroundDetector,
    listing: VideoListing,
    settings: DetectionSettings,
    interrupted: Sequence[int],
) -> "Sequence[VideoRow]":
    """Imports the libraries that decode videos, while the detector is opened, and detects."""
    from lipfd_jax.detection.batch_run import detect_videos
    from lipfd_jax.detection.texts import DRAWN_PEOPLE, LEARNED_FROM
    from lipfd_jax.detection.video_rows import write_left_out

    def check() -> None:
        if interrupted:
            raise KeyboardInterrupt
        detector.raise_failure()

    check()
    given = flags.FLAGS
    if given.csv:
        write_left_out(Path(given.output), listing.left_out)
    lines = detect_videos(
        detector,
        listing.videos,
        Path(given.output),
        sound=Path(given.sound) if given.sound else None,
        settings=settings,
        table=given.csv,
        refused=listing.refused,
        check=check,
    )
    check()
    detector.wait()  # raises for a damaged checkpoint even if no video could be read
    metadata = detector.metadata
    if metadata.synthetic:
        print(f"note: {DRAWN_PEOPLE}")
    if metadata.training_data:
        print(f"note: {LEARNED_FROM.format(metadata.training_data)}")
    return lines


def define_flags() -> None:
    """Defines the flags of this command."""
    detector_flags.define_flags()
    flags.DEFINE_string("output", "detected", "Folder for the results, one subfolder per video.")
    flags.DEFINE_string("sound", None, "File to read the sound from instead of the video.")
    flags.DEFINE_bool(
        "compare_sound",
        DetectionSettings.compare_sound,
        "Compare --sound with the sound inside the video: mend a shift, refuse another sound. "
        "--compare_sound=false: take it as it is, from the first frame on, e.g. another language.",
    )
    flags.DEFINE_bool(
        "csv", False, "Also write results.csv, and left_out.csv of what folders hold besides videos."
    )
