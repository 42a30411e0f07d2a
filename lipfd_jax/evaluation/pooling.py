"""From the scores of a video's windows to the score of the video."""

from dataclasses import dataclass

import numpy as np

from lipfd_jax.evaluation.scores import Scores, ScoresError


@dataclass(frozen=True, eq=False)
class VideoScores:
    """Columns of n videos, sorted by id; the score is the mean of the video's windows."""

    video: np.ndarray  # object (str)
    label: np.ndarray  # int64
    score: np.ndarray  # float64
    windows: np.ndarray  # int64, how many
    lowest: np.ndarray  # float64, lowest score of a window
    highest: np.ndarray  # float64
    source: np.ndarray  # object (str)
    generator: np.ndarray  # object (str)


def video_scores(scores: Scores) -> VideoScores:
    """Mean of each video's windows. Raises ScoresError for a video with windows of both labels."""
    video, first, index = np.unique(scores.video, return_index=True, return_inverse=True)
    windows = np.bincount(index, minlength=len(video))
    mixed = np.flatnonzero(scores.label != scores.label[first][index])
    if mixed.size:
        raise ScoresError(
            f"video {scores.video[mixed[0]]!r} has windows labelled real and windows labelled fake"
        )
    lowest, highest = np.full(len(video), np.inf), np.full(len(video), -np.inf)
    np.minimum.at(lowest, index, scores.score)
    np.maximum.at(highest, index, scores.score)
    return VideoScores(
        video=video,
        label=scores.label[first],
        # Rounding must not carry the mean of equal scores past them: 0.5 has to stay at the threshold.
        score=np.clip(np.bincount(index, scores.score, len(video)) / windows, lowest, highest),
        windows=windows,
        lowest=lowest,
        highest=highest,
        source=scores.source[first],
        generator=scores.generator[first],
    )
