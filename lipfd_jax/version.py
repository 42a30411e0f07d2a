"""Version of the package; stored in checkpoints and build reports, and read by the packaging."""

__version__ = "0.2.0"
