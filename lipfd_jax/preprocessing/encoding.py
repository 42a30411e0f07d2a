"""Encodings of a window in a record, and the composite rebuilt from them; defined here only.

`composite` is the composite as PNG. `compact` stores the mel strip and the five frames, in a row, before
resizing, as lossless WebP: the composite is rebuilt bit for bit from a sixth of the bytes. `lossy` is
`compact` with the frames as JPEG. docs/encodings.md has the measurements behind these choices.
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
JPEG_QUALITY = 95  # with full-resolution chroma: maximum error 12/255, 46 dB
_PNG = b"\x89PNG\r\n\x1a\n"
_WEBP_SIDE = 16383  # the longest side of a WebP; longer strips become PNG
_JPEG_SIDE = 65500


def encode_window(window: Window, encoding: Encoding = "compact", *, effort: int = 0) -> dict[str, bytes]:
    """Returns the record fields of a window: `composite`, or `mel` and `frames`, each an encoded image.

    `effort` (0 fast to 6 slow) trades time for size in the lossless frames of `compact`, not for decoding.
    """
    if encoding not in get_args(Encoding):
        raise ValueError(f"encoding {encoding!r}, expected one of {get_args(Encoding)}")
    if encoding == "composite":
        return {"composite": encode_png(make_composite(window))}
    strip = np.concatenate(list(window.frames), axis=1)
    frames = encode_jpeg(strip) if encoding == "lossy" else _encode_webp(strip, effort)
    return {"mel": _encode_webp(window.mel, effort), "frames": frames}


def rebuild_composite(fields: Mapping[str, bytes]) -> np.ndarray:
    """Returns the composite (1000, 2500, 3) uint8 RGB of a record's fields, in any encoding.

    Raises ValueError, naming the field, if bytes can't be decoded.
    """
    if "composite" in fields:
        return _decode_composite(fields)
    return assemble_composite(*decode_parts(fields))


def decode_parts(fields: Mapping[str, bytes]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Returns a record's mel strip and five frames, each (height, width, 3) uint8 RGB, as stored.

    That is before resizing, or the halves of the composite if the record holds one. Raises ValueError, naming
    the field, if bytes can't be decoded.
    """
    if "composite" in fields:
        image = _decode_composite(fields)
        return image[:TILE], split_frames(image[TILE:])
    return _decode_image(fields, "mel"), split_frames(_decode_image(fields, "frames"))


def split_frames(strip: np.ndarray) -> list[np.ndarray]:
    """Splits a strip (height, 5 width, 3) into five frames (height, width, 3); views."""
    if not strip.shape[1] or strip.shape[1] % FRAMES_PER_WINDOW:
        raise ValueError(f"frames of shape {strip.shape}, expected a width divisible by {FRAMES_PER_WINDOW}")
    return np.split(strip, FRAMES_PER_WINDOW, axis=1)


def encode_png(image: np.ndarray) -> bytes:
    """Encodes an image (height, width, 3) uint8 RGB as PNG, run-length: the fastest for composites."""
    fast = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
    return _encode_image(".png", image, fast)


def _encode_webp(image: np.ndarray, effort: int) -> bytes:
    """Lossless WebP by Pillow; OpenCV's has no setting for the effort and takes eleven times as long."""
    if max(image.shape[:2]) > _WEBP_SIDE:
        return encode_png(image)
    file = io.BytesIO()
    # For lossless compression quality means time; the fastest method gains almost nothing from it.
    quality = 75 if effort > 2 else 0
    Image.fromarray(image).save(file, "WEBP", lossless=True, method=effort, quality=quality)
    return file.getvalue()


def encode_jpeg(image: np.ndarray, quality: int = JPEG_QUALITY) -> bytes:
    """Encodes an image (height, width, 3) uint8 RGB as JPEG with full-resolution chroma; huge ones as PNG."""
    if max(image.shape[:2]) > _JPEG_SIDE:
        return encode_png(image)
    full_chroma = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return _encode_image(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality, *full_chroma])


def _encode_image(suffix: str, image: np.ndarray, options: list[int]) -> bytes:
    done, data = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise ValueError(f"OpenCV can't write {image.shape} as {suffix}")
    return data.tobytes()


def _decode_composite(fields: Mapping[str, bytes]) -> np.ndarray:
    _check_png(fields["composite"])
    image = _decode_image(fields, "composite")
    if image.shape != COMPOSITE_SHAPE:
        raise ValueError(f"composite of shape {image.shape}, expected {COMPOSITE_SHAPE}")
    return image


def _check_png(data: bytes) -> None:
    """Raises ValueError for anything but an 8-bit RGB PNG of the right size, by its header.

    OpenCV silently converts grey and 16-bit images to colour, and allocates gigabytes for large ones.
    """
    depth, kind = (data[24], data[25]) if data.startswith(_PNG) and len(data) > 25 else (0, 0)
    if (depth, kind) not in ((8, 2), (8, 6)):
        found = f"{depth} bits and colour type {kind}" if depth else "other data"
        raise ValueError(f"composite: expected a PNG in 8-bit RGB (colour type 2), got {found}")
    width, height = struct.unpack(">II", data[16:24])
    if (height, width) != COMPOSITE_SHAPE[:2]:
        expected = f"{COMPOSITE_SHAPE[1]}x{COMPOSITE_SHAPE[0]}"
        raise ValueError(f"composite of {width}x{height} pixels, expected {expected}")


def decode_jpeg(data: bytes) -> np.ndarray:
    """Decodes an image of `encode_jpeg` to (height, width, 3) uint8 RGB. Raises ValueError for other data."""
    return _decode_image({"frame": data}, "frame")


def _decode_image(fields: Mapping[str, bytes], name: str) -> np.ndarray:
    data = fields[name]
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if len(data) else None
    if image is None:
        raise ValueError(
            f"the field {name} holds {len(data)} bytes that are not an image; the record is damaged"
        )
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image)
