"""From one video to its records: what every kind of build calls, and how records become bytes and back."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from datasets_tfds.build_settings import Settings
from lipfd_jax.listing.clips import Clip, ClipError, CompositeFiles, Item
from lipfd_jax.preprocessing import encoding, extraction
from lipfd_jax.vocabulary import COMPOSITE_SHAPE, LABELS


@dataclasses.dataclass(frozen=True)
class Examples:
    """The records of one video."""

    records: tuple[tuple[str, dict[str, Any]], ...]  # (key "CLASS/NAME_J", fields)
    warnings: tuple[str, ...]


def features(settings: Settings) -> tfds.features.FeaturesDict:
    """Returns the TFDS features of a record; pictures are given coded, which needs no TensorFlow.

    The fields of the compact encodings are plain bytes, as TFDS's Image can't read WebP with TensorFlow.
    """
    if settings.encoding == "composite":
        pictures = {"composite": tfds.features.Image(shape=COMPOSITE_SHAPE, encoding_format="png")}
    else:
        pictures = {
            "mel": tfds.features.Scalar(np.object_, doc="WebP: mel strip (128, columns, 3) RGB"),
            "frames": tfds.features.Scalar(np.object_, doc="WebP, JPEG or PNG: five frames side by side"),
        }
    if settings.damaged == "keep":  # other builds have no such field, and need none
        pictures["warnings"] = tfds.features.Text(doc="what is odd about the clip, damage included")
    return tfds.features.FeaturesDict(
        {
            **pictures,
            "label": tfds.features.ClassLabel(names=LABELS),
            "video": tfds.features.Text(doc="video id, CLASS/NAME"),
            "source": tfds.features.Text(doc="same footage or person; never in two splits"),
            "generator": tfds.features.Text(doc="what made the forgery, empty where unknown"),
            "window": tfds.features.Scalar(np.int64, doc="number of the window, the J of NAME_J.png"),
            "start_frame": tfds.features.Scalar(np.int64, doc="first of the five frames, -1 where unknown"),
            "fps": tfds.features.Scalar(np.float32, doc="frames per second of the video, 0 where unknown"),
            "windows": tfds.features.Text(doc="how the windows were cut: paper or released"),
        }
    )


def examples(item: Item, settings: Settings) -> Examples:
    """Cuts one video into records.

    Raises:
      ClipError: the video can't be used; the message says why.
    """
    if isinstance(item, CompositeFiles):
        return _from_composites(item, settings)
    found = _extracted(item, settings)
    records = []
    for window in found.cut_windows:
        fields = _fields(item, window.index, window.start_frame, window.fps, settings.windows)
        if settings.damaged == "keep":
            fields["warnings"] = "; ".join(found.warnings)
        fields |= encoding.encode_window(window, settings.encoding, effort=settings.effort)
        records.append((key(item.video, window.index), fields))
    return Examples(tuple(records), tuple(found.warnings))


def _extracted(clip: Clip, settings: Settings) -> extraction.Extraction:
    if settings.crop == "none":
        return extraction.extract_windows(clip, settings.windows, settings.damaged)
    from lipfd_jax.faces.extraction import extract_face_windows  # and its libraries, which are an extra

    return extract_face_windows(clip, damaged=settings.damaged)


def _from_composites(item: CompositeFiles, settings: Settings) -> Examples:
    records = []
    for window, path in item.paths:
        coded = path.read_bytes()
        try:
            encoding.rebuild_composite({"composite": coded})
        except ValueError as error:
            raise ClipError(f"{path}: {error}") from error
        fields = _fields(item, window, -1, 0.0, "released") | {"composite": coded}
        if settings.damaged == "keep":
            fields["warnings"] = ""
        records.append((key(item.video, window), fields))
    return Examples(tuple(records), ())


def _fields(item: Item, window: int, start_frame: int, fps: float, windows: str) -> dict[str, Any]:
    return {
        "label": item.label,
        "video": item.video,
        "source": item.source,
        "generator": item.generator,
        "window": window,
        "start_frame": start_frame,
        "fps": fps,
        "windows": windows,
    }


def key(video: str, window: int) -> str:
    """Returns "CLASS/NAME_J", the key of a record: unique in a data set and the same in every build."""
    return f"{video}_{window}"


def record_key(record: Mapping[str, Any]) -> str:
    """Returns the key of a record that was read back."""
    return key(record["video"].decode(), int(record["window"]))


class Codec:
    """Records to bytes (tf.train.Example) and back, pictures left coded; no TensorFlow."""

    def __init__(self, settings: Settings):
        self._features = features(settings)

    def serialize(self, fields: Mapping[str, Any]) -> bytes:
        """Returns the same bytes for the same fields in every process (TFDS leaves their order open)."""
        example = _serializer(self._features).get_tf_example(self._features.encode_example(fields))
        return example.SerializeToString(deterministic=True)

    def parse(self, serialized: bytes) -> dict[str, Any]:
        """Returns the fields; texts and pictures as bytes."""
        return self._features.deserialize_example_np(serialized, decoders=_skip_pictures(self._features))


def _serializer(fields: tfds.features.FeaturesDict) -> Any:
    from tensorflow_datasets.core import example_serializer  # TFDS names no public one

    return example_serializer.ExampleSerializer(fields.get_serialized_info())


def _skip_pictures(fields: tfds.features.FeaturesDict) -> dict[str, Any]:
    pictures = [name for name, feature in fields.items() if isinstance(feature, tfds.features.Image)]
    return {name: tfds.decode.SkipDecoding() for name in pictures}


@functools.cache
def codec(settings: Settings) -> Codec:
    """Returns the codec of these settings, made once per process."""
    return Codec(settings)
