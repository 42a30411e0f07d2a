"""Calibration: fits a map from scores to probabilities, and a threshold, on videos of known class.

Both classes have the same weight, however many videos each has: the calibrated probability assumes that real
and fake are equally likely beforehand, so its odds are the likelihood ratio.
"""

import dataclasses
import datetime
import os

import numpy as np

from lipfd_jax.checkpoints.calibration import Calibration, Kind, logit, write_calibration
from lipfd_jax.checkpoints.shipped import is_shipped_name
from lipfd_jax.data.sources import RecordReader
from lipfd_jax.evaluation.evaluate import DEFAULTS, Options, evaluate, open_detector
from lipfd_jax.evaluation.metrics.bootstrap import FEW_SOURCES
from lipfd_jax.evaluation.metrics.compute import compute_metrics
from lipfd_jax.evaluation.metrics.detection_metrics import compute_eer
from lipfd_jax.evaluation.metrics.pooling import MEAN_POOLING, Pooling, VideoScores, pool_videos
from lipfd_jax.evaluation.metrics.samples import compute_curve
from lipfd_jax.evaluation.metrics.scores import Scores
from lipfd_jax.evaluation.output_folder import read_scores_identity
from lipfd_jax.runtime.distributed import run_on_first

PRIOR = 0.5


@dataclasses.dataclass(frozen=True)
class CalibrationSettings:
    """How a calibration is fitted.

    Raises:
      ValueError: a value is impossible.
    """

    kind: Kind = "platt"  # or temperature: the slope alone
    pooling: Pooling = MEAN_POOLING
    target_fpr: float | None = None  # share of false alarms to allow; None: as many as misses (EER)

    def __post_init__(self):
        if self.target_fpr is not None and not 0 < self.target_fpr < 1:
            raise ValueError(f"target_fpr={self.target_fpr}: expected a share between 0 and 1, such as 0.05")


def fit_calibration(
    scores: Scores, settings: CalibrationSettings, *, weights: str, data: str, data_fingerprint: str
) -> Calibration:
    """Fits a line through the logits of videos' pooled scores by logistic regression, and a threshold.

    Labels are softened by one imagined video of each class (Platt, 1999), so that classes which do not
    overlap still give a finite slope.

    Args:
      scores: of windows that are in no test split.
      weights: fingerprint of the checkpoint's weights.
      data: description of the scored records.
      data_fingerprint: checksum of the records.

    Raises:
      ValueError: one class is missing, or the scores of fakes are not the higher ones.
    """
    videos = pool_videos(scores, settings.pooling)
    if len(np.unique(videos.label)) < 2:
        raise ValueError(f"{data}: a calibration needs real and fake videos, {len(videos.label)} of one kind")
    slope, intercept = _fit_line(videos, settings.kind)
    if slope <= 0:
        raise ValueError(f"{data}: fakes do not score higher than real videos; there is nothing to calibrate")
    line = Calibration(
        kind=settings.kind,
        slope=slope,
        intercept=intercept,
        pooling=settings.pooling.kind,
        top=settings.pooling.top,
        threshold=0.5,
        threshold_choice="",
        prior=PRIOR,
        data=data,
        data_fingerprint=data_fingerprint,
        videos=len(videos.label),
        sources_real=len(set(videos.source[videos.label == 0])),
        sources_fake=len(set(videos.source[videos.label == 1])),
        false_positive_rate=0.0,
        false_negative_rate=0.0,
        weights=weights,
        date=datetime.date.today().isoformat(),
    )
    return _with_threshold(line, videos, settings.target_fpr)


def _fit_line(videos: VideoScores, kind: Kind) -> tuple[float, float]:
    """Slope and intercept of the smallest log loss."""
    from sklearn.linear_model import LogisticRegression

    x = logit(videos.pooled)[:, None]
    counts = np.bincount(videos.label, minlength=2)
    softened = np.where(videos.label == 1, (counts[1] + 1) / (counts[1] + 2), 1 / (counts[0] + 2))
    each = 1 / counts[videos.label]
    model = LogisticRegression(
        C=np.inf, fit_intercept=kind == "platt", solver="newton-cholesky", tol=1e-10, max_iter=1000
    )
    # Each video is fitted once as fake and once as real, weighted by its softened label.
    model.fit(
        np.concatenate([x, x]),
        np.repeat([1, 0], len(x)),
        sample_weight=np.concatenate([softened * each, (1 - softened) * each]) * len(x) / 2,
    )
    return float(model.coef_[0, 0]), float(model.intercept_[0]) if kind == "platt" else 0.0


def _with_threshold(line: Calibration, videos: VideoScores, target_fpr: float | None) -> Calibration:
    probabilities = line.probability(videos.pooled)
    points = compute_curve(videos.label, probabilities)
    if target_fpr is None:
        threshold, choice = compute_eer(points)[1], "equal error rate"
    else:
        last = int(np.flatnonzero(points.fp <= target_fpr * points.fp[-1] + 1e-9)[-1])
        upper = points.thresholds[last] if last else 1.0
        # Halfway to the next lower score, so that no score is at the threshold itself.
        threshold = (upper + points.thresholds[last + 1]) / 2 if last + 1 < len(points.tp) else upper
        choice = f"false positive rate {target_fpr:g}"
    threshold = float(np.clip(threshold, 0, 1))
    found = compute_metrics(videos.label, probabilities, threshold)
    return dataclasses.replace(
        line,
        threshold=threshold,
        threshold_choice=f"{choice} on {line.videos} videos it was fitted on",
        false_positive_rate=found.fpr,
        false_negative_rate=found.fnr,
    )


def calibrate_checkpoint(
    checkpoint: str,
    source: RecordReader,
    output: str | os.PathLike,
    *,
    step: int | None = None,
    settings: CalibrationSettings,
    options: Options = DEFAULTS,
) -> Calibration | None:
    """Evaluates without calibration, as `evaluate` does, fits one on the scores and stores it.

    Returns:
      The calibration; None on processes other than the first.

    Raises:
      ValueError: an export, a test split, a threshold asked for, or scores that can't be calibrated; and as
        `evaluate`.
    """
    split = getattr(source, "split", "").split("[")[0]
    if split == "test":
        raise ValueError(
            f"{source}: a calibration fitted on the test split would be tested on itself; "
            "fit it on others, such as --split=validation"
        )
    if is_shipped_name(checkpoint):
        raise ValueError(
            f"{checkpoint}: belongs to the installation and is calibrated; fit a copy of it, made with "
            f"lipfd convert {checkpoint} COPY --packed"
        )
    if options.threshold is not None:
        raise ValueError(f"threshold={options.threshold}: fitting chooses it; give target_fpr instead")
    plain = dataclasses.replace(options, calibrated=False, pooling=settings.pooling)
    detector = open_detector(checkpoint, step=step, options=plain)
    if detector.engine:
        raise ValueError(
            f"{checkpoint}: an export keeps the calibration of the checkpoint it was made of; fit that one, "
            "then export it again"
        )
    done = evaluate(detector, source, output, options=plain)
    kept: list[Calibration] = []

    def store() -> None:
        assert done is not None  # only the first process stores
        held = read_scores_identity(output)
        found = fit_calibration(
            done.scores, settings, weights=held.weights, data=held.data, data_fingerprint=held.records
        )
        write_calibration(held.checkpoint, found)
        print(f"\n{_describe_calibration(found)}\nstored in {held.checkpoint}")
        kept.append(found)

    run_on_first(store)
    return kept[0] if kept else None


def _describe_calibration(found: Calibration) -> str:
    """A calibration in lines to print."""
    few = min(found.sources_real, found.sources_fake)
    lines = [
        f"calibration ({found.kind}): logit of probability = {found.slope:.4g} x logit of score "
        f"{found.intercept:+.4g}",
        f"threshold {found.threshold:.4g} ({found.threshold_choice}): FPR {found.false_positive_rate:.4f}, "
        f"FNR {found.false_negative_rate:.4f}; too hopeful, as it was chosen on these videos",
        f"fitted on {found.videos:,} videos of {found.sources_real:,} real and {found.sources_fake:,} fake "
        f"sources: likelihood ratios are capped at {few:,}",
    ]
    if few < FEW_SOURCES:
        lines.append(f"warning: with fewer than {FEW_SOURCES} sources of a class it rests on little")
    return "\n".join(lines)
