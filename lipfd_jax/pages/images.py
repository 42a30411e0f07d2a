"""Images embedded in pages, and heat maps drawn over them."""

import base64

import cv2
import numpy as np


def encode_data_uri(image: np.ndarray, *, width: int = 1250, quality: int = 82) -> str:
    """Encodes an image (height, width, 3) uint8 RGB as the data: URI of a JPEG at most `width` pixels wide.

    Raises ValueError for another shape or dtype.
    """
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"must be (height, width, 3) uint8 RGB, not {image.shape} {image.dtype}")
    rows, columns = image.shape[:2]
    if columns > width:
        size = (width, max(1, round(rows * width / columns)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return make_jpeg_uri(encoded.tobytes())


def make_jpeg_uri(data: bytes) -> str:
    """Returns the data: URI of a JPEG."""
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()


def overlay_heat(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Draws a heat map (rows, columns) over the grey version of an image (height, width, 3) uint8 RGB.

    Values from 0 to 1 go from the bare grey image to full yellow over purple (matplotlib's plasma); the map
    is stretched over the whole image.
    """
    from matplotlib import colormaps  # takes a third of a second, which not every page needs

    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB).astype(np.float32)
    size = (image.shape[1], image.shape[0])
    values = cv2.resize(np.clip(heat, 0, 1).astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    colours = colormaps["plasma"](values)[..., :3].astype(np.float32) * 255
    share = 0.75 * values[..., None]
    return np.rint(grey * (1 - share) * 0.8 + colours * share).clip(0, 255).astype(np.uint8)
