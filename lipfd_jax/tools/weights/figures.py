"""Figures of the detector that ships: matched rank, AUC and baselines of clips it was not trained on."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from lipfd_jax.data.clip_records import decode_clip
from lipfd_jax.data.clip_windows import cut_window
from lipfd_jax.evaluation.calibration import CalibrationSettings, fit_calibration
from lipfd_jax.evaluation.metrics.bootstrap import DEFAULT_BOOTSTRAP, compute_intervals
from lipfd_jax.evaluation.metrics.compute import compute_metrics
from lipfd_jax.evaluation.metrics.matched_rank import MatchedRank, compute_matched_rank
from lipfd_jax.evaluation.metrics.pooling import VideoScores, pool_videos
from lipfd_jax.evaluation.metrics.scores import Scores
from lipfd_jax.evaluation.suites.video_properties import measure_sharpness, read_file_properties
from lipfd_jax.evaluation.suites.videos import ClipVideo
from lipfd_jax.listing.clips import Clip
from lipfd_jax.listing.clips_csv import list_csv_clips
from lipfd_jax.preprocessing.paper_windows import spread_starts
from lipfd_jax.tools.weights.runs import open_clip_set

_SHARPNESS_WINDOWS = 4


@dataclass(frozen=True)
class Figures:
    """How well scores of videos tell forgeries."""

    name: str
    videos: int
    matched_rank: MatchedRank
    auc: float | None
    auc_interval: tuple[float, float] | None


def compute_figures(name: str, labels: np.ndarray, scores: np.ndarray, sources: np.ndarray) -> Figures:
    """Returns matched rank and AUC of videos with their intervals over sources."""
    ends = compute_intervals(labels, scores, sources, 0.5, DEFAULT_BOOTSTRAP)["auc"]
    auc = compute_metrics(labels, scores).auc
    return Figures(name, len(labels), compute_matched_rank(labels, scores, sources), auc, ends)


def figures_of(name: str, videos: VideoScores, kept: np.ndarray | None = None) -> Figures:
    """As `compute_figures`, of pooled scores, or of those that the mask `kept` names."""
    kept = np.ones(len(videos.label), bool) if kept is None else kept
    return compute_figures(name, videos.label[kept], videos.pooled[kept], videos.source[kept])


def read_column(media: Sequence[Path], name: str) -> dict[str, str]:
    """Returns a column of the folders' clips.csv by video id; {} where there is no such column."""
    found = {}
    for folder in media:
        with (folder / "clips.csv").open(newline="") as file:
            table = {row.get("file") or row.get("path"): row.get(name) for row in csv.DictReader(file)}
        for clip in list_csv_clips(folder / "clips.csv").clips:
            value = table.get(clip.path.relative_to(folder).as_posix())
            if value:
                found[clip.video] = value
    return found


def measure_rows(media: Sequence[Path], sets: Sequence[Path], videos: Sequence[str]) -> list[dict[str, Any]]:
    """Returns the rows of `suites.baselines.compute_baselines` for these videos."""
    wanted, rows = set(videos), []
    for folder, data_dir in zip(media, sets, strict=True):
        paths = {clip.video: clip for clip in list_csv_clips(folder / "clips.csv").clips}
        source, entries = open_clip_set(data_dir)
        for entry in entries:
            if entry.video in wanted and not entry.part:
                clip = decode_clip(source[entry.index])
                starts = spread_starts(clip.starts, _SHARPNESS_WINDOWS)
                windows: Any = [cut_window(clip, int(start), (2,)) for start in starts]
                properties = read_file_properties(ClipVideo(cast(Clip, paths[entry.video]), "paper"))
                side = float(np.log(entry.side / min(clip.width, clip.height)))
                rows.append(
                    {
                        "label": entry.label,
                        "source": entry.source,
                        "sharpness": measure_sharpness(windows),
                        "file": {**properties, "framing": side},
                    }
                )
    return rows


def cross_calibrate(scores: Scores, folds: Mapping[str, int], settings: CalibrationSettings) -> np.ndarray:
    """Returns log10 likelihood ratios of `pool_videos(scores)`, each by a fit to the other folds' videos."""
    videos = pool_videos(scores, settings.pooling)
    fold = np.array([folds[source] for source in videos.source])
    ratios = np.zeros(len(fold))
    for number in np.unique(fold):
        others = np.array([folds[source] != number for source in scores.source])
        known = select(scores, others)
        fitted = fit_calibration(known, settings, weights="", data="other folds", data_fingerprint="")
        mine = fold == number
        ratios[mine] = fitted.log10_likelihood_ratio(videos.pooled[mine])
    return ratios


def select(scores: Scores, kept: np.ndarray) -> Scores:
    """Returns the rows of scores that a mask names."""
    return Scores(**{name: getattr(scores, name)[kept] for name in Scores.__dataclass_fields__})


def rate_generators(videos: VideoScores, flagged: np.ndarray) -> list[tuple[str, int, int]]:
    """Returns (generator, forgeries, flagged ones), the generators with most forgeries first."""
    fakes = videos.label == 1
    names = sorted(set(videos.generator[fakes]))
    counts = [(name, fakes & (videos.generator == name)) for name in names]
    rows = [(str(name) or "unknown", int(mask.sum()), int(flagged[mask].sum())) for name, mask in counts]
    return sorted(rows, key=lambda row: (-row[1], row[0]))
