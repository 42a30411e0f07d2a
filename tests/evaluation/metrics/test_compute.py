"""Metrics against scikit-learn, the published scores, and small cases worked out by hand."""

import numpy as np
import pytest
from sklearn import metrics as reference

from lipfd_jax.evaluation.metrics import compute, pooling, samples, summary
from lipfd_jax.evaluation.metrics.scores import ScoreRow, Scores, ScoresError, read_scores


def _scores(values) -> Scores:
    """Scores of (video, window, label, score[, generator])."""
    rows = []
    for video, window, label, score, *generator in values:
        rows.append(
            ScoreRow(
                path=f"{video}_{window}.png",
                label=label,
                score=score,
                video=video,
                source=video,
                generator="".join(generator),
                window=window,
            )
        )
    return Scores.from_rows(rows)


def _random(seed: int, ties: bool) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, int(random.integers(5, 300)))
    labels[:2] = 0, 1
    scores = np.clip(random.normal(0.4 + 0.2 * labels, 0.25), 0, 1)
    return labels, np.round(scores, 1) if ties else scores


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_agrees_with_scikit_learn(seed, ties):
    labels, scores = _random(seed, ties)
    found = compute.compute_metrics(labels, scores)
    called = scores >= 0.5
    tn, fp, fn, tp = reference.confusion_matrix(labels, called, labels=[0, 1]).ravel()
    assert (found.tn, found.fp, found.fn, found.tp) == (tn, fp, fn, tp)
    assert found.acc == pytest.approx(reference.accuracy_score(labels, called))
    assert found.auc == pytest.approx(reference.roc_auc_score(labels, scores), abs=1e-12)
    assert found.ap == pytest.approx(reference.average_precision_score(labels, scores), abs=1e-12)
    fpr, tpr, thresholds = reference.roc_curve(labels, scores, drop_intermediate=False)
    # The crossing, found here as the zero of fpr - fnr along the whole curve.
    place = np.interp(0, fpr + tpr - 1, np.arange(len(fpr)))
    assert found.eer == pytest.approx(np.interp(place, np.arange(len(fpr)), fpr), abs=1e-12)
    assert found.balanced_acc == pytest.approx(reference.balanced_accuracy_score(labels, called))
    assert found.f1 == pytest.approx(reference.f1_score(labels, called))
    assert found.partial_auc == pytest.approx(reference.roc_auc_score(labels, scores, max_fpr=0.1))
    for rate, value in ((0.01, found.tpr_at_fpr_1), (0.05, found.tpr_at_fpr_5)):
        assert value == max(tpr[fpr <= rate])
    assert found.brier == pytest.approx(np.mean((scores - labels) ** 2))
    right = [np.mean((scores >= threshold) == labels) for threshold in thresholds]
    assert found.best_acc == pytest.approx(max(right))
    if found.best_threshold is not None:
        assert np.mean((scores >= found.best_threshold) == labels) == pytest.approx(found.best_acc)


def test_curve_agrees_with_scikit_learn():
    labels, scores = _random(3, ties=True)
    points = samples.compute_curve(labels, scores)
    fpr, tpr, thresholds = reference.roc_curve(labels, scores, drop_intermediate=False)
    np.testing.assert_allclose(points.fpr, fpr)
    np.testing.assert_allclose(points.tpr, tpr)
    np.testing.assert_array_equal(points.thresholds[1:], thresholds[1:])


def test_published_scores(golden):
    scores = read_scores(golden / "official_val_scores.csv")
    windows, videos = compute.compute_window_metrics(scores), compute.compute_video_metrics(scores)
    assert (windows.n, videos.n) == (3406, 838)
    assert (windows.tp, windows.tn, windows.fp, windows.fn) == (1525, 1667, 52, 162)
    assert windows.acc == pytest.approx(0.93717, abs=5e-6)
    assert windows.ap == pytest.approx(0.98284, abs=5e-6)
    assert windows.auc == pytest.approx(0.98716, abs=5e-6)
    assert windows.eer == pytest.approx(0.0454, abs=5e-5)
    assert windows.fpr == pytest.approx(0.03025, abs=5e-6)
    assert windows.fnr == pytest.approx(0.09603, abs=5e-6)
    assert windows.best_acc == pytest.approx(0.9574, abs=5e-5)
    assert windows.best_threshold == pytest.approx(0.265, abs=5e-4)
    assert videos.auc == pytest.approx(0.9960, abs=5e-5)
    assert videos.acc == pytest.approx(0.9618, abs=5e-5)
    released = compute.compute_released_metrics(scores)
    assert released.acc == pytest.approx(0.93717, abs=5e-6)
    assert released.ap == pytest.approx(0.92173, abs=5e-6)
    assert released.fpr == pytest.approx(0.09603, abs=5e-6)
    assert released.fnr == pytest.approx(0.03025, abs=5e-6)


def test_found_at_a_rate_of_false_alarms():
    # 100 real ones from 0 to 0.99: one false alarm in a hundred leaves those above 0.98.
    scores = np.concatenate([np.arange(100) / 100, [0.985, 0.975, 0.945, 0.9]])
    labels = np.repeat([0, 1], [100, 4])
    found = compute.compute_metrics(labels, scores)
    assert (found.tpr_at_fpr_1, found.tpr_at_fpr_5) == (0.25, 0.75)


def test_eer_crosses_between_points():
    # fpr 0 -> 1/2 while fnr stays 1/3: they meet inside that step, two thirds of the way.
    found = compute.compute_metrics(np.array([1, 1, 0, 1, 0]), np.array([0.9, 0.8, 0.6, 0.4, 0.2]))
    assert found.eer == pytest.approx(1 / 3)
    assert found.eer_threshold == pytest.approx(0.8 + 2 / 3 * (0.6 - 0.8))


@pytest.mark.parametrize(
    ("labels", "scores", "auc", "eer"),
    [
        ([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9], 1.0, 0.0),
        ([1, 1, 0, 0], [0.1, 0.2, 0.8, 0.9], 0.0, 1.0),
        ([0, 1, 0, 1], [0.5, 0.5, 0.5, 0.5], 0.5, 0.5),
    ],
)
def test_extremes(labels, scores, auc, eer):
    found = compute.compute_metrics(np.array(labels), np.array(scores))
    assert (found.auc, found.eer) == (auc, eer)
    assert np.isfinite(found.eer_threshold)


def test_another_threshold():
    labels, scores = np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.3, 0.9])
    found = compute.compute_metrics(labels, scores, 0.3)
    assert (found.threshold, found.tp, found.fp, found.tn, found.fn) == (0.3, 2, 1, 1, 0)
    assert compute.compute_metrics(labels, scores).fn == 1


def test_half_is_called_fake():
    found = compute.compute_metrics(np.array([0, 1]), np.array([0.5, 0.5]))
    assert (found.tp, found.fp, found.tn, found.fn) == (1, 1, 0, 0)


@pytest.mark.parametrize(
    ("labels", "acc", "fpr", "fnr", "reason"),
    [
        ([1, 1], 0.5, None, 0.5, "all 2 are fake"),
        ([0, 0], 0.5, 0.5, None, "all 2 are real"),
        ([], None, None, None, "nothing was scored"),
    ],
)
def test_one_class_or_none(labels, acc, fpr, fnr, reason):
    found = compute.compute_metrics(np.array(labels), np.array([0.2, 0.8][: len(labels)]))
    assert (found.acc, found.fpr, found.fnr) == (acc, fpr, fnr)
    assert (found.auc, found.ap, found.eer, found.eer_threshold) == (None,) * 4
    assert (found.partial_auc, found.cllr, found.min_cllr, found.balanced_acc) == (None,) * 4
    assert (found.brier is None) == (found.ece is None) == (found.log_loss is None) == (not labels)
    assert reason in found.missing


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([0, 2], [0.1, 0.2], "labels must be"),
        ([0, 1], [0.1, np.nan], "score 1"),
        ([0], [0.1, 0.2], "length"),
        ([0, 1], [0.1, 3.5], "probabilities"),
    ],
)
def test_refuses_wrong_arrays(labels, scores, message):
    with pytest.raises(ValueError, match=message):
        compute.compute_metrics(np.array(labels), np.array(scores))


def test_videos_are_means_of_windows():
    scores = _scores(
        [("1_fake/b", 0, 1, 0.9), ("0_real/a", 0, 0, 0.6), ("1_fake/b", 1, 1, 0.3), ("0_real/a", 1, 0, 0.2)]
    )
    videos = pooling.pool_videos(scores)
    assert videos.video.tolist() == ["0_real/a", "1_fake/b"]
    assert videos.score == pytest.approx([0.4, 0.6])
    assert videos.windows.tolist() == [2, 2]
    assert (videos.lowest.tolist(), videos.highest.tolist()) == ([0.2, 0.3], [0.6, 0.9])
    assert compute.compute_video_metrics(scores).acc == 1.0
    assert compute.compute_window_metrics(scores).acc == 0.5


def test_mean_of_equal_scores_is_that_score():
    value = np.nextafter(0.5, 1)
    scores = _scores([("1_fake/a", window, 1, value) for window in range(7)])
    assert pooling.pool_videos(scores).score.tolist() == [value]


def test_video_with_two_labels_is_refused():
    scores = _scores([("v", 0, 1, 0.9), ("w", 0, 0, 0.6)])
    scores.video[:] = "v"
    with pytest.raises(ScoresError, match="'v'"):
        pooling.pool_videos(scores)


def test_generators_meet_all_real_windows():
    values = [
        ("r", 0, 0, 0.1),
        ("r", 1, 0, 0.6),
        ("a", 0, 1, 0.9, "A"),
        ("b", 0, 1, 0.3, "B"),
        ("c", 0, 1, 0.7),
    ]
    parts = summary.split_by_generator(_scores(values))
    assert {name: part.video.tolist() for name, part in parts.items()} == {
        "": ["r", "r", "c"],
        "A": ["r", "r", "a"],
        "B": ["r", "r", "b"],
    }
    assert compute.compute_window_metrics(parts["B"]).auc == 0.5
    assert summary.split_by_generator(_scores([("r", 0, 0, 0.1, "camera"), ("c", 0, 1, 0.7)])) == {}


def test_nothing_scored():
    empty = Scores.from_rows([])
    assert compute.compute_video_metrics(empty).missing == "nothing was scored"
    assert compute.compute_released_metrics(empty).ap is None
    assert summary.split_by_generator(empty) == {}
