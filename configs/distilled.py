"""The experiment distilled as a file of its own; it ships as lipfd_jax/experiments/distilled.py."""

from lipfd_jax.experiments.distilled import get_config

__all__ = ["get_config"]
