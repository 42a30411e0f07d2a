"""Verdict of a video: evidence from window scores, suspicious stretches and one of five outcomes."""

from collections.abc import Sequence

import numpy as np

from lipfd_jax.checkpoints.calibration import Calibration
from lipfd_jax.detection.result import Caution, CurvePoint, ErrorRates, Evidence, Suspicion
from lipfd_jax.detection.texts import SERIOUS_LIMIT, Outcome
from lipfd_jax.evaluation.metrics.pooling import DEFAULT_DECISION, Decision, pool_windows
from lipfd_jax.preprocessing.paper_windows import WINDOW_SECONDS

NO_EVIDENCE = Evidence(None, None, None)
# Of the log10 likelihood ratio: ten times likelier from a forgery, a hundred times.
MODERATE, _STRONG = 1.0, 2.0
_UNCALIBRATED_MODERATE = 0.9  # lowest uncalibrated score that is moderate evidence
_SMOOTHING = 0.75  # seconds on both sides whose median is the smoothed score
_GAP = 2.0  # seconds without a window that end a stretch


def compute_evidence(scores: Sequence[float], decision: Decision = DEFAULT_DECISION) -> Evidence:
    """Evidence of one face: the pooled score of its windows, calibrated if the decision is."""
    if not len(scores):
        return NO_EVIDENCE
    score, calibration = pool_windows(scores, decision.pooling), decision.calibration
    if calibration is None:
        return Evidence(score, None, None)
    ratio, probability = calibration.log10_likelihood_ratio(score), calibration.probability(score)
    return Evidence(score, float(ratio), float(probability))


def combine_faces(faces: Sequence[Evidence], decision: Decision = DEFAULT_DECISION) -> Evidence:
    """Evidence of a video: 'one of its faces, unknown which, is forged' against 'none is'.

    The likelihood ratio of that is the mean of the faces' ratios. The score is the highest.
    """
    calibration = decision.calibration
    scores = [face.score for face in faces if face.score is not None]
    if not scores:
        return NO_EVIDENCE
    score = max(scores)
    if calibration is None:
        return Evidence(score, None, None)
    logs = [face.log10_likelihood_ratio for face in faces if face.log10_likelihood_ratio is not None]
    ratio = float(np.mean([10**log for log in logs]))
    odds = ratio * calibration.prior / (1 - calibration.prior)
    return Evidence(score, float(np.log10(ratio)), odds / (1 + odds))


def choose_outcome(
    evidence: Evidence, decision: Decision = DEFAULT_DECISION, cautions: Sequence[Caution] = ()
) -> Outcome:
    """One of the five outcomes: evidence against the threshold, and the warnings that apply."""
    if evidence.score is None:
        return "not_judged"
    if sum(caution.serious for caution in cautions) >= SERIOUS_LIMIT:
        return "inconclusive"
    ratio, probability = evidence.log10_likelihood_ratio, evidence.probability
    if decision.calibration is None or ratio is None or probability is None:
        if evidence.score >= _UNCALIBRATED_MODERATE:
            return "moderate"
        return "inconclusive" if evidence.score >= decision.threshold else "none"
    if probability >= decision.threshold and ratio >= MODERATE:
        return "strong" if ratio >= _STRONG else "moderate"
    below = probability < decision.threshold and ratio < 0
    return "none" if below else "inconclusive"


def read_error_rates(calibration: Calibration | None) -> ErrorRates | None:
    """Error rates measured at the calibration's threshold; None without a calibration."""
    if calibration is None:
        return None
    return ErrorRates(
        threshold=calibration.threshold,
        false_positive_rate=calibration.false_positive_rate,
        false_negative_rate=calibration.false_negative_rate,
        data=calibration.data,
        videos=calibration.videos,
        sources_real=calibration.sources_real,
        sources_fake=calibration.sources_fake,
        prior=calibration.prior,
    )


def smooth_scores(middles: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(n,) running median of scores (n,) within 0.75 s of the windows' middles (n,), in ascending seconds."""
    first = np.searchsorted(middles, middles - _SMOOTHING)
    last = np.searchsorted(middles, middles + _SMOOTHING, side="right")
    return np.array([np.median(scores[a:b]) for a, b in zip(first, last, strict=True)])


def make_curve_points(middles: np.ndarray, smooth: np.ndarray) -> tuple[CurvePoint, ...]:
    """Points of a smoothed curve (n,), times rounded to milliseconds."""
    return tuple(CurvePoint(round(float(t), 3), float(s)) for t, s in zip(middles, smooth, strict=True))


def find_suspicions(
    middles: np.ndarray,
    smooth: np.ndarray,
    decision: Decision = DEFAULT_DECISION,
    *,
    scores: np.ndarray | None = None,
    within: tuple[float, float] = (0.0, np.inf),
) -> tuple[Suspicion, ...]:
    """Stretches whose smoothed score (n,) reaches the threshold; neighbouring windows are of one stretch.

    Each ends halfway to the next window below the threshold, or with its last window if none follows in 2 s.

    Args:
      middles: (n,) the windows' middles, ascending seconds.
      scores: (n,) the windows' own scores, for the peaks; by default the smoothed ones.
      within: first and last second of the face, which no stretch exceeds.
    """
    own = smooth if scores is None else scores
    return tuple(
        _build_suspicion(middles, smooth, own, first, last, within)
        for first, last in _find_runs(decision.is_fake(smooth), middles)
    )


def _find_runs(suspicious: np.ndarray, middles: np.ndarray) -> list[tuple[int, int]]:
    """First and last window of each run of suspicious ones (n,); windows over 2 s apart are of two runs."""
    runs: list[tuple[int, int]] = []
    for index in map(int, np.flatnonzero(suspicious)):
        if runs and runs[-1][1] == index - 1 and middles[index] - middles[index - 1] <= _GAP:
            runs[-1] = (runs[-1][0], index)
        else:
            runs.append((index, index))
    return runs


def _build_suspicion(
    middles: np.ndarray,
    smooth: np.ndarray,
    scores: np.ndarray,
    first: int,
    last: int,
    within: tuple[float, float],
) -> Suspicion:
    start, end = np.clip((_find_edge(middles, first, -1), _find_edge(middles, last, 1)), *within)
    peak = first + int(np.argmax(scores[first : last + 1]))
    return Suspicion(
        start=round(float(start), 3),
        end=round(float(end), 3),
        score=float(smooth[first : last + 1].max()),
        peak_time=round(float(middles[peak]), 3),
        peak_score=float(scores[peak]),
    )


def _find_edge(middles: np.ndarray, index: int, step: int) -> float:
    """Time at which a window's share of the curve ends: halfway to its neighbour, or its own end at a gap."""
    other = index + step
    distance = abs(middles[other] - middles[index]) if 0 <= other < len(middles) else np.inf
    reach = distance / 2 if distance <= _GAP else WINDOW_SECONDS / 2
    return float(middles[index] + step * reach)
