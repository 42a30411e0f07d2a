"""Flags of the commands that read videos: which of a file's tracks are taken."""

from absl import flags

from lipfd_jax.preprocessing.track_choices import TrackRequest

flags.disclaim_key_flags()  # the flags belong to the command that defines them, also in its --help


def define_tracks() -> None:
    """Defines --audio_track and --video_track."""
    flags.DEFINE_string(
        "audio_track",
        None,
        "Sound track of videos that have several: a number from 1, or a language such as deu. Default: the "
        "first in which somebody speaks.",
    )
    flags.DEFINE_integer(
        "video_track",
        None,
        "Video track of files that have several, a number from 1. Default: the one that players show.",
        lower_bound=1,
    )


def read_tracks() -> TrackRequest:
    """Returns the tracks asked for. Raises ValueError, naming the flag, for what can be no track."""
    given = flags.FLAGS
    return TrackRequest(given.audio_track or "", given.video_track or 0)
