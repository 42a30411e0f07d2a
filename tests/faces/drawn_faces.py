"""Videos of a drawn face, a red square with a mouth on a smooth ground, and the finder that knows it."""

import cv2
import numpy as np

from lipfd_jax.faces.finders import Face
from tests.media_files import FORMS, Pictures, Sounds, write_streams


def draw_face(number, width=320, height=240, side=80, left=60, top=80, speed=0.0):
    """A picture (height, width, 3) of the face, which moves to the right."""
    ground = np.linspace(40, 120, width, dtype=np.float32)[None, :, None].repeat(height, 0)
    picture = ground.repeat(3, 2).astype(np.uint8)
    left = round(left + speed * number)
    picture[top : top + side, left : left + side] = 200, 60, 60
    mouth = picture[top + 3 * side // 4 :][: side // 8, left + side // 4 : left + 3 * side // 4]
    mouth[:] = 200, 60, 60 + 60 * (number % 3)
    picture[:8] = 60 * (number % 4)
    return picture


def find_face(picture):
    """Finds the square by its colour."""
    red = picture[..., 0].astype(int) - picture[..., 1] > 60
    left, top, width, height = cv2.boundingRect(red.astype(np.uint8))
    return [Face(left, top, left + width, top + height, True, "dlib")] if width else []


def write_face(path, count=30, fps=25, seconds=None, **drawing):
    """Writes such a video, with a tone as its sound."""
    pictures = [draw_face(number, **drawing) for number in range(count)]
    tone = np.sin(np.arange(int((seconds or count / fps) * 44100)) / 30) * 0.4
    return write_streams(path, [Pictures(pictures, fps=fps), Sounds(tone)], FORMS["mp4"])
