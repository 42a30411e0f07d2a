"""From window scores to evidence, suspicious stretches and one of five outcomes."""

from collections.abc import Sequence

import numpy as np

from lipfd_jax.checkpoints.calibration import Calibration
from lipfd_jax.detection.result import Caution, CurvePoint, ErrorRates, Evidence, Suspicion
from lipfd_jax.detection.texts import SERIOUS_LIMIT, Outcome
from lipfd_jax.vocabulary import THRESHOLD

NOTHING = Evidence(None, None, None)
# Of the log10 likelihood ratio: ten times likelier from a forgery, a hundred times.
_MODERATE, _STRONG = 1.0, 2.0
_UNCALIBRATED_MODERATE = 0.9  # score from which on an uncalibrated one is called moderate evidence
_SMOOTHING = 0.75  # seconds on both sides whose median is the smoothed score
_EDGE = 0.2  # seconds, a window's length: how far a stretch goes on beyond its last window's middle at a gap
_GAP = 2.0  # seconds without a window that end a stretch


def pooled(scores: Sequence[float], calibration: Calibration | None) -> float | None:
    """The score of a video from those of its windows, as the calibration was fitted; else their mean."""
    if not len(scores):
        return None
    kind = calibration.pooling if calibration else "mean"
    count = {"mean": len(scores), "topk": calibration.top if calibration else None, "max": 1}[kind]
    return float(np.mean(np.sort(scores)[-count:]))


def evidence(scores: Sequence[float], calibration: Calibration | None) -> Evidence:
    """What a face's windows come to."""
    score = pooled(scores, calibration)
    if score is None or calibration is None:
        return Evidence(score, None, None)
    ratio, probability = calibration.log10_likelihood_ratio(score), calibration.probability(score)
    return Evidence(score, float(ratio), float(probability))


def combined(faces: Sequence[Evidence], calibration: Calibration | None) -> Evidence:
    """What all faces come to: 'one of them, nobody knows which, is forged' against 'none is'.

    The likelihood ratio of that is the mean of the faces' ratios. The score is the highest.
    """
    faces = [face for face in faces if face.score is not None]
    if not faces:
        return NOTHING
    score = max(face.score for face in faces)
    if calibration is None:
        return Evidence(score, None, None)
    ratio = float(np.mean([10**face.log10_likelihood_ratio for face in faces]))
    odds = ratio * calibration.prior / (1 - calibration.prior)
    return Evidence(score, float(np.log10(ratio)), odds / (1 + odds))


def outcome(found: Evidence, calibration: Calibration | None, cautions: Sequence[Caution] = ()) -> Outcome:
    """One of the five outcomes."""
    if found.score is None:
        return "not_judged"
    if sum(caution.serious for caution in cautions) >= SERIOUS_LIMIT:
        return "inconclusive"
    if calibration is None:
        if found.score >= _UNCALIBRATED_MODERATE:
            return "moderate"
        return "inconclusive" if found.score >= THRESHOLD else "none"
    if found.probability >= calibration.threshold and found.log10_likelihood_ratio >= _MODERATE:
        return "strong" if found.log10_likelihood_ratio >= _STRONG else "moderate"
    below = found.probability < calibration.threshold and found.log10_likelihood_ratio < 0
    return "none" if below else "inconclusive"


def error_rates(calibration: Calibration | None) -> ErrorRates | None:
    """How often the calibration's threshold errs."""
    if calibration is None:
        return None
    return ErrorRates(
        threshold=calibration.threshold,
        false_positive_rate=calibration.false_positive_rate,
        false_negative_rate=calibration.false_negative_rate,
        data=calibration.data,
        videos=calibration.videos,
        prior=calibration.prior,
    )


def over_threshold(scores: np.ndarray, calibration: Calibration | None) -> np.ndarray:
    """(n,) bool: whether each score counts as fake."""
    if calibration is None:
        return np.asarray(scores) >= THRESHOLD
    return calibration.probability(np.asarray(scores, float)) >= calibration.threshold


def curve(middles: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(n,) the median of the scores within 0.75 s of each window's middle (n,), ascending."""
    first = np.searchsorted(middles, middles - _SMOOTHING)
    last = np.searchsorted(middles, middles + _SMOOTHING, side="right")
    return np.array([np.median(scores[a:b]) for a, b in zip(first, last, strict=True)])


def points(middles: np.ndarray, smooth: np.ndarray) -> tuple[CurvePoint, ...]:
    """The curve for a result."""
    return tuple(CurvePoint(round(float(t), 3), float(s)) for t, s in zip(middles, smooth, strict=True))


def suspicions(
    middles: np.ndarray, smooth: np.ndarray, calibration: Calibration | None
) -> tuple[Suspicion, ...]:
    """Stretches over the threshold; they end halfway to the next window below it."""
    over = over_threshold(smooth, calibration)
    found: list[Suspicion] = []
    for index in np.flatnonzero(over):
        start, end = (_edge(middles, index, step) for step in (-1, 1))
        score = float(smooth[index])
        if found and found[-1].end >= start - 1e-6:
            start, score = found[-1].start, max(score, found[-1].score)
            found.pop()
        found.append(Suspicion(round(start, 3), round(end, 3), score))
    return tuple(found)


def _edge(middles: np.ndarray, index: int, step: int) -> float:
    """Where what a window stands for ends: halfway to its neighbour, or at its own end beside a gap."""
    beside = index + step
    distance = abs(middles[beside] - middles[index]) if 0 <= beside < len(middles) else np.inf
    reach = distance / 2 if distance <= _GAP else _EDGE / 2
    return float(middles[index] + step * reach)
