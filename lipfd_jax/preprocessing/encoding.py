"""A window as the bytes a record holds, and the composite rebuilt from them: the one place that knows both.

`composite` is the whole picture as PNG. `compact` keeps the mel strip and the five frames, side by side, as
they were before enlarging, as lossless WebP: the composite is rebuilt bit for bit from a sixth of the bytes.
`lossy` is `compact` with the frames as JPEG. docs/encodings.md has the measurements behind the choices.
"""

import io
import struct
from collections.abc import Mapping
from typing import Literal, get_args

import cv2
import numpy as np
from PIL import Image

from lipfd_jax.preprocessing.composite import Window, assemble_composite, make_composite
from lipfd_jax.vocabulary import COMPOSITE_SHAPE, FRAMES_PER_WINDOW, TILE

Encoding = Literal["compact", "composite", "lossy"]
JPEG_QUALITY = 95  # with full-resolution chroma: largest error 12/255, 46 dB
_PNG = b"\x89PNG\r\n\x1a\n"
_WEBP_SIDE = 16383  # the longest side WebP can hold; longer strips become PNG
_JPEG_SIDE = 65500


def encode_window(window: Window, encoding: Encoding = "compact", *, effort: int = 0) -> dict[str, bytes]:
    """The record fields of a window: `composite`, or `mel` and `frames`, each an encoded picture.

    `effort` (0 fast to 6 slow) trades time for size in the lossless frames of `compact`; reading is the same.
    """
    if encoding not in get_args(Encoding):
        raise ValueError(f"encoding {encoding!r}, expected one of {get_args(Encoding)}")
    if encoding == "composite":
        return {"composite": encode_png(make_composite(window))}
    strip = np.concatenate(list(window.frames), axis=1)
    frames = _encode_jpeg(strip) if encoding == "lossy" else _encode_webp(strip, effort)
    return {"mel": _encode_webp(window.mel, effort), "frames": frames}


def rebuild_composite(fields: Mapping[str, bytes]) -> np.ndarray:
    """The composite (1000, 2500, 3) uint8 RGB of a record's fields, in any encoding.

    Raises ValueError, naming the field, where bytes can't be decoded.
    """
    if "composite" in fields:
        return _decode_composite(fields)
    return assemble_composite(*decode_parts(fields))


def decode_parts(fields: Mapping[str, bytes]) -> tuple[np.ndarray, list[np.ndarray]]:
    """The mel strip and the five frames of a record's fields, each (height, width, 3) uint8 RGB, as stored.

    That is before enlarging, or the halves of the picture where the record holds the whole composite.
    Raises ValueError, naming the field, where bytes can't be decoded.
    """
    if "composite" in fields:
        picture = _decode_composite(fields)
        return picture[:TILE], split_frames(picture[TILE:])
    return _decode_image(fields, "mel"), split_frames(_decode_image(fields, "frames"))


def split_frames(strip: np.ndarray) -> list[np.ndarray]:
    """Five frames (height, width, 3) of a strip (height, 5 width, 3); views."""
    if not strip.shape[1] or strip.shape[1] % FRAMES_PER_WINDOW:
        raise ValueError(f"frames of shape {strip.shape}, expected a width divisible by {FRAMES_PER_WINDOW}")
    return np.split(strip, FRAMES_PER_WINDOW, axis=1)


def encode_png(picture: np.ndarray) -> bytes:
    """A picture (height, width, 3) uint8 RGB as PNG; run-length strategy, the fastest for composites."""
    fast = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
    return _encode_image(".png", picture, fast)


def _encode_webp(picture: np.ndarray, effort: int) -> bytes:
    """Lossless WebP by Pillow, as OpenCV's has no setting for the effort and takes eleven times as long."""
    if max(picture.shape[:2]) > _WEBP_SIDE:
        return encode_png(picture)
    file = io.BytesIO()
    # Quality is the time spent on lossless compression; the fastest method has next to no use for it.
    quality = 75 if effort > 2 else 0
    Image.fromarray(picture).save(file, "WEBP", lossless=True, method=effort, quality=quality)
    return file.getvalue()


def _encode_jpeg(picture: np.ndarray) -> bytes:
    if max(picture.shape[:2]) > _JPEG_SIDE:
        return encode_png(picture)
    full_chroma = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return _encode_image(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY, *full_chroma])


def _encode_image(suffix: str, picture: np.ndarray, options: list[int]) -> bytes:
    done, data = cv2.imencode(suffix, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise ValueError(f"OpenCV can't write {picture.shape} as {suffix}")
    return data.tobytes()


def _decode_composite(fields: Mapping[str, bytes]) -> np.ndarray:
    _check_png(fields["composite"])
    picture = _decode_image(fields, "composite")
    if picture.shape != COMPOSITE_SHAPE:
        raise ValueError(f"composite of shape {picture.shape}, expected {COMPOSITE_SHAPE}")
    return picture


def _check_png(data: bytes) -> None:
    """Raises ValueError for what is no 8-bit RGB of the right size, of which only the head is looked at.

    OpenCV turns grey and 16-bit pictures into colour ones without a word, and takes gigabytes for large ones.
    """
    depth, kind = (data[24], data[25]) if data.startswith(_PNG) and len(data) > 25 else (0, 0)
    if (depth, kind) not in ((8, 2), (8, 6)):
        found = f"{depth} bits and colour type {kind}" if depth else "no PNG"
        raise ValueError(f"composite: expected a PNG in 8-bit RGB (colour type 2), got {found}")
    width, height = struct.unpack(">II", data[16:24])
    if (height, width) != COMPOSITE_SHAPE[:2]:
        expected = f"{COMPOSITE_SHAPE[1]}x{COMPOSITE_SHAPE[0]}"
        raise ValueError(f"composite of {width}x{height} pixels, expected {expected}")


def _decode_image(fields: Mapping[str, bytes], name: str) -> np.ndarray:
    data = fields[name]
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if len(data) else None
    if picture is None:
        raise ValueError(
            f"the field {name} holds {len(data)} bytes that are no picture; the record is damaged"
        )
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB, dst=picture)
