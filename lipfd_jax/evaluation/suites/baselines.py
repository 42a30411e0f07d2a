"""Baselines without a model: AUC by properties of the files alone, and by the sharpness of mouths."""

from collections.abc import Sequence
from typing import Any

import av
import cv2
import numpy as np

from lipfd_jax.evaluation.metrics.bootstrap import BootstrapSettings, compute_intervals
from lipfd_jax.evaluation.metrics.compute import compute_metrics
from lipfd_jax.evaluation.suites.results import Baseline
from lipfd_jax.evaluation.suites.videos import ClipVideo, SuiteVideo
from lipfd_jax.preprocessing.composite import Window, resize_to_tile
from lipfd_jax.preprocessing.containers import open_container
from lipfd_jax.preprocessing.mouth_region import locate_mouth
from lipfd_jax.preprocessing.stream_choice import choose_audio, choose_video

_FOLDS = 5
_MEANING = "Reached here by {what} alone: a detector must do better to show anything."
_LACKING = {  # in a few words: the same in a sentence
    "too few sources": "Not known here: a class has fewer than two sources to fit on and score.",
    "needs the clips": "Not known here: the files have to be at hand (--clips).",
}


def measure_video(video: SuiteVideo, windows: Sequence[Window]) -> dict[str, Any]:
    """Properties of a video that need no model: a row for `compute_baselines`, of plain values.

    File properties (bit rate, size, frame rate, duration, sound format) only where the file is at hand.
    Raises ClipError.
    """
    row = {"label": video.label, "source": video.source, "sharpness": measure_sharpness(windows)}
    return row | {"file": read_file_properties(video) if isinstance(video, ClipVideo) else None}


def compute_baselines(rows: Sequence[dict[str, Any]], bootstrap: BootstrapSettings) -> tuple[Baseline, ...]:
    """AUCs of videos by logistic regression on properties, each video scored by a fit to others.

    Folds keep sources together. Where a class has fewer than two sources, or files are not at hand, the AUC
    is None and `lacking` gives the reason.

    Args:
      rows: of `measure_video`, one a video.
    """
    files = [row["file"] for row in rows]
    columns = encode_one_hot(files) if all(files) else None
    sharpness = np.array([[row["sharpness"]] for row in rows])
    return (
        _fit_baseline("file properties", columns, rows, bootstrap),
        _fit_baseline("mouth sharpness", sharpness, rows, bootstrap),
    )


def read_file_properties(video: ClipVideo) -> dict[str, float | str]:
    """Properties of a clip's file: numbers as logarithms, formats as words. Raises ClipError."""
    path = video.clip.path
    with open_container(path) as container:
        stream = container.streams[choose_video(path, container).index]
        context = stream.codec_context
        seconds = float(container.duration or 0) / av.time_base or 1.0
        rate = stream.average_rate or stream.guessed_rate or 25
        columns: dict[str, float | str] = {
            "bits": float(np.log(8 * path.stat().st_size / seconds)),
            "pixels": float(np.log(context.width * context.height)),
            "rate": float(np.log(float(rate))),
            "seconds": float(np.log(seconds)),
            "video": context.name,
        }
    sound = video.clip.wav or path
    with open_container(sound) as container:
        track = container.streams[choose_audio(sound, container).index]
        format_ = f"{track.codec_context.name} {track.rate} {track.channels}"
    return {**columns, "sound": format_}


def measure_sharpness(windows: Sequence[Window]) -> float:
    """Logarithm of the mean variance of the Laplacian of mouths, on frames of 500x500 pixels."""
    values = []
    for window in windows:
        for frame in window.frames:
            grey = cv2.cvtColor(resize_to_tile(frame), cv2.COLOR_RGB2GRAY)
            values.append(cv2.Laplacian(grey[locate_mouth(*grey.shape)], cv2.CV_64F).var())
    return float(np.log(np.mean(values) + 1e-3))


def encode_one_hot(rows: Sequence[dict[str, float | str]]) -> np.ndarray:
    """Features (n, k) float64 of n rows: numbers as they are, a column for each word of a text column."""
    columns: list[list[Any]] = []
    for name in rows[0]:
        values = [row[name] for row in rows]
        if isinstance(values[0], str):
            columns += [[float(value == word) for value in values] for word in sorted(set(values))]
        else:
            columns.append(values)
    return np.array(columns, np.float64).T


def _fit_baseline(
    name: str, columns: np.ndarray | None, rows: Sequence[dict[str, Any]], bootstrap: BootstrapSettings
) -> Baseline:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    labels = np.array([row["label"] for row in rows])
    sources = np.array([row["source"] for row in rows], object)
    folds = min(_FOLDS, *(len(set(sources[labels == label])) for label in (0, 1)))
    if lacking := "needs the clips" if columns is None else "too few sources" if folds < 2 else "":
        meaning = _LACKING[lacking]
        return Baseline(name=name, auc=None, auc_interval=None, lacking=lacking, meaning=meaning)
    _, groups = np.unique(sources, return_inverse=True)
    split = StratifiedGroupKFold(folds, shuffle=True, random_state=0)
    fit = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, class_weight="balanced"))
    scores = cross_val_predict(fit, columns, labels, groups=groups, cv=split, method="predict_proba")[:, 1]
    ends = compute_intervals(labels, scores, sources, 0.5, bootstrap)["auc"]
    auc = compute_metrics(labels, scores).auc
    return Baseline(name=name, auc=auc, auc_interval=ends, meaning=_MEANING.format(what=name))
