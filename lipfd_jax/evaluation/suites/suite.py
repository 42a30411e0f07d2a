"""Suites of an evaluation, baselines, robustness and controls: run on videos and shown in its report."""

import contextlib
import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

from lipfd_jax.data.sources import RecordReader, find_window_convention, read_crop, read_face_side
from lipfd_jax.evaluation.metrics.bootstrap import DEFAULT_BOOTSTRAP, BootstrapSettings
from lipfd_jax.evaluation.metrics.pooling import DEFAULT_DECISION, Decision
from lipfd_jax.evaluation.suites.baseline_section import (
    find_baselines,
    make_baselines_section,
    summarise_baselines,
)
from lipfd_jax.evaluation.suites.baselines import compute_baselines
from lipfd_jax.evaluation.suites.compute import compute_means, compute_results, warn_few_sources
from lipfd_jax.evaluation.suites.controls import CONTROLS, draw_conclusions
from lipfd_jax.evaluation.suites.results import (
    VERSION,
    SuiteIdentity,
    SuiteName,
    SuiteResult,
    Suites,
    write_result,
)
from lipfd_jax.evaluation.suites.runner import Measure, SuiteScores, score_suite
from lipfd_jax.evaluation.suites.section import (
    CONTROLS_TITLE,
    make_controls_section,
    make_robustness_section,
    summarise_robustness,
)
from lipfd_jax.evaluation.suites.video_properties import measure_video
from lipfd_jax.evaluation.suites.videos import SuiteVideo, list_clip_videos, list_record_videos
from lipfd_jax.inference.predictor import Predictor
from lipfd_jax.listing.clips import Clip, ClipError
from lipfd_jax.pages.rendering import Section
from lipfd_jax.perturbations.catalogue import list_robustness
from lipfd_jax.perturbations.perturbation import CLEAN, Perturbation
from lipfd_jax.runtime.distributed import run_on_first
from lipfd_jax.storage.locks import lock_folder
from lipfd_jax.vocabulary import FACE_SIDE


@dataclass(frozen=True)
class Suite:
    """Definition of a suite."""

    perturbations: tuple[Perturbation, ...]  # in the order of the suite's page
    make_section: Callable[[SuiteResult], Section]
    summarise: Callable[[SuiteResult], str]  # a few sentences
    find: Callable[[SuiteResult], str]  # one sentence for the head of the report
    measure: Measure | None = None  # measures clean videos, for baselines that need no model


@dataclass(frozen=True)
class SuiteData:
    """The videos of a suite."""

    videos: Sequence[SuiteVideo]
    on: str  # what is scored, in words: clips or stored windows
    fingerprint: str  # fingerprint of the records


def find_suite_data(source: RecordReader, fingerprint: str, clips: Sequence[Clip] | None = None) -> SuiteData:
    """The videos of a source of records: as raw clips where these are given, so that all perturbations apply.

    Raises ClipError where a video of the source is not among the clips; ValueError where a clip gives other
    windows than its records hold.
    """
    stored = list_record_videos(source)
    if clips is None:
        on = "on stored windows: frames as stored, compression as JPEG, sound on the mel picture"
        return SuiteData(stored, on, fingerprint)
    found = {clip.video: clip for clip in clips}
    if missing := sorted({video.video for video in stored} - set(found)):
        raise ClipError(f"{missing[0]} and {len(missing) - 1} more videos of the data are not in --clips")
    crop, side = read_crop(source), read_face_side(source) or FACE_SIDE
    named = [found[video.video] for video in stored]
    videos = list_clip_videos(named, find_window_convention(source), crop, side)
    _check_same_windows(videos[0], stored[0])
    cut = ", faces cut as in the records" if crop == "faces" else ""
    return SuiteData(videos, f"on the clips themselves, before anything is cut from them{cut}", fingerprint)


def run_suite(
    name: SuiteName,
    detector: Predictor,
    data: SuiteData,
    output: str | os.PathLike,
    *,
    decision: Decision = DEFAULT_DECISION,
    bootstrap: BootstrapSettings = DEFAULT_BOOTSTRAP,
    overwrite: bool = False,
) -> SuiteResult | None:
    """Scores all videos under each perturbation, writes NAME.json into `output` and prints a summary.

    Scores are stored in `output`/NAME, one file per perturbation, so that a stopped suite resumes. Several
    processes share the videos; the first one writes, and the others return None.

    Args:
      detector: of this process's devices.
      decision: how videos are pooled, calibrated and called fake; as in the evaluation.
      overwrite: score everything anew.

    Raises:
      ValueError: the folder holds scores of another checkpoint or other data; no video can be scored.
    """
    suite, folder = SUITE_DEFINITIONS[name], Path(output) / name
    identity = SuiteIdentity(detector.fingerprint, data.fingerprint, data.on, detector.metadata.model.dtype)
    with contextlib.ExitStack() as held:
        run_on_first(lambda: held.enter_context(lock_folder(folder, f"the {name} suite")))
        scores = score_suite(
            suite.perturbations,
            data.videos,
            lambda composites: detector.predict(composites).probabilities,
            folder,
            identity=identity,
            batch_size=detector.batch_size,
            measure=suite.measure,
            overwrite=overwrite,
        )
        if scores is None:
            return None
        result = compute_suite(name, scores, identity, decision, bootstrap)
        write_result(output, result)
    print(f"{name}: {suite.summarise(result)}")
    return result


def compute_suite(
    name: SuiteName,
    scores: SuiteScores,
    identity: SuiteIdentity,
    decision: Decision,
    bootstrap: BootstrapSettings,
) -> SuiteResult:
    """The result of a suite from its scores."""
    suite = SUITE_DEFINITIONS[name]
    results = compute_results(suite.perturbations, scores.scores, decision, bootstrap)
    return SuiteResult(
        version=VERSION,
        suite=name,
        decision=str(decision),
        warning=warn_few_sources(scores.scores, bootstrap),
        cells=tuple(results),
        means=tuple(compute_means(results, scores.scores, decision, bootstrap)),
        missing=tuple(scores.missing.items()),
        model_free=compute_baselines(scores.properties, bootstrap) if suite.measure else None,
        **asdict(identity),
    )


def make_sections(results: Suites) -> list[Section]:
    """A section of the report for each suite."""
    return [SUITE_DEFINITIONS[name].make_section(result) for name, result in results.items()]


def summarise_suites(results: Suites) -> dict[str, str]:
    """A few sentences on each suite, by name."""
    return {name: SUITE_DEFINITIONS[name].summarise(result) for name, result in results.items()}


def list_findings(results: Suites) -> list[str]:
    """A sentence of each suite for the head of the report."""
    return [SUITE_DEFINITIONS[name].find(result) for name, result in results.items()]


def _find_controls(result: SuiteResult) -> str:
    warning = f" Warning: {result.warning}." if result.warning else ""
    return f"{CONTROLS_TITLE} {draw_conclusions(result)[0]}{warning}"


SUITE_DEFINITIONS: Mapping[SuiteName, Suite] = MappingProxyType(
    {
        "baselines": Suite((), make_baselines_section, summarise_baselines, find_baselines, measure_video),
        "robustness": Suite(
            tuple(list_robustness()), make_robustness_section, summarise_robustness, summarise_robustness
        ),
        "controls": Suite(
            tuple(control.perturbation for control in CONTROLS),
            make_controls_section,
            lambda result: " ".join(draw_conclusions(result)),
            _find_controls,
            measure_video,
        ),
    }
)


def _check_same_windows(video: SuiteVideo, stored: SuiteVideo) -> None:
    """Raises ValueError where a clip gives other windows than its records hold."""
    ours, theirs = (
        [(window.index, window.start_frame, window.frames.shape) for window in one.load_windows(CLEAN)]
        for one in (video, stored)
    )
    pairs = itertools.zip_longest(ours, theirs)
    if odd := next((pair for pair in pairs if pair[0] != pair[1]), None):
        raise ValueError(
            f"{video.video}: --clips gives other windows than the records hold ({odd[0]}, not {odd[1]}: "
            "number, first frame, shape of its frames); build the records again, or give the clips that they "
            "were built from"
        )
