"""Preprocessing of a video and its sound to composites: a mel image over five frames."""
