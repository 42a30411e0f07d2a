"""Flags that `lipfd detect` and `lipfd serve` share, and the detector and settings that they select."""

import sys

from absl import flags

from lipfd_jax.checkpoints import shipped
from lipfd_jax.commands import shared_flags, track_flags
from lipfd_jax.commands.deprecated_flags import define_old_flag
from lipfd_jax.detection.detection_settings import CROP_MODES, DetectionSettings
from lipfd_jax.inference.background import BackgroundDetector
from lipfd_jax.inference.detector import CompositeDetector, check_openable
from lipfd_jax.runtime import compilation

flags.disclaim_key_flags()  # they are the command's own, also in its --help


def define_flags() -> None:
    """Defines the flags."""
    shared_flags.define_checkpoint()
    shared_flags.define_step()
    flags.DEFINE_enum(
        "crop",
        DetectionSettings.crop,
        CROP_MODES,
        "auto: find and crop faces; none: use whole frames, which are cropped already.",
    )
    flags.DEFINE_integer(
        "max_windows",
        DetectionSettings.max_windows,
        "Maximum number of windows scored at first, spread over the faces.",
        lower_bound=1,
    )
    define_old_flag("windows", "max_windows")
    flags.DEFINE_integer(
        "refined",
        DetectionSettings.refined,
        "Maximum number of further windows around suspicious ones.",
        lower_bound=0,
    )
    flags.DEFINE_float(
        "stride",
        DetectionSettings.stride,
        "Seconds from window to window for full coverage; replaces --max_windows and --refined. 0: off.",
        lower_bound=0,
    )
    track_flags.define_tracks()
    shared_flags.define_batch_size(None)
    shared_flags.define_compilation_cache()
    shared_flags.define_engine()
    shared_flags.define_precision()


def check_checkpoint() -> None:
    """Takes the checkpoint that ships if --checkpoint was not given, and prints that on stderr.

    Exits with instructions for obtaining weights if none is installed.
    """
    if flags.FLAGS.checkpoint:
        return
    if not shipped.has_default():
        sys.exit(f"error: {shipped.NO_CHECKPOINT}")
    print(shipped.describe_default(), file=sys.stderr, flush=True)
    flags.FLAGS["checkpoint"].value = shipped.SMALL


def build_settings() -> DetectionSettings:
    """Builds the settings of detection. Raises ValueError for values that exclude each other."""
    given = flags.FLAGS
    tracks = track_flags.read_tracks()
    return DetectionSettings(
        given.crop,
        given.max_windows,
        given.refined,
        given.stride,
        audio_track=tracks.audio,
        video_track=tracks.video,
    )


def open_detector() -> CompositeDetector:
    """Opens the detector and keeps its compiled programs for the next start. Raises as `Detector.open`."""
    given = flags.FLAGS
    compilation.use_compilation_cache(given.compilation_cache)
    return CompositeDetector.open(
        given.checkpoint,
        step=given.step,
        batch_size=given.batch_size,
        engine=given.engine,
        precision=given.precision,
    )


def open_in_background() -> BackgroundDetector:
    """As `open_detector`, in a background thread; a path without a checkpoint is refused at once."""
    check_openable(flags.FLAGS.checkpoint, flags.FLAGS.step)
    return BackgroundDetector(open_detector)
