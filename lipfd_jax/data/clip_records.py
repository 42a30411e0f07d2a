"""Decoding of clip records: a face clip whose frames stay encoded until a window needs them."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lipfd_jax.data.corrupt import CorruptRecord
from lipfd_jax.faces.face_clips import FaceClip


def _to_text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("video", "source", "generator"), _to_text),
    **dict.fromkeys(("label", "part", "width", "height"), int),
    **dict.fromkeys(("fps", "sound_scale", "sound_start"), float),
    **dict.fromkeys(("numbers", "times", "ends", "areas", "squares", "boxes", "starts"), np.asarray),
    "whole": bool,
    "frames": tuple,
    "sound": bytes,
}
_PER_FRAME = ("frames", "numbers", "times", "ends", "areas", "squares", "boxes")


def decode_clip(record: Mapping[str, Any]) -> FaceClip:
    """Decodes a record of a build of clips; its frames stay JPEGs.

    Raises:
      CorruptRecord: its fields do not fit together; the message names the video and the part.
      KeyError: a record of another kind, without these fields.
    """
    clip = FaceClip(**{name: convert(record[name]) for name, convert in _CONVERTERS.items()})
    lengths = {len(getattr(clip, name)) for name in _PER_FRAME}
    if len(lengths) > 1 or not len(clip.starts) or clip.starts.max() >= len(clip.frames):
        name = f"record of {clip.video}, part {clip.part}"
        raise CorruptRecord(f"{name}: fields of different lengths; build the data again")
    return clip
