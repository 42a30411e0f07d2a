"""The project's dummy clips give the composites recorded from the released preprocessing."""

import csv
import hashlib
import pathlib

import numpy as np

from datasets_tfds.avlips.make_dummy_data import FOLDER
from lipfd_jax.listing.avlips import list_avlips
from lipfd_jax.preprocessing.composite import make_composite
from lipfd_jax.preprocessing.extraction import extract_windows
from lipfd_jax.vocabulary import composite_name

RECORDED = pathlib.Path(__file__).parents[1] / "reference" / "dummy_clips_sha256.csv"


def _sha256(half):
    return hashlib.sha256(np.ascontiguousarray(half).tobytes()).hexdigest()


def test_released_windows_of_the_dummy_clips_equal_the_recorded_ones():
    made = {}
    for clip in list_avlips(FOLDER).clips:
        for window in extract_windows(clip, "released").cut_windows:
            picture = make_composite(window)
            made[composite_name(clip.video, window.index)] = _sha256(picture[:500]), _sha256(picture[500:])
    with open(RECORDED, newline="") as file:
        recorded = {r["picture"]: (r["mel_sha256"], r["frames_sha256"]) for r in csv.DictReader(file)}
    assert made == recorded
