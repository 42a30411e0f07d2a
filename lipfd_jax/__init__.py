"""LipFD, a lip-sync deepfake detector, in JAX/Flax."""

from typing import TYPE_CHECKING, Any

from lipfd_jax.runtime import xla_flags
from lipfd_jax.version import __version__

if TYPE_CHECKING:
    from lipfd_jax.detection.detector import Detector

__all__ = ["Detector", "__version__"]

xla_flags.set_flag()


def __getattr__(name: str) -> Any:
    """Imports the public names when they are first used: JAX takes seconds, which not every command needs."""
    if name == "Detector":
        from lipfd_jax.detection.detector import Detector

        return Detector
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
