"""Offset between lips and sound, constant, growing or changing once, fitted jointly over a whole video.

The correlation of mouth and sound is computed for pieces of a few seconds at every offset. One piece rarely
decides; the sum along a line in (time, offset), over all pieces and faces, does. See docs/detection.md.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lipfd_jax.detection.lip_sync import (
    GRID,
    combine_correlations,
    measure_onsets,
    normalise_signals,
    remove_trend,
    sample_mouth,
    with_changes,
)
from lipfd_jax.detection.sound import SoundTrack
from lipfd_jax.faces.scan import Scan
from lipfd_jax.faces.tracks import FaceTrack

_REACH = 75  # steps of the grid; largest offset: 3 s
_BEGIN = 35  # largest offset at the beginning of a line
_PIECE, _SHORTEST = 4.0, 2.0  # seconds of a piece, and of the shortest track
_FEWEST = 3  # pieces
_SHORTEST_SPAN = 18.0  # seconds between the first and the last piece, for an offset that changes
_STEEPEST = 0.05  # seconds of drift a second
_CHANGE = 6  # steps; smaller changes, and changing offsets that stay below, do not count
_SMALLEST = 5  # steps; smaller constant offsets do not count
_PEAK = 5  # steps around the best offset that belong to it
IN_STEP = 0.16  # seconds; lips and sound are in step up to this offset
_NEAR = round(IN_STEP / GRID)
_DENSITY = 0.013  # ratio between successive offsets that lie beyond the reach at a video's end


class _Limits(NamedTuple):
    score: float  # standard deviations of a sum over unrelated lips and sound
    lead: float  # over the best constant offset


_CONSTANT = _Limits(4.2, 1.0)  # the lead is that over offsets near zero
# Of a line and a step with an end that is in step, and of others, of which there are more to find by chance.
_LINE, _ANY_LINE = _Limits(4.5, 1.6), _Limits(5.0, 2.2)
_STEP, _ANY_STEP = _Limits(4.8, 2.2), _Limits(5.5, 2.8)


@dataclass(frozen=True)
class OffsetFit:
    """Offsets at two times; between them the offset stays, grows evenly or changes at once."""

    begin: float  # seconds from the first frame
    first: float  # seconds by which the sound would have to be delayed at `begin`
    end: float
    last: float
    step: float | None = None  # seconds from the first frame; when the offset changes at once, if it does

    @property
    def is_constant(self) -> bool:
        """Whether the offset is the same everywhere."""
        return self.first == self.last


@dataclass(frozen=True)
class _Pieces:
    """Correlations of all pieces at all offsets."""

    times: np.ndarray  # (p,) middles, seconds from the first frame, ascending
    scores: np.ndarray  # (p, 151) scaled so that sums over unrelated pieces have a variance of 1
    share: np.ndarray  # (p,) of that variance

    @property
    def constant(self) -> float:
        """Score of the best constant offset."""
        return float(self.scores.sum(axis=0).max())

    def seconds(self, column: float) -> float:
        """Offset in seconds of a column of the scores."""
        return round((_REACH - float(column)) * GRID, 2)


def fit_offset(tracks: Sequence[FaceTrack], scan: Scan, sound: SoundTrack | None) -> OffsetFit | None:
    """Returns the offset between the mouths of all tracks and the sound, if there is a marked one."""
    pieces = None if sound is None else _correlate_pieces(tracks, scan, sound)
    if pieces is None:
        return None
    long = pieces.times[-1] - pieces.times[0] >= _SHORTEST_SPAN
    found = [fit for fit in (_fit_line(pieces), _fit_step(pieces)) if fit] if long else []
    return max(found, key=lambda fit: fit[0])[1] if found else _fit_constant(pieces)


def _correlate_pieces(tracks: Sequence[FaceTrack], scan: Scan, sound: SoundTrack) -> _Pieces | None:
    """Returns the pieces of all tracks in order of time; None for too few."""
    rows = [row for track in tracks for row in _correlate_track(track, scan, sound)]
    if not rows:
        return None
    times, weights, scores = (
        np.array(column) for column in zip(*sorted(rows, key=lambda r: r[0]), strict=True)
    )
    weighted = weights[:, None] * (scores - scores.mean(axis=1, keepdims=True))
    variances = weighted.var(axis=1)
    total = float(variances.sum())
    if not total or len(times) < _FEWEST:
        return None
    return _Pieces(times - float(scan.times[0]), weighted / np.sqrt(total), variances / total)


def _correlate_track(track: FaceTrack, scan: Scan, sound: SoundTrack) -> list[tuple[float, int, np.ndarray]]:
    """Returns (middle in seconds, length in steps, correlations (151,)) of each piece of a track."""
    even, mouth = sample_mouth(track, scan)
    if len(even) * GRID < _SHORTEST or not len(sound.loudness):
        return []
    around = even[0] + GRID * np.arange(-_REACH, len(even) + _REACH)
    onsets = remove_trend(measure_onsets(sound, around))
    signals = np.stack([remove_trend(signal) for signal in with_changes(mouth)])
    bounds = np.linspace(0, len(even), max(1, round(len(even) * GRID / _PIECE)) + 1).astype(int)
    rows = []
    for first, last in itertools.pairwise(bounds):
        windows = np.lib.stride_tricks.sliding_window_view(onsets[first : last + 2 * _REACH], last - first)
        found = normalise_signals(signals[:, first:last]) @ normalise_signals(windows).T
        rows.append((float(even[0] + (first + last) / 2 * GRID), last - first, combine_correlations(found)))
    return rows


def _fit_constant(pieces: _Pieces) -> OffsetFit | None:
    """Returns the best constant offset if it exceeds the limits and is not near zero.

    Where footage is repeated, the sum over the pieces varies more than by chance, and so do its peaks.
    """
    total = pieces.scores.sum(axis=0)
    best = int(total.argmax())
    others = np.delete(total, np.s_[max(best - _PEAK, 0) : best + _PEAK + 1])
    spread = max(1.0, float(others.std()))
    lead = total[best] - total[_REACH - _NEAR : _REACH + _NEAR + 1].max()
    if abs(best - _REACH) < _SMALLEST or lead < _CONSTANT.lead * spread:
        return None
    if total[best] - others.mean() < _CONSTANT.score * spread:
        return None
    offset = pieces.seconds(best)
    return OffsetFit(float(pieces.times[0]), offset, float(pieces.times[-1]), offset)


def _fit_line(pieces: _Pieces) -> tuple[float, OffsetFit] | None:
    """Returns the best line and its lead over the best constant offset, if it exceeds the limits."""
    span = pieces.times[-1] - pieces.times[0]
    along = (pieces.times - pieces.times[0]) / span
    begins, ends = np.arange(-_BEGIN, _BEGIN + 1)[:, None], _list_ends(_STEEPEST * span / GRID)[None]
    score, share = (np.zeros((len(begins), ends.size)) for _ in range(2))
    for row, part, u in zip(pieces.scores, pieces.share, along, strict=True):
        column = np.rint(begins * (1 - u) + ends * u).astype(int) + _REACH
        inside = (column >= 0) & (column <= 2 * _REACH)
        score += np.where(inside, row[np.clip(column, 0, 2 * _REACH)], 0)
        share += inside * part
    change = np.abs(ends - begins)
    score /= np.sqrt(np.maximum(share, 1e-9))
    score[(change < _CHANGE) | (change > _STEEPEST * span / GRID) | ~_is_apart(begins, ends)] = -np.inf
    in_step = np.broadcast_to(np.abs(begins) <= _NEAR, score.shape)
    best = _choose(score, in_step, pieces.constant, _LINE, _ANY_LINE)
    if best is None:
        return None
    lead, (i, j) = best
    slope = (ends[0, j] - begins[i, 0]) / span
    last = pieces.times[-1]
    if abs(ends[0, j]) > _REACH:  # where the line leaves the measured offsets
        last = pieces.times[0] + (np.sign(slope) * _REACH - begins[i, 0]) / slope
    final = begins[i, 0] + slope * (last - pieces.times[0])
    at = pieces.seconds
    return lead, OffsetFit(float(pieces.times[0]), at(_REACH + begins[i, 0]), float(last), at(_REACH + final))


def _list_ends(furthest: float) -> np.ndarray:
    """Offsets at the end, in steps: all within reach, and ever fewer beyond it, up to `furthest`."""
    count = int(np.log(max(furthest / _REACH, 1)) / _DENSITY)
    beyond = _REACH * np.exp(_DENSITY * np.arange(1, count + 1))
    return np.concatenate([-beyond[::-1], np.arange(-_REACH, _REACH + 1), beyond])


def _fit_step(pieces: _Pieces) -> tuple[float, OffsetFit] | None:
    """Returns the best step and its lead over the best constant offset, if it exceeds the limits."""
    before = np.cumsum(pieces.scores, axis=0)[:-1]
    after = pieces.scores.sum(axis=0) - before
    lags = np.arange(-_REACH, _REACH + 1)
    far = (np.abs(lags[:, None] - lags) >= _CHANGE) & _is_apart(lags[:, None], lags)
    in_step = np.minimum(np.abs(lags[:, None]), np.abs(lags)) <= _NEAR
    best, at = None, 0
    for place in range(len(before)):
        score = np.where(far, before[place][:, None] + after[place], -np.inf)
        found = _choose(score, in_step, pieces.constant, _STEP, _ANY_STEP)
        if found and (best is None or found[0] > best[0]):
            best, at = found, place
    if best is None:
        return None
    lead, (i, j) = best
    begin, step, end = pieces.times[0], pieces.times[at : at + 2].mean(), pieces.times[-1]
    return lead, OffsetFit(float(begin), pieces.seconds(i), float(end), pieces.seconds(j), float(step))


def _is_apart(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    return np.maximum(np.abs(first), np.abs(last)) >= _CHANGE


def _choose(
    score: np.ndarray, in_step: np.ndarray, constant: float, near: _Limits, other: _Limits
) -> tuple[float, tuple[int, ...]] | None:
    """Returns the lead and place of the best entry of the scores that exceeds its limits."""
    for mask, limits in ((in_step, near), (True, other)):
        masked = np.where(mask, score, -np.inf)
        place = np.unravel_index(int(masked.argmax()), score.shape)
        if masked[place] >= limits.score and masked[place] - constant >= limits.lead:
            return float(masked[place]) - constant, tuple(int(k) for k in place)
    return None
