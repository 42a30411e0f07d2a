"""Shapes of pixels: width over height, from the container or the codec."""

from fractions import Fraction

import av

SQUARE = Fraction(1)
_SAME = 0.01  # pixels this close to square are square, as to ffmpeg: rounded sizes give such ratios
_LARGEST = 8  # more is no picture, but a damaged or hostile header


class PixelAspects:
    """Pixel aspect of a stream, as it changes on the way; to be made before anything is decoded.

    As in ffmpeg's players the container's word counts before the codec's, if it has one of its own. The
    codec's may change, as where a broadcast goes from 4:3 to 16:9.
    """

    def __init__(self, stream: av.VideoStream):
        self._context = stream.codec_context
        coded = self._context.sample_aspect_ratio
        self._current = stream.sample_aspect_ratio or coded
        self._fixed = self._current != coded
        self._size = (0, 0)

    def read(self, frame: av.VideoFrame) -> Fraction:
        """Returns the pixel aspect of the next decoded frame; `SQUARE` where it is nearly so, or nonsense."""
        # The decoder may have read a header that follows the frame: it is for key frames and new sizes.
        if not self._fixed and (frame.key_frame or (frame.width, frame.height) != self._size):
            self._current = self._context.sample_aspect_ratio
        self._size = frame.width, frame.height
        return SQUARE if self._current is None or _is_nearly_square(self._current) else self._current


def _is_nearly_square(aspect: Fraction) -> bool:
    """Whether pixels of this aspect are shown as they are; nonsense too."""
    ratio = float(aspect)  # fractions compare slowly, and this is asked for every frame
    return not 1 / _LARGEST <= ratio <= _LARGEST or abs(ratio - 1) <= _SAME
