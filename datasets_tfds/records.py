"""Records of one video: their features, how they are made, and their serialization."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from datasets_tfds.build_settings import BuildSettings
from datasets_tfds.clip_records import clip_features, make_clip_records, video_features
from lipfd_jax.listing.clips import Clip, ClipError, CompositeFiles, Item
from lipfd_jax.preprocessing import encoding, extraction
from lipfd_jax.vocabulary import COMPOSITE_SHAPE


@dataclasses.dataclass(frozen=True)
class VideoRecords:
    """The records of one video, and the warnings of its extraction."""

    records: tuple[tuple[str, dict[str, Any]], ...]  # (key "CLASS/NAME_J", fields)
    warnings: tuple[str, ...]


def record_features(settings: BuildSettings) -> tfds.features.FeaturesDict:
    """Returns the TFDS features of a record. Images are stored encoded, which needs no TensorFlow.

    Fields of the compact encodings are plain bytes, since TFDS's Image can't read WebP with TensorFlow.
    """
    if settings.kind == "clips":
        return tfds.features.FeaturesDict({**clip_features(), **_warning_features(settings)})
    if settings.encoding == "composite":
        images = {"composite": tfds.features.Image(shape=COMPOSITE_SHAPE, encoding_format="png")}
    else:
        images = {
            "mel": tfds.features.Scalar(np.object_, doc="WebP: mel strip (128, columns, 3) RGB"),
            "frames": tfds.features.Scalar(np.object_, doc="WebP, JPEG or PNG: five frames side by side"),
        }
    return tfds.features.FeaturesDict(
        {
            **images,
            **_warning_features(settings),
            **video_features(),
            "window": tfds.features.Scalar(np.int64, doc="number of the window, the J of NAME_J.png"),
            "start_frame": tfds.features.Scalar(np.int64, doc="first of the five frames, -1 where unknown"),
            "fps": tfds.features.Scalar(np.float32, doc="frames per second of the video, 0 where unknown"),
            "windows": tfds.features.Text(doc="window convention: paper or released"),
        }
    )


def _warning_features(settings: BuildSettings) -> dict[str, Any]:
    if settings.damaged != "keep":  # other builds lack the field
        return {}
    return {"warnings": tfds.features.Text(doc="warnings about the clip, damage included")}


def make_records(item: Item, settings: BuildSettings) -> VideoRecords:
    """Extracts the windows or clips of one video, or reads its composites, and makes a record of each.

    Raises:
      ClipError: the video can't be used; the message gives the reason.
    """
    if isinstance(item, CompositeFiles):
        return _read_composites(item, settings)
    if settings.kind == "clips":
        return _make_clip_records(item, settings)
    found = _extract_windows(item, settings)
    records = []
    for window in found.cut_windows:
        fields = _make_fields(item, window.index, window.start_frame, window.fps, settings.window_convention)
        if settings.damaged == "keep":
            fields["warnings"] = "; ".join(found.warnings)
        fields |= encoding.encode_window(window, settings.encoding, effort=settings.effort)
        records.append((make_key(item.video, window.index), fields))
    return VideoRecords(tuple(records), tuple(found.warnings))


def _make_clip_records(clip: Clip, settings: BuildSettings) -> VideoRecords:
    found, warnings = make_clip_records(clip, settings)
    noted = {"warnings": "; ".join(warnings)} if settings.damaged == "keep" else {}
    return VideoRecords(
        tuple((make_key(clip.video, part), fields | noted) for part, fields in found), warnings
    )


def _extract_windows(clip: Clip, settings: BuildSettings) -> extraction.Extraction:
    if settings.crop == "none":
        return extraction.extract_windows(
            clip, settings.window_convention, settings.damaged, tracks=settings.tracks
        )
    from lipfd_jax.faces.extraction import extract_face_windows  # lazy: needs the extra `faces`

    return extract_face_windows(
        clip, damaged=settings.damaged, tracks=settings.tracks, side=settings.face_side
    )


def _read_composites(item: CompositeFiles, settings: BuildSettings) -> VideoRecords:
    records = []
    for window, path in item.paths:
        coded = path.read_bytes()
        try:
            encoding.rebuild_composite({"composite": coded})
        except ValueError as error:
            raise ClipError(f"{path}: {error}") from error
        fields = _make_fields(item, window, -1, 0.0, "released") | {"composite": coded}
        if settings.damaged == "keep":
            fields["warnings"] = ""
        records.append((make_key(item.video, window), fields))
    return VideoRecords(tuple(records), ())


def _make_fields(item: Item, window: int, start_frame: int, fps: float, windows: str) -> dict[str, Any]:
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


def make_key(video: str, number: int) -> str:
    """Returns "CLASS/NAME_J", the key of a window or clip: unique in a data set, the same in every build."""
    return f"{video}_{number}"


def read_key(record: Mapping[str, Any]) -> str:
    """Returns the key of a record that `Codec.parse` returned."""
    return make_key(record["video"].decode(), int(record["window" if "window" in record else "part"]))


class Codec:
    """Serializes records as tf.train.Example and parses them, images left encoded; needs no TensorFlow."""

    def __init__(self, settings: BuildSettings):
        self._features = record_features(settings)

    def serialize(self, fields: Mapping[str, Any]) -> bytes:
        """Returns the same bytes for the same fields in every process; TFDS leaves the fields' order open."""
        example = _make_serializer(self._features).get_tf_example(self._features.encode_example(fields))
        return example.SerializeToString(deterministic=True)

    def parse(self, serialized: bytes) -> dict[str, Any]:
        """Returns the fields of a serialized record; texts and images as bytes."""
        return self._features.deserialize_example_np(serialized, decoders=_skip_decoding(self._features))


def _make_serializer(fields: tfds.features.FeaturesDict) -> Any:
    from tensorflow_datasets.core import example_serializer  # TFDS has no public one

    return example_serializer.ExampleSerializer(fields.get_serialized_info())


def _skip_decoding(fields: tfds.features.FeaturesDict) -> dict[str, Any]:
    images = [name for name, feature in fields.items() if isinstance(feature, tfds.features.Image)]
    return {name: tfds.decode.SkipDecoding() for name in images}


@functools.cache
def get_codec(settings: BuildSettings) -> Codec:
    """Returns the codec of these settings, cached per process."""
    return Codec(settings)
