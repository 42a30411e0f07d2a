"""Opened checkpoints and exports: composites in, scores out."""
