"""LipFD, a lip-sync deepfake detector, in JAX/Flax."""

__version__ = "0.1.0"
