"""Pseudo-forgeries: real frames whose mouth is replaced as lip-sync generators replace it, for training.

`draw_pseudo_forgery` draws all parameters of a window at once, `apply_pseudo_forgery` applies them to its
frames. What then happens to whole pictures (`data.degradations`) has to be the same for the real window and
its pseudo-forgery: draw one degradation and apply it to both.
"""

from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from lipfd_jax.data.forgery_contents import Content, ContentSettings, draw_content, match_colours, render
from lipfd_jax.data.forgery_masks import (
    FACE_BOX,
    Mask,
    MaskSettings,
    draw_donor_mask,
    draw_mask,
    locate_masks,
    make_masks,
)

Part = tuple[slice, slice]  # rows and columns

_ALIGNED = (0.06, 0.46, 0.18, 0.82)  # rows and columns of eyes and nose, by which donors are aligned
_ALIGNED_SIDE = 96  # of that part when shifts are measured, pixels
_FARTHEST = 0.12  # larger shifts, in shares of the square's side, count as not found
_WINDOW = cv2.createHanningWindow((_ALIGNED_SIDE, _ALIGNED_SIDE), cv2.CV_32F)


@dataclass(frozen=True)
class PseudoForgerySettings:
    """Probabilities and weights of masks and contents."""

    mask: MaskSettings = field(default_factory=MaskSettings)
    content: ContentSettings = field(default_factory=ContentSettings)


@dataclass(frozen=True)
class PseudoForgery:
    """All parameters of one pseudo-forgery, for all frames of a window."""

    mask: Mask
    content: Content
    donor_mask: Mask  # what of the content is the donor's


def draw_pseudo_forgery(
    rng: np.random.Generator, settings: PseudoForgerySettings = PseudoForgerySettings()
) -> PseudoForgery:
    """Draws the parameters of a pseudo-forgery."""
    mask, content = draw_mask(rng, settings.mask), draw_content(rng, settings.content)
    if content.donor:
        mask = replace(mask, opacity=1.0)  # two mouths over each other are no forgery's
    return PseudoForgery(mask, content, draw_donor_mask(rng))


def apply_pseudo_forgery(forgery: PseudoForgery, frames: np.ndarray, donor: np.ndarray) -> np.ndarray:
    """Returns frames whose masked part is replaced by the forgery's content.

    Args:
      frames: (n, side, side, 3) uint8 RGB, squares framed as `faces.framing` frames them.
      donor: (n, any side, the same, 3) uint8 RGB, another moment of the same clip framed alike; the frames
        again where there is none. Where its head is turned differently, the frames' own mouth is taken.
    """
    masks = make_masks(forgery.mask, len(frames), frames.shape[1])
    part = locate_masks(masks)
    if part is None:
        return frames.copy()
    patches = frames[:, part[0], part[1]]
    if forgery.content.donor:
        patches = _replace_mouth(forgery, frames, donor, part)
    box_side = (FACE_BOX.right - FACE_BOX.left) * frames.shape[1]
    return _paste(frames, render(forgery.content, patches, box_side), masks, part)


def _replace_mouth(forgery: PseudoForgery, frames: np.ndarray, donor: np.ndarray, part: Part) -> np.ndarray:
    """A part of the frames in which mouth and chin are the donor's, where its head is turned alike."""
    covered = frames[:, part[0], part[1]]
    donor = place_donor(frames, donor, forgery.content.aligned)
    if measure_fit(frames, donor) < forgery.content.least_fit:
        return covered
    patches = donor[:, part[0], part[1]]
    if forgery.content.cells:
        patches = match_colours(patches, covered, forgery.content.cells)
    masks = make_masks(forgery.donor_mask, len(frames), frames.shape[1])[:, part[0], part[1]]
    return np.stack([_blend(*three) for three in zip(covered, patches, masks, strict=True)])


def place_donor(frames: np.ndarray, donor: np.ndarray, aligned: bool) -> np.ndarray:
    """The donor at the frames' size; aligned, its eyes and nose are moved to where theirs are."""
    if donor.shape != frames.shape:
        method = cv2.INTER_AREA if donor.shape[1] > frames.shape[1] else cv2.INTER_CUBIC
        donor = np.stack([cv2.resize(one, frames.shape[2:0:-1], interpolation=method) for one in donor])
    return np.stack([_align(d, f) for d, f in zip(donor, frames, strict=True)]) if aligned else donor


def _align(donor: np.ndarray, frame: np.ndarray) -> np.ndarray:
    x, y = measure_shift(donor, frame)
    matrix = np.array([[1, 0, x], [0, 1, y]])
    return cv2.warpAffine(donor, matrix, donor.shape[1::-1], borderMode=cv2.BORDER_REFLECT_101)


def measure_shift(donor: np.ndarray, frame: np.ndarray) -> tuple[float, float]:
    """Shift right and down, in pixels, from the donor's eyes and nose to the frame's, by phase correlation.

    (0, 0) where it is implausibly large.
    """
    side = frame.shape[0]
    (x, y), _ = cv2.phaseCorrelate(_cut_upper(donor), _cut_upper(frame), _WINDOW)
    x *= side * (_ALIGNED[3] - _ALIGNED[2]) / _ALIGNED_SIDE
    y *= side * (_ALIGNED[1] - _ALIGNED[0]) / _ALIGNED_SIDE
    return (x, y) if max(abs(x), abs(y)) <= _FARTHEST * side else (0.0, 0.0)


def measure_fit(frames: np.ndarray, donor: np.ndarray) -> float:
    """Correlation of eyes and nose, the lowest of all frames: below 0.6 heads are turned differently."""
    pairs = zip(frames, donor, strict=True)
    return float(min(_correlate(_cut_upper(f), _cut_upper(d)) for f, d in pairs))


def _correlate(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(cv2.matchTemplate(ours, theirs, cv2.TM_CCOEFF_NORMED)[0, 0])


def _cut_upper(frame: np.ndarray) -> np.ndarray:
    """Eyes and nose as grey values (_ALIGNED_SIDE, _ALIGNED_SIDE) float32."""
    top, bottom, left, right = (round(frame.shape[0] * share) for share in _ALIGNED)
    size = _ALIGNED_SIDE, _ALIGNED_SIDE
    small = cv2.resize(frame[top:bottom, left:right], size, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)


def _paste(frames: np.ndarray, content: np.ndarray, masks: np.ndarray, part: Part) -> np.ndarray:
    """Frames with the content over their part; what a mask leaves at 0 keeps its bytes."""
    pasted = frames.copy()
    for frame, patch, mask in zip(pasted, content, masks, strict=True):
        frame[part] = _blend(frame[part], patch, mask[part])
    return pasted


def _blend(below: np.ndarray, above: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    below, above, opacity = (np.ascontiguousarray(array) for array in (below, above, opacity))
    return cv2.blendLinear(below, above, 1 - opacity, opacity)
