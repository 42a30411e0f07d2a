"""Released windows of the project's dummy clips equal the released code's to the bit."""

import csv
import hashlib
import pathlib

import numpy as np

from lipfd_jax.listing.avlips import list_avlips
from lipfd_jax.preprocessing.composite import make_composite
from lipfd_jax.preprocessing.extraction import extract_windows

TESTS = pathlib.Path(__file__).parents[1]
DUMMY = TESTS.parent / "datasets_tfds" / "avlips" / "dummy_data"


def _sha(half):
    return hashlib.sha256(np.ascontiguousarray(half).tobytes()).hexdigest()


def test_both_halves_of_every_picture_are_equal_to_the_bit():
    with (TESTS / "reference" / "dummy_clips_sha256.csv").open() as file:
        recorded = {row["picture"]: (row["mel_sha256"], row["frames_sha256"]) for row in csv.DictReader(file)}
    found = {}
    for clip in list_avlips(DUMMY).clips:
        for window in extract_windows(clip, "released").cut_windows:
            picture = make_composite(window)
            found[f"{clip.video}_{window.index}.png"] = _sha(picture[:500]), _sha(picture[500:])
    assert found == recorded
