"""Suites: every perturbation on drawn videos, seeded by name, resumed, shown in words."""

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from lipfd_jax.evaluation.metrics.bootstrap import BootstrapSettings
from lipfd_jax.evaluation.metrics.pooling import DEFAULT_DECISION
from lipfd_jax.evaluation.suites.baselines import (
    compute_baselines,
    encode_one_hot,
)
from lipfd_jax.evaluation.suites.compute import compute_means, compute_results
from lipfd_jax.evaluation.suites.controls import CONTROLS, draw_conclusions
from lipfd_jax.evaluation.suites.results import Baseline, PerturbationResult, SuiteIdentity, SuiteResult
from lipfd_jax.evaluation.suites.runner import score_suite
from lipfd_jax.evaluation.suites.section import (
    make_controls_section,
    make_robustness_section,
    summarise_robustness,
)
from lipfd_jax.evaluation.suites.suite import compute_suite, find_suite_data
from lipfd_jax.evaluation.suites.video_properties import measure_sharpness, measure_video
from lipfd_jax.evaluation.suites.videos import RecordVideo, find_partner, list_clip_videos, list_record_videos
from lipfd_jax.listing.clips import Clip, ClipError
from lipfd_jax.perturbations.catalogue import FRAME_KINDS, list_robustness
from lipfd_jax.perturbations.perturbation import CLEAN, Perturbation
from lipfd_jax.perturbations.windows import shuffle_frames
from lipfd_jax.preprocessing import encoding
from lipfd_jax.preprocessing.composite import Window, resize_to_tile

SUITES_DOCUMENT = Path(__file__).parents[3] / "docs" / "suites.md"
_BOOTSTRAP = BootstrapSettings(draws=50)
_IDENTITY = SuiteIdentity("w", "r", "on drawn ones", "float32")


class _Records:
    """Eight drawn videos of two windows: fakes are darker, and each has a source of its own."""

    def __init__(self, videos: int = 8):
        self.videos = videos

    def __len__(self) -> int:
        return 2 * self.videos

    def __getitem__(self, place: int) -> dict:
        number, window = divmod(place, 2)
        label = number % 2
        random = np.random.default_rng(number)
        noise = random.integers(0, 120 if label else 250, (5, 64, 64, 3)).astype(np.uint8)
        frames = np.stack([cv2.GaussianBlur(frame, (0, 0), 2) for frame in noise])
        mel = np.full((128, 9, 3), (68, 1, 84), np.uint8)
        mel[40 + number] = (253, 231, 36)
        coded = encoding.encode_window(Window(window, 5 * window, 25.0, mel, frames), "compact", effort=0)
        video = f"{('0_real', '1_fake')[label]}/v{number}"
        known = {"video": video, "source": f"s{number}", "generator": "", "windows": "paper", "label": label}
        return coded | known | {"window": window, "start_frame": 5 * window, "fps": 25.0}


def _score(composites: np.ndarray) -> np.ndarray:
    """Darker pictures are faker: a detector that never listens."""
    return 1 - composites[:, 500:].mean((1, 2, 3)) / 255


@pytest.fixture(scope="module")
def videos() -> list[RecordVideo]:
    return list_record_videos(_Records())


def test_records_become_videos(videos):
    assert [video.video for video in videos][:2] == ["0_real/v0", "0_real/v2"]
    assert videos[0].index == (0, 1)
    assert [window.start_frame for window in videos[0].load_windows(CLEAN)] == [0, 5]


def test_perturbations_have_names_of_their_own_and_leave_windows_whole(videos):
    perturbations = [*list_robustness(), *(control.perturbation for control in CONTROLS)]
    names = [perturbation.name for perturbation in perturbations]
    assert len(set(names)) == len(names) == _read_documented_count() + 12
    base = videos[0].load_windows(CLEAN)
    for perturbation in perturbations:
        if videos[0].find_obstacle(perturbation) or perturbation.foreign_sound:
            continue
        made = videos[0].load_windows(perturbation)
        assert [window.index for window in made] == [0, 1]
        assert made[0].frames.shape == base[0].frames.shape
        assert made[0].mel.dtype == made[0].frames.dtype == np.uint8


def _read_documented_count() -> int:
    """The number of perturbations of the robustness suite, each kind at each severity, in docs/suites.md.

    It is raised there, by hand, with each new perturbation.
    """
    return int(re.search(r"^(\d+) perturbations in all", SUITES_DOCUMENT.read_text(), re.MULTILINE)[1])


def test_the_document_lists_every_kind():
    listed = re.findall(r"^\| ([^|]+?) \|", SUITES_DOCUMENT.read_text(), re.MULTILINE)
    documented = {kind for row in listed for kind in row.split(", ")}
    assert {perturbation.kind for perturbation in list_robustness()} <= documented


def test_visual_levels_are_monotone_in_error(videos):
    base = videos[0].load_windows(CLEAN)[0].frames.astype(int)
    errors: dict[str, list[float]] = {}
    for perturbation in list_robustness():
        if perturbation.on_frame is not None:
            changed = videos[0].load_windows(perturbation)[0].frames
            errors.setdefault(perturbation.kind, []).append(float(((changed - base) ** 2).mean()))
    assert list(errors) == [kind.name for kind in FRAME_KINDS]
    for kind, values in errors.items():
        assert values == sorted(values), kind
        assert values[0] < values[-1]


def test_a_perturbation_is_the_same_in_another_process(videos):
    perturbation = next(one for one in list_robustness() if one.name == "noise 3")
    drawn = perturbation.make_generator("1_fake/v1", "frames").integers(2**32)
    code = (
        "from lipfd_jax.perturbations.catalogue import list_robustness\n"
        "perturbation = next(one for one in list_robustness() if one.name == 'noise 3')\n"
        "print(perturbation.make_generator('1_fake/v1', 'frames').integers(2**32))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(other.stdout) == drawn
    assert perturbation.make_generator("1_fake/v3", "frames").integers(2**32) != drawn
    first, second = (videos[0].load_windows(perturbation)[0].frames for _ in range(2))
    assert np.array_equal(first, second)


def test_controls_do_what_they_say(videos):
    made = {control.perturbation.kind: control.perturbation for control in CONTROLS}
    base = videos[0].load_windows(CLEAN)
    grey = videos[0].load_windows(made["sound only (frames grey)"])
    assert (grey[0].frames == 128).all()
    assert np.array_equal(grey[0].mel, base[0].mel)
    blank = videos[0].load_windows(made["picture only (mel blank)"])
    assert len(np.unique(blank[0].mel.reshape(-1, 3), axis=0)) == 1
    shuffled = videos[0].load_windows(made["frames shuffled in time"])
    every = [np.concatenate([window.frames for window in windows]) for windows in (base, shuffled)]
    sums = [sorted(frames.sum((1, 2, 3)).tolist()) for frames in every]
    assert sums[0] == sums[1]
    assert not np.array_equal(*every)
    masked, only = (
        videos[0].load_windows(made[kind])[0].frames for kind in ("mouth masked", "only the mouth")
    )
    assert (masked[:, 27:45, 17:47] == 128).all()
    assert (only[:, :27] == 128).all()
    inside = np.s_[:, 27:45, 17:47]
    assert np.array_equal(only[inside], base[0].frames[inside])
    assert find_partner(videos, 0).video == "0_real/v2"
    with pytest.raises(ValueError, match="another source"):
        find_partner(videos[:1], 0)


def test_frames_are_shuffled_among_windows_of_any_size():
    sizes = [(60, 60), (64, 60)]  # a face that comes nearer
    frames = [np.full((5, *size, 3), 10 * place, np.uint8) for place, size in enumerate(sizes, start=1)]
    windows = [Window(place, 0, 25.0, one[0], one) for place, one in enumerate(frames)]
    found = shuffle_frames(windows, np.random.default_rng(0))
    values = np.concatenate([resize_to_tile(frame)[:1, 0, 0] for window in found for frame in window.frames])
    assert sorted(values) == [10] * 5 + [20] * 5


def test_a_suite_goes_on_where_it_stopped(videos, tmp_path):
    perturbations = [one for one in list_robustness() if one.name in ("contrast 1", "contrast 3")]
    videos = videos[:4]
    other = dataclasses.replace(_IDENTITY, weights="other")
    calls = []

    def counted(composites: np.ndarray) -> np.ndarray:
        calls.append(len(composites))
        if len(calls) == 8:  # in the third video
            raise KeyboardInterrupt
        return _score(composites)

    def run(folder: Path, score=counted, **options):
        options = {"identity": _IDENTITY, "measure": measure_video} | options
        return score_suite(perturbations, videos, score, folder, **options)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "a")
    assert not list((tmp_path / "a").glob("*.csv"))  # scores files appear whole
    for name in (".contrast 3.jsonl", "properties.jsonl"):
        with open(tmp_path / "a" / name, "a") as journal:
            journal.write('{"video": ')  # half a line
    first = len(calls)
    ran = run(tmp_path / "a")
    assert len(calls) - first == 12 - 7  # 4 videos under 3 perturbations, of which 7 were scored before
    undisturbed = run(tmp_path / "b", _score)
    assert len(ran.properties) == 4
    assert ran.properties == undisturbed.properties
    for name, scores in ran.scores.items():
        assert scores.video.tolist() == undisturbed.scores[name].video.tolist()
        assert scores.score.tolist() == undisturbed.scores[name].score.tolist()
    before = len(calls)
    run(tmp_path / "a")
    assert len(calls) == before
    run(tmp_path / "a", overwrite=True)
    assert len(calls) == before + 12
    with pytest.raises(ValueError, match="weights: w, not other"):
        run(tmp_path / "a", identity=other)
    run(tmp_path / "a", identity=other, overwrite=True)


def test_levels_become_figures(videos, tmp_path):
    perturbations = [one for one in list_robustness() if one.kind in ("contrast", "pitch")]
    ran = score_suite(perturbations, videos, _score, tmp_path, identity=_IDENTITY)
    scores, missing = ran.scores, ran.missing
    assert list(scores) == ["clean", *(f"contrast {level}" for level in range(1, 6))]
    assert set(missing) == {"pitch -3 semitones", "pitch +3 semitones"}
    made = compute_results(perturbations, scores, DEFAULT_DECISION, _BOOTSTRAP)
    assert made[0].auc == 1.0
    assert made[0].auc_difference == 0
    assert [cell.fpr for cell in made[1:]] == sorted(cell.fpr for cell in made[1:])
    (mean,) = compute_means(made, scores, DEFAULT_DECISION, _BOOTSTRAP)
    assert mean.auc == pytest.approx(np.mean([cell.auc for cell in made[1:]]))
    assert mean.fnr_difference == pytest.approx(np.mean([cell.fnr for cell in made[1:]]) - made[0].fnr)
    result = compute_suite("robustness", ran, _IDENTITY, DEFAULT_DECISION, _BOOTSTRAP)
    assert SuiteResult.from_json(json.loads(json.dumps(result.to_json()))) == result
    section = make_robustness_section(result)
    assert section.body.count("<figure") == 2
    assert "sound): pitch -3 semitones, pitch +3 semitones." in section.body
    assert "contrast" in summarise_robustness(result)


def test_a_failing_video_is_left_out_and_named(videos, tmp_path, capsys):
    broken = dataclasses.replace(videos[1], index=(0, 10**6))
    kept = [videos[0], broken, *videos[2:]]

    def windows(place: int) -> dict:
        if place >= 10**6:
            raise ValueError("record of 0_real/v2: damaged")
        return _Records()[place]

    class Damaged(_Records):
        __getitem__ = staticmethod(windows)

    kept[1] = dataclasses.replace(broken, records=Damaged())
    ran = score_suite([], kept, _score, tmp_path, identity=_IDENTITY)
    assert len(set(ran.scores["clean"].video)) == 7
    assert "0_real/v2: record of 0_real/v2: damaged" in capsys.readouterr().err


def test_whatever_one_video_raises_the_others_are_scored(videos, tmp_path, capsys):
    class Strange(_Records):
        def __getitem__(self, place: int) -> dict:
            raise IndexError("list index out of range")

    kept = [videos[0], dataclasses.replace(videos[1], records=Strange()), *videos[2:]]
    ran = score_suite([], kept, _score, tmp_path, identity=_IDENTITY)
    assert len(set(ran.scores["clean"].video)) == 7
    assert (
        "0_real/v2: unexpected IndexError: list index out of range; traceback in" in capsys.readouterr().err
    )
    assert "__getitem__" in (tmp_path / "errors.log").read_text()


def test_trouble_of_the_machine_ends_a_suite(videos, tmp_path):
    class Full(_Records):
        def __getitem__(self, place: int) -> dict:
            raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output error"):
        score_suite(
            [], [dataclasses.replace(videos[0], records=Full())], _score, tmp_path, identity=_IDENTITY
        )


def _baseline(name: str, auc: float | None, rank: float | None) -> Baseline:
    ends = {"auc_interval": None, "matched_rank_interval": None}
    return Baseline(name=name, auc=auc, matched_rank=rank, meaning="m", **ends)


def _result(clean: float, parted: float, alone: float, plain: float | None) -> SuiteResult:
    def cell(kind: str, auc: float, level: str = "") -> PerturbationResult:
        gap = auc - clean
        return PerturbationResult(
            kind=kind,
            level=level,
            videos=100,
            auc=auc,
            fpr=0.1,
            fnr=0.1,
            auc_interval=(auc - 0.02, auc + 0.02),
            fnr_interval=None,
            auc_difference=gap,
            auc_difference_interval=(gap - 0.02, gap + 0.02),
            fnr_difference=0.0,
            fnr_difference_interval=None,
            matched_rank=auc,
            matched_rank_interval=(auc - 0.03, auc + 0.03),
            matched_rank_difference=gap,
            matched_rank_difference_interval=None,
        )

    found = (
        cell("clean", clean),
        cell("sound only (frames grey)", alone),
        cell("sound of another video", parted),
        cell("sound delayed", parted, "0.5 s"),
    )
    return SuiteResult(
        version=1,
        suite="controls",
        decision="mean of a video's windows; fake from 0.5 on (default)",
        warning="",
        cells=found,
        means=(),
        missing=(),
        model_free=(_baseline("file properties", auc=plain, rank=plain),),
        **dataclasses.asdict(_IDENTITY),
    )


@pytest.mark.parametrize(
    ("figures", "answer"),
    [
        ((0.95, 0.5, 0.5, 0.6), "agree with the claim"),
        ((0.95, 0.94, 0.5, 0.6), "contradict the claim"),
        ((0.95, 0.5, 0.8, 0.6), "in part only"),
        ((0.95, 0.5, 0.5, 0.93), "in part only"),
        ((0.51, 0.5, 0.5, None), "No conclusion"),
    ],
)
def test_the_conclusion_follows_the_figures(figures, answer):
    result = _result(*figures)
    assert answer in draw_conclusions(result)[0]
    assert answer in make_controls_section(result).body


def test_sharpness_of_a_constant_and_of_an_edge():
    flat = np.full((5, 500, 500, 3), 90, np.uint8)
    edge = flat.copy()
    edge[:, :, 250:] = 190
    values = [measure_sharpness([Window(0, 0, 25.0, flat[0], frames)]) for frames in (flat, edge)]
    assert values[0] == pytest.approx(np.log(1e-3))
    # One column of +100 and one of -100 in each row of 230 pixels: variance 2 * 100**2 / 230.
    assert values[1] == pytest.approx(np.log(2 * 100**2 / 230 + 1e-3), rel=1e-6)


def test_model_free_rows(videos):
    known = [measure_video(video, video.load_windows(CLEAN)) for video in videos]
    properties, sharpness = compute_baselines(known, _BOOTSTRAP)
    assert (properties.auc, properties.lacking) == (None, "needs the clips")
    assert sharpness.name == "mouth sharpness"
    assert sharpness.auc == 1.0  # darker noise has smaller edges
    few = compute_baselines(known[:3], _BOOTSTRAP)[1]  # one source of fakes
    assert (few.auc, few.lacking) == (None, "too few sources")
    rows = [{"a": 1.0, "b": "x"}, {"a": 2.0, "b": "y"}]
    assert encode_one_hot(rows).tolist() == [[1, 1, 0], [2, 0, 1]]


@pytest.fixture(scope="module")
def clips(film, tmp_path_factory) -> list[Clip]:
    """Two clips of two seconds, in colours that change with every frame."""
    folder, random = tmp_path_factory.mktemp("clips"), np.random.default_rng(0)
    pictures = [
        np.tile(colour, (64, 80, 1)).astype(np.uint8) for colour in random.integers(0, 256, (50, 1, 1, 3))
    ]
    sound = np.sin(np.arange(32000) / 9)
    return [
        Clip(f"{kind}/a", film(folder / f"{kind}.mp4", pictures, sound=sound), None, label, f"s{label}")
        for label, kind in enumerate(("0_real", "1_fake"))
    ]


_MP3 = pytest.param("mp3 32 kbit per s", marks=pytest.mark.slow)


@pytest.mark.parametrize("name", ["clean", "noise 3", "compression 5", "shift +80 ms", _MP3])
def test_keeping_what_was_decoded_changes_nothing(clips, name):
    perturbation = next(one for one in (CLEAN, *list_robustness()) if one.name == name)
    (video, _) = list_clip_videos(clips, "paper")
    kept = video.with_cache()
    kept.load_windows(CLEAN)
    for ours, theirs in zip(kept.load_windows(perturbation), video.load_windows(perturbation), strict=True):
        assert np.array_equal(ours.frames, theirs.frames)
        assert np.array_equal(ours.mel, theirs.mel)


def test_clips_have_to_be_those_of_the_records(clips):
    videos = list_clip_videos(clips, "paper")

    class Built(list):
        """Records of these clips, as a build would hold them."""

    def record(video, window):
        return encoding.encode_window(window, "compact", effort=0) | {
            "video": video.video,
            "source": video.source,
            "generator": "",
            "windows": "paper",
            "label": video.label,
            "window": window.index,
            "start_frame": window.start_frame,
            "fps": window.fps,
        }

    records = Built(record(video, window) for video in videos for window in video.load_windows(CLEAN))
    data = find_suite_data(records, "sum", clips)
    assert [video.video for video in data.videos] == ["0_real/a", "1_fake/a"]
    records[0] = records[0] | {"start_frame": 1}
    with pytest.raises(ValueError, match=r"other windows than the records hold \(\(0, 0, .*, not \(0, 1, "):
        find_suite_data(records, "sum", clips)
    with pytest.raises(ClipError, match="1_fake/a and 0 more videos of the data are not in --clips"):
        find_suite_data(records, "sum", clips[:1])


def test_names_of_cells_are_file_names():
    assert Perturbation("a/b", "c").name == "a-b c"
