"""From windows to videos: each way of pooling by hand, and calibration on top."""

import numpy as np
import pytest

from lipfd_jax.evaluation.metrics.pooling import POOLINGS, Pooling, pool_videos
from lipfd_jax.evaluation.metrics.scores import ScoreRow, Scores


def _scores() -> Scores:
    windows = {"1_fake/b": [0.9, 0.1, 0.5], "0_real/a": [0.2], "1_fake/c": [0.3, 0.7]}
    rows = [
        ScoreRow(
            path=f"{video}_{i}.png", label=int(video[0]), score=value, video=video, source=video, window=i
        )
        for video, values in windows.items()
        for i, value in enumerate(values)
    ]
    return Scores.from_rows([rows[i] for i in (4, 0, 3, 1, 5, 2)])  # in any order


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ("mean", [0.2, 0.5, 0.5]),
        ("max", [0.2, 0.9, 0.7]),
        ("top1", [0.2, 0.9, 0.7]),
        ("top2", [0.2, 0.7, 0.5]),
        ("top9", [0.2, 0.5, 0.5]),
    ],
)
def test_by_hand(pooling, expected):
    videos = pool_videos(_scores(), Pooling.parse(pooling))
    assert videos.video.tolist() == ["0_real/a", "1_fake/b", "1_fake/c"]
    assert videos.score == pytest.approx(expected)
    assert videos.windows.tolist() == [1, 3, 2]


def test_means_of_the_highest_stay_within_them():
    value = np.nextafter(0.5, 1)
    rows = [
        ScoreRow(path=f"1_fake/a_{i}.png", label=1, score=value, video="1_fake/a", source="a", window=i)
        for i in range(7)
    ]
    assert pool_videos(Scores.from_rows(rows), Pooling("topk", 3)).score.tolist() == [value]


@pytest.mark.parametrize("text", ["not a pooling", "top", "top0", "top-1", "", "Max"])
def test_other_poolings_are_refused(text):
    known = ", ".join(kind.flag for kind in POOLINGS.values())
    assert {"mean", "topK", "max"} <= set(known.split(", "))
    with pytest.raises(ValueError, match=f"expected one of {known}; K is a number"):
        Pooling.parse(text)


@pytest.mark.parametrize(("kind", "top"), [("no_pooling", None), ("topk", None), ("mean", 3)])
def test_a_pooling_has_a_known_kind_and_its_number(kind, top):
    with pytest.raises(ValueError, match=f"pooling '{kind}'.*expected"):
        Pooling(kind, top)


def test_a_pooling_says_what_it_is():
    assert str(Pooling.parse("top3")) == "mean of a video's 3 highest windows"
    assert str(Pooling("max")) == "highest of a video's windows"
