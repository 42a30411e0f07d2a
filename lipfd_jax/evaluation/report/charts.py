"""Charts of an evaluation, from labels (n,) int, 0 real or 1 fake, and scores (n,) float in 0..1."""

from collections.abc import Mapping

import numpy as np

from lipfd_jax.checkpoints.calibration import Calibration, logit
from lipfd_jax.evaluation.metrics.calibration_metrics import BINS, assign_bins
from lipfd_jax.pages.axes import det_axis, number_axis, percent_axis, sqrt_percent_axis, unit_axis
from lipfd_jax.pages.charts import Chart, Guide, Series
from lipfd_jax.vocabulary import LABELS

ScoreColumns = Mapping[
    str, tuple[np.ndarray, np.ndarray, float]
]  # name, such as "videos": labels, scores, threshold
_COLOURS = ("accent", "second", "third")
_LARGEST_LOG10 = 6.0  # likelihood ratios beyond a million to one are drawn at the edge


def build_curve_charts(columns: ScoreColumns) -> list[Chart]:
    """ROC, DET and precision-recall of the named scores; each must hold both classes."""
    return [make(columns) for make in (build_roc_chart, build_det_chart, build_precision_recall_chart)]


def build_roc_chart(columns: ScoreColumns) -> Chart:
    """ROC: true positive rate against false positive rate, the threshold marked on each line."""
    from sklearn.metrics import roc_curve  # import takes a second; scoring needs none

    lines = []
    for place, (name, (labels, scores, threshold)) in enumerate(columns.items()):
        fpr, tpr, thresholds = roc_curve(labels, scores, drop_intermediate=False)
        lines.append(_build_series(place, name, fpr, tpr, thresholds, threshold))
    return Chart(
        "ROC",
        percent_axis("false alarms"),
        percent_axis("fakes found"),
        lines,
        "Every threshold at once: a lower one finds more fakes and raises more false alarms. The nearer "
        "the curve comes to the upper left corner, the better; the area below it is the AUC, guessing is "
        f"the dotted line. The dot is the threshold {threshold:.4g}.",
        guides=[Guide((0, 1), (0, 1))],
        note_head="threshold",
    )


def build_det_chart(columns: ScoreColumns) -> Chart:
    """DET: false negative rate against false positive rate, on axes of normal deviates."""
    from sklearn.metrics import det_curve

    lines, smallest = [], 0.5
    for place, (name, (labels, scores, threshold)) in enumerate(columns.items()):
        fpr, fnr, thresholds = det_curve(labels, scores)
        smallest = min([smallest, *fpr[fpr > 0], *fnr[fnr > 0]])
        lines.append(_build_series(place, name, fpr, fnr, thresholds, threshold))
    across, up = (det_axis(label, lowest=smallest) for label in ("false alarms", "fakes missed"))
    return Chart(
        "DET",
        across,
        up,
        lines,
        "The same with both kinds of error, the small ones spread out. The nearer to the lower left "
        "corner, the better; on the dotted line both are equally frequent (EER).",
        guides=[Guide((across.low, across.high), (up.low, up.high))],
        note_head="threshold",
    )


def build_precision_recall_chart(columns: ScoreColumns) -> Chart:
    """Precision against recall."""
    from sklearn.metrics import precision_recall_curve

    lines, guides = [], []
    for place, (name, (labels, scores, threshold)) in enumerate(columns.items()):
        precision, recall, thresholds = precision_recall_curve(labels, scores)
        falling = np.append(thresholds, np.inf)[::-1]
        lines.append(_build_series(place, name, recall[::-1], precision[::-1], falling, threshold))
        guides.append(Guide((0, 1), (float(np.mean(labels)),) * 2))
    return Chart(
        "Precision and recall",
        percent_axis("fakes found"),
        percent_axis("fakes among those called fake"),
        lines,
        "How far one can trust a call of 'fake', against how many are found. Depends on how many fakes "
        "the data hold: guessing gives the dotted line. The area below is the AP.",
        guides=guides,
        note_head="threshold",
    )


def build_histogram_chart(labels: np.ndarray, scores: np.ndarray, *, threshold: float, noun: str) -> Chart:
    """Histograms of the scores of real samples and of fakes, as shares of each class; `noun` names them."""
    edges = np.linspace(0, 1, 41)
    lines = []
    for label, name in enumerate(LABELS):
        part = scores[labels == label]
        if len(part):
            counts = np.histogram(part, edges)[0]
            notes = tuple(f"{count:,} of {len(part):,}" for count in counts)
            lines.append(
                Series(
                    f"{name} {noun} ({len(part):,})", edges, counts / len(part), name, steps=True, notes=notes
                )
            )
    return Chart(
        f"Scores of {noun}",
        unit_axis("score"),
        sqrt_percent_axis("share of the class"),
        lines,
        f"The less the two shapes overlap, the better: fake {noun} left of the dotted line, the threshold "
        f"{threshold:.4g}, were missed, real ones right of it were false alarms. Heights are drawn "
        "compressed, so that rare scores can be seen.",
        guides=[Guide((threshold, threshold), (0, 1))],
        note_head="count",
    )


def build_reliability_chart(labels: np.ndarray, scores: np.ndarray, *, noun: str) -> Chart:
    """Reliability: share of fakes against the score in `BINS` equal bins, with 95 % Wilson intervals."""
    bins = assign_bins(scores)
    counts = np.bincount(bins, minlength=BINS)
    kept = counts > 0
    count = counts[kept]
    means = np.bincount(bins, scores, BINS)[kept] / count
    fakes = np.bincount(bins, labels, BINS)[kept] / count
    low, high = compute_wilson_interval(fakes, count)
    notes = tuple(f"{number:,}" for number in count)
    line = Series(noun, means, fakes, dots=True, low=low, high=high, notes=notes)
    return Chart(
        f"Reliability, {noun}",
        unit_axis("score"),
        percent_axis("share of fakes"),
        [line],
        f"Whether a score can be read as a probability, for data with as many fakes as these: {noun} with "
        f"scores near 0.8, say, should be fake four times of five (dotted line). {BINS} bins "
        "of equal width; whiskers are 95 % intervals of each bin's share.",
        guides=[Guide((0, 1), (0, 1))],
        note_head=noun,
    )


def build_tippett_chart(
    labels: np.ndarray, scores: np.ndarray, calibration: Calibration | None = None
) -> Chart:
    """Tippett plot: share of real and of fake videos whose likelihood ratio is above a value."""
    if calibration is None:
        ratios = logit(scores) / np.log(10)
        source = "No calibration was applied: scores are taken for probabilities at even odds."
    else:
        ratios = calibration.log10_likelihood_ratio(scores)
        source = "From the calibration stored with the checkpoint, capped at what its data can support."
    ratios = np.clip(ratios, -_LARGEST_LOG10, _LARGEST_LOG10)
    axis = number_axis("log10 of the likelihood ratio", [-1, 1, *ratios])
    lines = []
    for label, name in enumerate(LABELS):
        part = np.sort(ratios[labels == label])
        if len(part):
            above = 1 - np.arange(len(part) + 1) / len(part)
            x, y = np.repeat([axis.low, *part, axis.high], 2)[1:-1], np.repeat(above, 2)
            lines.append(Series(f"{name} videos ({len(part):,})", x, y, name, dash=label))
    return Chart(
        "Tippett plot",
        axis,
        percent_axis("videos with a larger ratio"),
        lines,
        "How much likelier a score is from a fake than from a real video; 0 says nothing either way. Good "
        "evidence puts fakes right of the dotted line and real videos left of it; what lies on the wrong "
        f"side, and how far, is misleading evidence. {source}",
        guides=[Guide((0, 0), (0, 1))],
    )


def compute_wilson_interval(
    share: np.ndarray, count: np.ndarray, *, z: float = 1.959964
) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's 95 % interval of shares (n,) of `count` (n,) independent trials."""
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return np.maximum(middle - half, 0), np.minimum(middle + half, 1)


def _build_series(
    place: int, name: str, x: np.ndarray, y: np.ndarray, thresholds: np.ndarray, threshold: float
) -> Series:
    """A curve over thresholds that fall or rise, the one in force marked: the lowest at or above it."""
    at_or_above = np.flatnonzero(thresholds >= threshold)
    falling = thresholds[0] >= thresholds[-1]
    marks = (int(at_or_above[-1 if falling else 0]),) if at_or_above.size else ()
    notes = tuple("none called fake" if np.isinf(value) else f"{value:.4g}" for value in thresholds)
    return Series(name, x, y, _COLOURS[place % len(_COLOURS)], dash=place, marks=marks, notes=notes)
