"""Face tracking: faces found on a few frames a second become one smooth track per face."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lipfd_jax.faces.finders import Face
from lipfd_jax.faces.framing import (
    SMALLEST_SIDE,
    Square,
    is_already_framed,
    is_cut_by_edge,
    make_square,
    move_inside,
)
from lipfd_jax.faces.mouths import MEASURES
from lipfd_jax.faces.overlap import compute_iou

OVERLAP = 0.5  # minimum intersection over union of a face in successive samples
GAP = 0.5  # seconds without a detection that are bridged
_MEDIAN = 13  # frames of the median filter of boxes, as in the usual SyncNet crop
_POSE_SECONDS = 1.0  # pose follows from the detections within this time on both sides
_SHORTEST = 0.4  # seconds; shorter tracks are false detections, or too short to score


@dataclass(frozen=True)
class Sample:
    """Faces found in one frame."""

    frame: int  # frame number
    time: float  # seconds on the file's clock
    faces: tuple[Face, ...]
    cut: bool  # the scene changed since the previous sample
    mouths: tuple[np.ndarray, ...] = ()  # per face: (frames until the next sample, 5), see faces.mouths


@dataclass(frozen=True)
class FaceTrack:
    """One face in one shot."""

    frames: np.ndarray  # (n,) int64: all frame numbers from the first detection to the last
    boxes: np.ndarray  # (n, 4) float64: left, top, right, bottom, smoothed; pixels
    unfit: np.ndarray  # (n,) str: why a frame can't be scored, "small", "cut" or "profile" at first; else ""
    whole: bool  # frames are already cropped like the training clips: no square is cut
    finder: str
    mouth: np.ndarray  # (n, 5) float32: mouth measures, see faces.mouths; NaN where not measured

    def square(self, frame: int, width: int, height: int) -> Square | None:
        """Returns the square to crop from this frame and its four neighbours; None for the whole frame."""
        if self.whole:
            return None
        box = self.boxes[frame - self.frames[0]]
        return move_inside(make_square(box, self.finder), width, height)


def follow_faces(samples: Sequence[Sample], times: np.ndarray, width: int, height: int) -> list[FaceTrack]:
    """Returns the tracks of all faces in a video, in order of appearance.

    Args:
      samples: in order of time.
      times: (frames,) when each frame is shown, seconds.
      width, height: of the frames, pixels.
    """
    kept = [chain for chain in _chain_sightings(samples) if chain[-1][0].time - chain[0][0].time >= _SHORTEST]
    final = samples[-1].frame if samples else 0  # a face in the last sample is assumed to stay until the end
    lasts = [len(times) - 1 if chain[-1][0].frame == final else chain[-1][0].frame for chain in kept]
    return [_make_track(chain, times, width, height, last) for chain, last in zip(kept, lasts, strict=True)]


Sighting = tuple[Sample, int]  # a sample and the index of the face in it
Chain = list[Sighting]


def _chain_sightings(samples: Sequence[Sample]) -> list[Chain]:
    """Links detections of the same face greedily by overlap."""
    done: list[Chain] = []
    alive: list[Chain] = []
    interval = float(np.median(np.diff([s.time for s in samples]))) if len(samples) > 1 else 0.0
    for sample in samples:
        oldest = np.inf if sample.cut else sample.time - GAP - interval / 2
        done += [chain for chain in alive if chain[-1][0].time < oldest]
        alive = [chain for chain in alive if chain[-1][0].time >= oldest]
        joined = _match_faces(alive, sample)
        for i, j in joined.items():
            alive[i].append((sample, j))
        alive += [[(sample, j)] for j in range(len(sample.faces)) if j not in joined.values()]
    return sorted(done + alive, key=lambda chain: (chain[0][0].time, chain[0][1]))


def _match_faces(chains: Sequence[Chain], sample: Sample) -> dict[int, int]:
    """Maps chains to faces that continue them: the most overlapping pairs first."""
    pairs = [
        (compute_iou(_get_face(chain[-1]).box, face.box), i, j)
        for i, chain in enumerate(chains)
        for j, face in enumerate(sample.faces)
    ]
    found: dict[int, int] = {}
    for value, i, j in sorted(pairs, reverse=True):
        if value > OVERLAP and i not in found and j not in found.values():
            found[i] = j
    return found


def _get_face(sighting: Sighting) -> Face:
    sample, index = sighting
    return sample.faces[index]


def _make_track(chain: Chain, times: np.ndarray, width: int, height: int, last: int) -> FaceTrack:
    # Takes a third of a second, and detection's settings import this module.
    from scipy.ndimage import median_filter

    seen = np.array([sample.time for sample, _ in chain])
    frames = np.arange(chain[0][0].frame, last + 1)
    sighted = np.array([_get_face(sighting).box for sighting in chain])
    raw = np.stack([np.interp(times[frames], seen, column) for column in sighted.T], axis=1)
    boxes = median_filter(raw, size=(_MEDIAN, 1), mode="nearest")
    finder = _get_face(chain[0]).finder
    whole = is_already_framed(make_square(np.median(boxes, axis=0), finder), width, height)
    frontal = _find_frontal(
        seen, np.array([_get_face(sighting).frontal for sighting in chain]), times[frames]
    )
    unfit = np.array(
        [_find_unfit_reason(box, finder, ok, width, height) for box, ok in zip(boxes, frontal, strict=True)]
    )
    return FaceTrack(frames, boxes, unfit, whole, finder, _join_mouths(chain, frames))


def _join_mouths(chain: Chain, frames: np.ndarray) -> np.ndarray:
    mouth = np.full((len(frames), MEASURES), np.nan, np.float32)
    for sample, index in chain:
        if sample.mouths:
            first = sample.frame - frames[0]
            measured = sample.mouths[index][: len(frames) - first]
            mouth[first : first + len(measured)] = measured
    return mouth


def _find_frontal(seen: np.ndarray, frontal: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Returns (n,) bool: whether most detections around each time are frontal."""
    total = np.concatenate([[0], np.cumsum(frontal)])
    first = np.searchsorted(seen, times - _POSE_SECONDS)
    last = np.searchsorted(seen, times + _POSE_SECONDS, side="right")
    return 2 * (total[last] - total[first]) > last - first


def _find_unfit_reason(box: np.ndarray, finder: str, frontal: bool, width: int, height: int) -> str:
    if make_square(box, finder).side < SMALLEST_SIDE:
        return "small"
    if is_cut_by_edge(box, width, height):
        return "cut"
    return "" if frontal else "profile"
