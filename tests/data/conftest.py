"""A small source in memory and records as a build holds them."""

import dataclasses

import cv2
import numpy as np
import pytest

from lipfd_jax.perturbations import mel_strips
from lipfd_jax.preprocessing import encoding
from lipfd_jax.preprocessing.composite import Window


@dataclasses.dataclass(frozen=True)
class Memory:
    """Records in a list."""

    records: tuple

    def __len__(self):
        return len(self.records)

    def __getitem__(self, index):
        return self.records[index]


def smooth_frames(seed=0, size=48):
    """Five frames that differ, smooth and colourful as pictures are."""
    drawn = np.random.default_rng(seed).integers(0, 256, (5, 9, 9, 3), dtype=np.uint8)
    return np.stack([cv2.resize(frame, (size, size), interpolation=cv2.INTER_CUBIC) for frame in drawn])


def smooth_strip(seed=0, columns=9):
    """A mel strip whose values vary slowly."""
    drawn = np.random.default_rng(seed).random((9, 5), np.float32)
    return mel_strips.draw_strip(cv2.resize(drawn, (columns, 128), interpolation=cv2.INTER_LINEAR))


def record(index, label, encoding_name="compact"):
    """One record as a source gives it, number `index`."""
    window = Window(index, index, 25.0, smooth_strip(index), smooth_frames(index))
    folder = ("0_real", "1_fake")[label]
    return {
        **encoding.encode_window(window, encoding_name),
        "label": label,
        "video": f"{folder}/{index}".encode(),
        "source": str(index).encode(),
        "generator": b"",
        "window": index,
        "start_frame": index,
        "fps": 25.0,
        "windows": b"paper",
    }


@pytest.fixture(scope="session")
def make_record():
    """The function `record`."""
    return record


@pytest.fixture(scope="session")
def source():
    """13 records, every fourth one real."""
    return Memory(tuple(record(index, int(index % 4 != 0)) for index in range(13)))
