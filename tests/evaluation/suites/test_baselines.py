"""Baselines: forests and sharpness on drawn properties, sources apart, and the detector beside them."""

import dataclasses

import numpy as np
import pytest

from lipfd_jax.evaluation.metrics.bootstrap import BootstrapSettings
from lipfd_jax.evaluation.metrics.pooling import DEFAULT_DECISION
from lipfd_jax.evaluation.suites.baseline_section import (
    answer_baselines,
    make_baselines_section,
    summarise_baselines,
)
from lipfd_jax.evaluation.suites.baselines import compute_baselines, encode_one_hot
from lipfd_jax.evaluation.suites.results import SuiteIdentity, SuiteResult, read_result, write_result
from lipfd_jax.evaluation.suites.runner import score_suite
from lipfd_jax.evaluation.suites.suite import SUITE_DEFINITIONS, compute_suite, find_suite_data
from lipfd_jax.evaluation.suites.video_properties import (
    measure_framing,
    measure_video,
    read_file_properties,
)
from lipfd_jax.evaluation.suites.videos import list_clip_videos
from lipfd_jax.faces.finders import Face
from lipfd_jax.faces.tracks import Sample
from lipfd_jax.listing.clips import Clip
from lipfd_jax.perturbations.perturbation import CLEAN
from tests.evaluation.suites.test_suite import _baseline, _Records, _result, _score

BOOTSTRAP = BootstrapSettings(draws=100)


def _draw_rows(pairs: int = 40) -> list[dict]:
    """Pairs (real, fake) of one source and one size, fakes blurrier; further real ones, large and blurry."""
    random, rows = np.random.default_rng(0), []
    for source in range(pairs):
        size = float(random.normal(12, 0.3))
        for label in (0, 1):
            file = {"pixels": size, "video": "h264"}
            sharpness = float(random.normal(5 - 0.1 * label + source / pairs, 0.02))
            rows.append({"label": label, "source": f"pair {source}", "sharpness": sharpness, "file": file})
    for source in range(pairs):
        file = {"pixels": float(random.normal(14, 0.3)), "video": "mpeg4"}
        rows.append({"label": 0, "source": f"real {source}", "sharpness": 4.0, "file": file})
    return rows


def test_files_separate_the_collection_but_not_its_pairs():
    files, sharpness = compute_baselines(_draw_rows(), BOOTSTRAP)
    assert files.auc > 0.7  # large mpeg4 files are real
    assert files.matched_rank == 0.5  # both of a pair are encoded alike
    assert files.matched_rank_interval == (0.5, 0.5)
    assert sharpness.matched_rank > 0.95
    low, high = sharpness.matched_rank_interval
    assert low <= sharpness.matched_rank <= high
    assert sharpness.auc < 0.6  # blurry real ones, and people who differ more than their two clips


def test_baselines_are_the_same_again():
    assert compute_baselines(_draw_rows(), BOOTSTRAP) == compute_baselines(_draw_rows(), BOOTSTRAP)


def test_no_video_is_scored_by_its_own_source():
    """A column that names the source, whose videos are all of one class, helps nothing."""
    random = np.random.default_rng(1)
    rows = [
        {"label": source % 2, "source": str(source), "sharpness": 0.0, "file": {"name": str(source)}}
        for source in random.integers(0, 40, 200)
    ]
    files, _ = compute_baselines(rows, BOOTSTRAP)
    assert files.auc < 0.65
    assert (files.matched_rank, files.matched_rank_interval) == (None, None)


def test_sharper_fakes_are_found_too():
    rows = [row | {"sharpness": -row["sharpness"]} for row in _draw_rows()]
    assert compute_baselines(rows, BOOTSTRAP)[1].matched_rank > 0.95


def test_one_source_of_a_class_is_too_few():
    rows = _draw_rows(1)
    assert [one.lacking for one in compute_baselines(rows, BOOTSTRAP)] == ["too few sources"] * 2


def test_columns_that_a_row_lacks_are_left_out():
    assert encode_one_hot([{"a": 1.0, "aspect": 0.2}, {"a": 3.0}]).tolist() == [[1], [3]]


def test_properties_of_a_file(film, tmp_path):
    colours = np.random.default_rng(0).integers(0, 256, (25, 1, 1, 3))
    frames = np.tile(colours, (1, 64, 128, 1)).astype(np.uint8)
    path = film(tmp_path / "a.mp4", list(frames), sound=np.sin(np.arange(16000) / 9))
    (video,) = list_clip_videos([Clip("0_real/a", path, None, 0, "s")], "paper")
    found = read_file_properties(video)
    assert found["aspect"] == pytest.approx(np.log(2))
    assert found["pixels"] == pytest.approx(np.log(64 * 128))
    windows = video.load_windows(CLEAN)
    assert measure_video(video, windows)["file"] == found  # cropped to no face: no framing


class _Seen:
    """A scan of a picture of 200x100 pixels in which faces of 40 and 50 pixels are seen, and none."""

    width, height = 200, 100
    samples = tuple(
        Sample(0, 0.0, tuple(Face(0, 0, side, side, True, "dlib") for side in sides), False)
        for sides in ((20, 40), (50,), ())
    )


def test_framing_is_the_share_of_the_largest_face(monkeypatch):
    clip = Clip("0_real/a", None, None, 0, "s")
    (video,) = list_clip_videos([clip], "paper", "faces")
    monkeypatch.setattr("lipfd_jax.evaluation.suites.videos.ClipCache.scan_faces", lambda *_: _Seen)
    assert measure_framing(video) == pytest.approx(np.log(45 / 100))
    monkeypatch.setattr(_Seen, "samples", ())
    assert measure_framing(video) == 0


class _Pairs(_Records):
    """The drawn videos, of which two in a row share a source."""

    def __getitem__(self, place: int) -> dict:
        return super().__getitem__(place) | {"source": f"pair {place // 4}"}


def test_the_suite_scores_videos_once_and_shows_both_sides(tmp_path):
    data = find_suite_data(_Pairs(), "r")
    identity, suite = SuiteIdentity("w", "r", data.on, "float32"), SUITE_DEFINITIONS["baselines"]
    calls = []

    def score(composites: np.ndarray) -> np.ndarray:
        calls.append(len(composites))
        return _score(composites)

    options = {"identity": identity, "measure": suite.measure}
    scores = score_suite(suite.perturbations, data.videos, score, tmp_path / "baselines", **options)
    assert sum(calls) == 16
    result = compute_suite("baselines", scores, identity, DEFAULT_DECISION, BOOTSTRAP)
    assert (result.clean.matched_rank, result.clean.matched_rank_interval) == (1.0, (1.0, 1.0))
    assert [one.name for one in result.model_free] == ["file properties", "mouth sharpness"]
    assert result.model_free[1].matched_rank == 1.0  # fakes have smaller edges
    write_result(tmp_path, result)
    assert read_result(tmp_path, "baselines") == result
    body = make_baselines_section(result).body
    assert "no model: mouth sharpness" in body
    assert "Not shown: within sources it may rank no better than mouth sharpness alone." in body


def _with_baselines(rank: float, *baselines) -> SuiteResult:
    return dataclasses.replace(_result(rank, 0.5, 0.5, None), suite="baselines", model_free=baselines)


@pytest.mark.parametrize(
    ("sharpness", "files", "answer"),
    [
        (0.7, 0.5, "Yes: within sources it ranks better than mouth sharpness and file properties alone."),
        (0.84, 0.5, "Not shown: within sources it may rank no better than mouth sharpness alone."),
        (0.7, None, "Yes: within sources it ranks better than mouth sharpness alone."),
        (None, None, "Not known: no baseline could be computed."),
    ],
)
def test_the_answer_follows_the_lower_end(sharpness, files, answer):
    result = _with_baselines(
        0.85, _baseline("mouth sharpness", 0.5, sharpness), _baseline("file properties", 0.83, files)
    )
    assert answer_baselines(result) == answer


def test_a_summary_names_both_metrics():
    result = _with_baselines(0.85, _baseline("mouth sharpness", 0.49, 0.7))
    assert summarise_baselines(result).endswith(
        " Matched rank: the detector 0.850, 0.820 to 0.880; mouth sharpness alone 0.700."
        " AUC: the detector 0.850, 0.830 to 0.870; mouth sharpness alone 0.490."
    )


def test_without_matched_sources_there_is_no_answer():
    result = _with_baselines(0.85, _baseline("file properties", 0.83, None))
    clean = dataclasses.replace(result.clean, matched_rank=None, matched_rank_interval=None)
    result = dataclasses.replace(result, cells=(clean, *result.cells[1:]))
    assert answer_baselines(result).startswith("Not known: no source holds real and fake videos")
    assert "AUC with and without a model" in make_baselines_section(result).body
