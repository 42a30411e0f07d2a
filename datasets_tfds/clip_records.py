"""Clip records: the features of a face clip in a record, and the records of one video."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from datasets_tfds.build_settings import BuildSettings
from lipfd_jax.listing.clips import Clip
from lipfd_jax.vocabulary import LABELS


def video_features() -> dict[str, Any]:
    """Returns the TFDS features of records of any kind: which video they are of."""
    return {
        "label": tfds.features.ClassLabel(names=LABELS),
        "video": tfds.features.Text(doc="video id, CLASS/NAME"),
        "source": tfds.features.Text(
            doc="group of clips with the same footage or person; never in two splits"
        ),
        "generator": tfds.features.Text(doc="generator of the forgery, empty where unknown"),
    }


def clip_features() -> dict[str, Any]:
    """Returns the TFDS features of a clip record; exact times, as windows are chosen by them."""
    return {
        **video_features(),
        "part": tfds.features.Scalar(np.int64, doc="number of the clip within the video"),
        "fps": tfds.features.Scalar(np.float32, doc="frames per second of the video"),
        "width": tfds.features.Scalar(np.int64, doc="frame width of the video, pixels"),
        "height": tfds.features.Scalar(np.int64, doc="frame height of the video, pixels"),
        "whole": tfds.features.Scalar(np.bool_, doc="frames are already face crops, stored whole"),
        "frames": tfds.features.Sequence(
            tfds.features.Scalar(np.object_, doc="JPEG of the frame's area, at native detail")
        ),
        "numbers": _array((None,), np.int64, "frame numbers in the video"),
        "times": _array((None,), np.float64, "seconds at which each frame is shown"),
        "ends": _array((None,), np.float64, "seconds at which each frame is no longer shown"),
        "areas": _array((None, 4), np.int64, "left, top, width, height in the picture, pixels"),
        "squares": _array((None, 3), np.float64, "left, top, side of the frame's own square, pixels"),
        "boxes": _array((None, 4), np.float64, "left, top, right, bottom of the face, pixels"),
        "starts": _array((None,), np.int64, "indices of the frames with which a window can start"),
        "sound": tfds.features.Scalar(np.object_, doc="PCM, 16 bits little-endian, mono, 22050 Hz"),
        "sound_scale": _array((), np.float64, "amplitude of one step of the PCM"),
        "sound_start": _array((), np.float64, "time of the first sample, seconds"),
    }


def _array(shape: tuple[int | None, ...], dtype: Any, doc: str) -> tfds.features.Tensor:
    """An array stored as its bytes: TFDS stores numbers of float64 as float32 otherwise."""
    return tfds.features.Tensor(shape=shape, dtype=dtype, encoding="bytes", doc=doc)


def make_clip_records(
    clip: Clip, settings: BuildSettings
) -> tuple[list[tuple[int, dict[str, Any]]], tuple[str, ...]]:
    """Extracts the face clips of a video; returns (part, fields) of each record, and warnings.

    Raises:
      ClipError: the video can't be used; the message gives the reason.
    """
    # Lazy: needs the extra `faces`.
    from lipfd_jax.faces.clip_extraction import ClipForm, extract_face_clips

    form = ClipForm(settings.clip_side, settings.clip_quality, settings.clip_seconds)
    found = extract_face_clips(clip, form, damaged=settings.damaged, tracks=settings.tracks)
    records = []
    for made in found.clips:
        fields = {field.name: getattr(made, field.name) for field in dataclasses.fields(made)}
        records.append((made.part, {**fields, "frames": list(made.frames)}))
    return records, found.warnings
