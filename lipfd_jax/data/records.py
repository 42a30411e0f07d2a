"""Decoding of a stored record into a sample: the composite and its metadata."""

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np

from lipfd_jax.data.corrupt import CorruptRecord
from lipfd_jax.preprocessing import encoding
from lipfd_jax.preprocessing.composite import assemble_composite
from lipfd_jax.vocabulary import COMPOSITE_SHAPE, composite_name

TEXT_FIELDS = ("video", "source", "generator", "windows")
NUMBER_FIELDS = {"window": np.int32, "start_frame": np.int32, "fps": np.float32}


def decode_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """Decodes a record of any encoding, images still encoded, into a sample.

    Args:
      record: the fields of `datasets_tfds/avlips`, read with images left as bytes, or those of
        `clip_window_records`, whose images are arrays.

    Returns:
      composite (1000, 2500, 3) uint8 RGB, label int32 (0 real, 1 fake), video, source, generator and
      windows as str, window and start_frame int32, fps float32.

    Raises:
      CorruptRecord: its images can't be decoded; the message names the video and the window.
    """
    if isinstance(record.get("frames"), np.ndarray):  # cut from a clip just now
        composite = assemble_composite(record["mel"], record["frames"])
    else:
        composite = _decode_with_name(encoding.rebuild_composite, record)
    return {**decode_metadata(record), "composite": composite}


def decode_parts(record: Mapping[str, Any]) -> dict[str, Any]:
    """Decodes a record as `decode_record` does, with the composite's parts in its place, for augmentation.

    The parts are `mel` (rows, columns, 3) and `frames` (5, height, width, 3), uint8 RGB: in their size before
    enlarging (128 rows, the video's size), or the halves of a composite stored whole. `assemble_sample`
    assembles the composite.
    """
    mel, frames = _decode_with_name(encoding.decode_parts, record)
    return {**decode_metadata(record), "mel": mel, "frames": np.stack(frames)}


def assemble_sample(sample: Mapping[str, Any]) -> dict[str, Any]:
    """Replaces the parts of a sample by their composite."""
    kept = {name: value for name, value in sample.items() if name not in ("mel", "frames")}
    return {**kept, "composite": assemble_composite(sample["mel"], sample["frames"])}


def _decode_with_name(read: Callable[[Mapping[str, Any]], Any], record: Mapping[str, Any]) -> Any:
    try:
        return read(record)
    except (OSError, MemoryError):
        raise
    except Exception as error:
        if getattr(error, "code", None) == cv2.Error.StsNoMem:
            raise MemoryError(str(error)) from error
        name = f"{_to_text(record['video'])}, window {int(record['window'])}"
        raise CorruptRecord(f"record of {name}: {error}; build the data again") from error


def decode_metadata(record: Mapping[str, Any]) -> dict[str, Any]:
    """Decodes a record as `decode_record` does, without the composite."""
    sample: dict[str, Any] = {name: _to_text(record[name]) for name in TEXT_FIELDS}
    sample.update({name: dtype(record[name]) for name, dtype in NUMBER_FIELDS.items()})
    sample["label"] = np.int32(record["label"])
    return sample


def make_blank() -> dict[str, Any]:
    """Returns an empty sample of the form of `decode_record`, to pad a batch."""
    sample: dict[str, Any] = dict.fromkeys(TEXT_FIELDS, "")
    sample.update({name: dtype(0) for name, dtype in NUMBER_FIELDS.items()})
    return {**sample, "label": np.int32(0), "composite": np.zeros(COMPOSITE_SHAPE, np.uint8)}


def composite_path(sample: Mapping[str, Any]) -> str:
    """Returns CLASS/NAME_J.png, the name of a sample in score files."""
    return composite_name(sample["video"], sample["window"])


def _to_text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
