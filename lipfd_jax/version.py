"""The version of the project: written into checkpoints and build reports, read by the packaging."""

__version__ = "0.1.0"
