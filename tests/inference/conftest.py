"""Shares the stand-in detector and the drawn videos of tests/detection."""

from tests.detection.conftest import grainy, model, one_face, speech

__all__ = ["grainy", "model", "one_face", "speech"]
