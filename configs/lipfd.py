"""The experiment lipfd as a file of its own; it ships as lipfd_jax/experiments/lipfd.py."""

from lipfd_jax.experiments.lipfd import get_config

__all__ = ["get_config"]
