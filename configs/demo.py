"""The experiment demo as a file of its own; it ships as lipfd_jax/experiments/demo.py."""

from lipfd_jax.experiments.demo import get_config

__all__ = ["get_config"]
