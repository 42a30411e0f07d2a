"""Flags of every command that shows metrics: threshold, pooling and bootstrap."""

from absl import flags

from lipfd_jax.evaluation.metrics.bootstrap import DEFAULT_BOOTSTRAP, BootstrapSettings
from lipfd_jax.evaluation.metrics.pooling import Pooling, describe_poolings

flags.disclaim_key_flags()  # they are the command's own, also in its --help


def define_flags() -> None:
    """Defines the flags."""
    flags.DEFINE_float(
        "threshold",
        None,
        "A score of at least this is called fake. Default: the checkpoint's calibrated threshold, or 0.5.",
        lower_bound=0,
        upper_bound=1,
    )
    flags.DEFINE_string(
        "pooling",
        None,
        f"How a video's windows become its score: {describe_poolings()}. "
        "Default: the pooling of the checkpoint's calibration, or mean.",
    )
    flags.DEFINE_integer(
        "draws", DEFAULT_BOOTSTRAP.draws, "Bootstrap draws of sources for the intervals.", lower_bound=1
    )
    flags.DEFINE_integer("seed", DEFAULT_BOOTSTRAP.seed, "Seed of the bootstrap draws.", lower_bound=0)


def read_pooling(given: flags.FlagValues) -> Pooling | None:
    """Reads --pooling. Raises ValueError for another value."""
    return Pooling.parse(given.pooling) if given.pooling else None


def read_bootstrap_settings(given: flags.FlagValues) -> BootstrapSettings:
    """Reads --draws and --seed."""
    return BootstrapSettings(given.draws, given.seed)
