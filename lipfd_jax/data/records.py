"""From one stored record to one sample: the composite and what is known about it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lipfd_jax.preprocessing import encoding

TEXT_FIELDS = ("video", "source", "generator", "windows")
NUMBER_FIELDS = {"window": np.int32, "start_frame": np.int32, "fps": np.float32}


def decode(record: Mapping[str, Any]) -> dict[str, Any]:
    """Decodes a record of any encoding, pictures still coded, into a sample.

    Args:
      record: the fields of `datasets_tfds/avlips`, read with pictures left as bytes.

    Returns:
      composite (1000, 2500, 3) uint8 RGB, label int32 (0 real, 1 fake), video, source, generator and
      windows as str, window and start_frame int32, fps float32.

    Raises:
      ValueError: the pictures can't be decoded; the message names the video and the window.
    """
    sample = metadata(record)
    try:
        sample["composite"] = encoding.rebuild(record)
    except Exception as error:
        raise ValueError(
            f"record of {sample['video']}, window {sample['window']}: {error}; build the data again"
        ) from error
    return sample


def metadata(record: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what `decode` returns, without the composite."""
    sample: dict[str, Any] = {name: _text(record[name]) for name in TEXT_FIELDS}
    sample.update({name: dtype(record[name]) for name, dtype in NUMBER_FIELDS.items()})
    sample["label"] = np.int32(record["label"])
    return sample


def picture_path(sample: Mapping[str, Any]) -> str:
    """Returns CLASS/NAME_J.png, the name of a sample in score files."""
    return f"{sample['video']}_{int(sample['window'])}.png"


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
