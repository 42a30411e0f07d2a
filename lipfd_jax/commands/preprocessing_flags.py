"""Flags of the commands that read videos to build data: input checks, tracks and worker processes."""

from absl import flags

from lipfd_jax.commands import track_flags
from lipfd_jax.listing.folder import LINKS
from lipfd_jax.preprocessing.containers import DAMAGE_POLICIES

flags.disclaim_key_flags()  # the flags belong to the command that defines them, also in its --help


def define_flags() -> None:
    """Defines --workers, --links, --damaged, --audio_track and --video_track."""
    track_flags.define_tracks()
    flags.DEFINE_integer(
        "workers",
        None,
        "Worker processes; 0 works in the command's own process. Default: one per core.",
        lower_bound=0,
        upper_bound=1024,
    )
    flags.DEFINE_enum(
        "links", None, LINKS, "Symbolic links that lead out of the input folder. Default: refuse."
    )
    flags.DEFINE_enum(
        "damaged", None, DAMAGE_POLICIES, "Clips in which a decoder reports damage. Default: refuse."
    )
