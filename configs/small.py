"""The experiment small as a file of its own; it ships as lipfd_jax/experiments/small.py."""

from lipfd_jax.experiments.small import get_config

__all__ = ["get_config"]
