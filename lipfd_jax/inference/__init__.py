"""Opened checkpoints and exports: composites in, probabilities and region weights out."""
