"""Two scores files side by side."""

import dataclasses
import json

import numpy as np
import pytest

from lipfd_jax.evaluation.metrics.compute import compute_window_metrics
from lipfd_jax.evaluation.metrics.scores import ScoreRow, Scores, ScoresError
from lipfd_jax.evaluation.report.comparison import compare_scores, format_comparison, record_comparison
from lipfd_jax.evaluation.report.metrics_json import to_json


def _scores(prefix: str, values: dict[str, float]) -> Scores:
    rows = []
    for path, score in values.items():
        video, window = path.rsplit("_", 1)
        rows.append(
            ScoreRow(
                path=f"{prefix}{path}.png",
                label=int(video[0]),
                score=score,
                video=video,
                source=video,
                window=int(window),
            )
        )
    return Scores.from_rows(rows)


def _json(comparison):
    return to_json(record_comparison(comparison))


OURS = {"0_real/a_0": 0.1, "0_real/a_1": 0.3, "1_fake/a_0": 0.9, "1_fake/b_7": 0.45}
THEIRS = {"1_fake/b_7": 0.55, "1_fake/a_0": 0.9, "1_fake/c_0": 0.2, "0_real/a_1": 0.25}


def test_windows_match_by_the_end_of_their_paths():
    ours, theirs = _scores("", OURS), _scores("./datasets/val/", THEIRS)
    found = compare_scores(ours, theirs)
    assert found.shared == 3
    assert found.only_ours == ("0_real/a_0.png",)
    assert found.only_theirs == ("1_fake/c_0.png",)
    assert found.largest == pytest.approx(0.1)
    assert found.largest_window == "1_fake/b_7.png"
    assert found.mean == pytest.approx((0.05 + 0 + 0.1) / 3)
    assert found.flipped == 1


def test_the_threshold_decides_what_is_flipped():
    found = compare_scores(_scores("", OURS), _scores("", THEIRS), 0.28)
    assert (found.flipped, found.ours.threshold, found.their_videos.threshold) == (1, 0.28, 0.28)
    assert "different sides of 0.28" in format_comparison(found)
    assert compare_scores(_scores("", OURS), _scores("", THEIRS), 0.7).flipped == 0


def test_metrics_are_over_the_shared_windows():
    ours, theirs = _scores("", OURS), _scores("C:\\val\\", THEIRS)
    found = compare_scores(ours, theirs)
    assert found.ours == compute_window_metrics(ours.select(np.array([1, 2, 3])))
    assert found.theirs == compute_window_metrics(theirs.select(np.array([3, 1, 0])))
    assert (found.ours.acc, found.theirs.acc) == (pytest.approx(2 / 3), 1.0)
    assert found.our_videos.n == 3


def test_text_and_json():
    found = compare_scores(_scores("", OURS), _scores("x/", THEIRS))
    text = format_comparison(found, ours="mine", theirs="published")
    assert "3 shared windows" in text
    assert "1 only in mine: 0_real/a_0.png" in text
    assert "1 only in published: 1_fake/c_0.png" in text
    assert "windows: mine" in text
    assert "warning: intervals are too narrow" in text
    assert _json(found)["only_ours"] == 1
    assert _json(found)["window_differences"]["acc"]["value"] == pytest.approx(-1 / 3)
    assert json.loads(json.dumps(_json(found), allow_nan=False))
    assert _json(found)["theirs"]["acc"] == 1.0


def test_nothing_shared():
    found = compare_scores(_scores("", {"0_real/a_0": 0.1}), _scores("", {"1_fake/a_0": 0.1}))
    assert (found.shared, found.largest, found.mean, found.ours.n) == (0, None, None, 0)
    assert "nothing to compare" in format_comparison(found)


def test_same_scores_are_no_distance_apart():
    ours = _scores("", OURS)
    found = compare_scores(ours, dataclasses.replace(ours))
    assert (found.largest, found.flipped, found.only_ours) == (0.0, 0, ())


def test_labels_that_disagree_are_refused():
    row = ScoreRow(path="x/a_0.png", label=0, score=0.1, video="x/a", source="a")
    ours, theirs = Scores.from_rows([row]), Scores.from_rows([dataclasses.replace(row, label=1)])
    with pytest.raises(ScoresError, match=r"x/a_0\.png"):
        compare_scores(ours, theirs)


def test_two_windows_of_one_name_are_refused():
    ours = _scores("", OURS)
    ours.path[1] = "other/0_real/a_0.png"
    with pytest.raises(ScoresError, match=r"0_real/a_0\.png"):
        compare_scores(ours, _scores("", THEIRS))
