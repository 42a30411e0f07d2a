"""The table of metrics: name, titles, description, format, direction and functions of each.

Text tables, report page, grid, comparison, CSV, JSON and its schema read it. A new metric is an entry here,
a function of a `Sample`, and a line in docs/evaluation.md. Its interval comes from a bootstrap: from
`resample`, if given, else from `compute` on every draw. The committed schema is generated from the table:

    python -m lipfd_jax.tools.schemas
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from lipfd_jax.evaluation.metrics import calibration_metrics as calibration
from lipfd_jax.evaluation.metrics import detection_metrics as detection
from lipfd_jax.evaluation.metrics import source_metrics as within_sources
from lipfd_jax.evaluation.metrics.metric import Metric, View
from lipfd_jax.evaluation.metrics.samples import Sample


def list_metrics(view: View) -> tuple[Metric, ...]:
    """The metrics that a view shows, in its order."""
    return tuple(sorted((m for m in METRICS if view in m.views), key=lambda metric: metric.views[view]))


def get_metric(name: str) -> Metric:
    """The metric of a name. KeyError for any other."""
    return {metric.name: metric for metric in METRICS}[name]


def _of_columns(function: Callable[[np.ndarray, np.ndarray], float]) -> Callable[[Sample], float]:
    """A function of labels and scores as one of a sample."""
    return lambda sample: function(sample.labels, sample.scores)


def _select_value(function: Callable[[Any], tuple], index: int) -> Callable[[Any], Any]:
    """One of the values that a function returns, which is called once for all."""
    return lambda sample: sample.cached(function)[index]


def _subtract_values(first: Callable[[Any], Any], second: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda sample: sample.cached(first) - sample.cached(second)


def _format_place(value: float | None) -> str:
    return "" if value is None else f"at {value:.3f}"


def _format_sources(metrics: Any) -> str:
    count = metrics.matched_sources
    return "in one source" if count == 1 else f"in {count:,} sources"


_cllr, _min_cllr = _of_columns(calibration.compute_cllr), _of_columns(calibration.compute_min_cllr)
_COUNT: dict[str, Any] = {
    "direction": "none",
    "digits": 0,
    "integer": True,
    "maximum": None,
    "has_interval": False,
}

METRICS: tuple[Metric, ...] = (
    Metric(
        name="tp",
        label="TP",
        description="Fakes called fake, at {at}.",
        compute=lambda sample: sample.tp,
        views={"text": 210},
        **_COUNT,
    ),
    Metric(
        name="tn",
        label="TN",
        description="Real ones called real, at {at}.",
        compute=lambda sample: sample.real - sample.fp,
        views={"text": 220},
        **_COUNT,
    ),
    Metric(
        name="fp",
        label="FP",
        description="Real ones called fake, at {at}: false alarms.",
        compute=lambda sample: sample.fp,
        views={"text": 230},
        **_COUNT,
    ),
    Metric(
        name="fn",
        label="FN",
        description="Fakes called real, at {at}: misses.",
        compute=lambda sample: sample.fakes - sample.tp,
        views={"text": 240},
        **_COUNT,
    ),
    Metric(
        name="acc",
        label="ACC at {at}",
        title="ACC, accuracy",
        description="Share classified correctly when a score of {at} or more is called fake.",
        direction="higher",
        compute=detection.compute_accuracy,
        resample=detection.compute_accuracy,
        percent=True,
        detail=lambda m: f"{m.tp + m.tn:,} of {m.n:,}",
        views={"text": 10, "page": 10, "comparison": 40},
    ),
    Metric(
        name="balanced_acc",
        label="balanced ACC at {at}",
        title="Balanced ACC",
        description="The same, as if there were as many real ones as fakes. 50 % is guessing.",
        direction="higher",
        compute=detection.compute_balanced_accuracy,
        resample=detection.compute_balanced_accuracy,
        percent=True,
        views={"text": 20, "page": 20, "grid": 40},
    ),
    Metric(
        name="fpr",
        label="FPR at {at}",
        title="FPR, false alarms",
        description="Share of the real ones called fake, at threshold {at}.",
        direction="lower",
        compute=detection.compute_fpr,
        resample=detection.compute_fpr,
        percent=True,
        detail=lambda m: f"{m.fp:,} of {m.n - m.positives:,}",
        views={"text": 90, "page": 60, "grid": 50, "comparison": 50, "suites": 20},
    ),
    Metric(
        name="fnr",
        label="FNR at {at}",
        title="FNR, misses",
        description="Share of the fakes called real, at threshold {at}.",
        direction="lower",
        compute=detection.compute_fnr,
        resample=detection.compute_fnr,
        percent=True,
        detail=lambda m: f"{m.fn:,} of {m.positives:,}",
        views={
            "text": 100,
            "page": 70,
            "grid": 60,
            "comparison": 60,
            "suites": 30,
            "suite_differences": 20,
        },
    ),
    Metric(
        name="f1",
        label="F1 at {at}",
        title="F1",
        description="Harmonic mean of the share of fakes found and the share of fakes among those called "
        "fake, at {at}.",
        direction="higher",
        compute=detection.compute_f1,
        resample=detection.compute_f1,
        views={"text": 30, "further": 40},
    ),
    Metric(
        name="ap",
        label="AP",
        title="AP, average precision",
        description="Precision averaged over the ranking from the highest score down. 1 is perfect; guessing "
        "gives the share of fakes in the data.",
        direction="higher",
        compute=detection.compute_average_precision,
        resample=detection.resample_average_precision,
        both_classes=True,
        views={"text": 40, "page": 40, "grid": 20, "comparison": 20},
    ),
    Metric(
        name="matched_rank",
        label="matched rank",
        title="Matched rank",
        description="Chance that a fake scores higher than a real one of the same source (person or "
        "footage), mean over the sources that hold both: 0.5 is guessing, 1 is perfect. People and footage "
        "are not compared with each other.",
        direction="higher",
        compute=within_sources.compute_mean_rank,
        resample=within_sources.resample_mean_rank,
        both_classes=True,
        needs_sources=True,
        detail=_format_sources,
        views={
            "text": 44,
            "page": 25,
            "grid": 15,
            "comparison": 15,
            "suites": 15,
            "suite_differences": 15,
        },
    ),
    Metric(
        name="matched_sources",
        label="  sources that hold both",
        description="Sources with real ones and fakes, which the matched rank is the mean over.",
        compute=within_sources.count_matched_sources,
        needs_sources=True,
        views={"text": 46},
        **_COUNT,
    ),
    Metric(
        name="auc",
        label="AUC",
        title="AUC",
        description="Chance that a fake picked at random scores higher than a real one picked at random: "
        "0.5 is guessing, 1 is perfect. Needs no threshold. Over clips of many origins, file properties "
        "alone can make it high: read it with the matched rank.",
        direction="higher",
        compute=detection.compute_auc,
        resample=detection.resample_auc,
        both_classes=True,
        views={
            "text": 50,
            "page": 30,
            "grid": 10,
            "comparison": 10,
            "suites": 10,
            "suite_differences": 10,
        },
    ),
    Metric(
        name="partial_auc",
        label="partial AUC, FPR to 0.1",
        title="Partial AUC",
        description="AUC of few false alarms only (up to 10 %), stretched so that 0.5 is guessing (McClish).",
        direction="higher",
        compute=detection.compute_partial_auc,
        resample=detection.resample_partial_auc,
        both_classes=True,
        views={"text": 60, "further": 30},
    ),
    Metric(
        name="eer",
        label="EER",
        title="EER, equal error rate",
        description="Errors at the threshold where false alarms and misses are equally frequent. Lower is "
        "better, 50 % is guessing.",
        direction="lower",
        compute=_select_value(detection.find_eer, 0),
        resample=_select_value(detection.resample_eer, 0),
        both_classes=True,
        percent=True,
        detail=lambda m: _format_place(m.eer_threshold),
        views={"text": 70, "page": 50, "grid": 30, "comparison": 30},
    ),
    Metric(
        name="eer_threshold",
        label="  threshold there",
        description="Threshold of the EER.",
        direction="none",
        compute=_select_value(detection.find_eer, 1),
        resample=_select_value(detection.resample_eer, 1),
        both_classes=True,
        digits=4,
        views={"text": 80},
    ),
    Metric(
        name="tpr_at_fpr_1",
        label="TPR at FPR 0.01",
        title="TPR at FPR 1 %",
        description="Share of the fakes found where at most 1 % of the real ones may be called fake.",
        direction="higher",
        compute=lambda sample: detection.compute_tpr_at_fpr(sample.curve, 0.01),
        resample=partial(detection.resample_tpr_at_fpr, fpr=0.01),
        both_classes=True,
        percent=True,
        views={"text": 110, "further": 10, "grid": 70},
    ),
    Metric(
        name="tpr_at_fpr_5",
        label="TPR at FPR 0.05",
        title="TPR at FPR 5 %",
        description="The same with 5 %.",
        direction="higher",
        compute=lambda sample: detection.compute_tpr_at_fpr(sample.curve, 0.05),
        resample=partial(detection.resample_tpr_at_fpr, fpr=0.05),
        both_classes=True,
        percent=True,
        views={"text": 120, "further": 20},
    ),
    Metric(
        name="brier",
        label="Brier",
        title="Brier score",
        description="Mean squared distance of score and truth, 0 is perfect.",
        direction="lower",
        compute=_of_columns(calibration.compute_brier),
        resample=calibration.resample_brier,
        views={"text": 130, "further": 50},
    ),
    Metric(
        name="log_loss",
        label="log loss",
        title="Log loss",
        description="Mean surprise at the truth if scores are probabilities, in natural units; 0 is perfect.",
        direction="lower",
        compute=_of_columns(calibration.compute_log_loss),
        resample=calibration.resample_log_loss,
        maximum=None,
        views={"text": 140, "further": 60},
    ),
    Metric(
        name="ece",
        label=f"ECE, {calibration.BINS} equal bins",
        title="ECE, expected calibration error",
        description="Mean distance of scores from the share of fakes among those with such scores, over "
        f"{calibration.BINS} bins of equal width.",
        direction="lower",
        compute=_of_columns(calibration.compute_ece),
        resample=calibration.resample_ece,
        views={"text": 150, "further": 70, "grid": 100},
    ),
    Metric(
        name="cllr",
        label="Cllr, bits",
        title="Cllr",
        description="Cost of the scores as evidence, in bits: 0 is perfect, 1 is no information.",
        direction="lower",
        compute=_cllr,
        resample=calibration.resample_cllr,
        both_classes=True,
        maximum=None,
        views={"text": 160, "further": 80, "grid": 80, "comparison": 70},
    ),
    Metric(
        name="min_cllr",
        label="minCllr",
        title="minCllr",
        description="The part of Cllr that no recalibration can remove.",
        direction="lower",
        compute=_min_cllr,
        resample=calibration.resample_min_cllr,
        both_classes=True,
        maximum=None,
        views={"text": 170, "further": 90, "grid": 90, "comparison": 80},
    ),
    Metric(
        name="calibration_loss",
        label="  difference to Cllr",
        title="Cllr \u2212 minCllr",
        description="What a better calibration would save.",
        direction="lower",
        compute=_subtract_values(_cllr, _min_cllr),
        resample=_subtract_values(calibration.resample_cllr, calibration.resample_min_cllr),
        both_classes=True,
        minimum=None,
        maximum=None,
        views={"text": 180, "further": 100},
    ),
    Metric(
        name="best_acc",
        label="best ACC (in hindsight)",
        title="Best ACC in hindsight",
        description="Accuracy had the threshold been chosen knowing the answers: what another threshold "
        "could bring at most.",
        direction="higher",
        compute=_select_value(detection.find_best_accuracy, 0),
        resample=detection.resample_best_accuracy,
        percent=True,
        detail=lambda m: _format_place(m.best_threshold),
        views={"text": 190, "further": 110},
    ),
    Metric(
        name="best_threshold",
        label="  threshold there",
        description="Lowest score called fake there; none where calling nothing fake is best.",
        direction="none",
        compute=_select_value(detection.find_best_accuracy, 1),
        has_interval=False,
        digits=4,
        views={"text": 200},
    ),
)
