"""Runner of a suite: scores every video under every perturbation and resumes after a stop."""

import functools
import itertools
import os
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
from tqdm import tqdm

from lipfd_jax.evaluation.metrics.scores import Scores
from lipfd_jax.evaluation.suites.folder import Remaining, StoredScores, SuiteFolder, read_properties
from lipfd_jax.evaluation.suites.results import SuiteIdentity
from lipfd_jax.evaluation.suites.videos import SuiteVideo, find_partner, with_mels
from lipfd_jax.inference.stream import score_stream
from lipfd_jax.perturbations.perturbation import CLEAN, Perturbation
from lipfd_jax.preprocessing.clip_task import find_fault, is_expected
from lipfd_jax.preprocessing.composite import Window, make_composite
from lipfd_jax.runtime.distributed import gather_lists, is_first_process, run_on_first
from lipfd_jax.runtime.read_ahead import read_ahead
from lipfd_jax.vocabulary import COMPOSITE_SHAPE, composite_name

Score = Callable[[np.ndarray], np.ndarray]  # composites (B, 1000, 2500, 3) uint8 to probabilities (B,)
Measure = Callable[[SuiteVideo, Sequence[Window]], dict[str, Any]]  # takes a video and its clean windows


@dataclass(frozen=True, eq=False)
class SuiteScores:
    """Scores of a finished suite."""

    scores: Mapping[str, Scores]  # perturbation name -> scores
    missing: dict[str, str]  # perturbations without scores, with the reason
    properties: list[dict[str, Any]]  # one row a video, of `measure`


def score_suite(
    perturbations: Sequence[Perturbation],
    videos: Sequence[SuiteVideo],
    score: Score,
    output: str | os.PathLike,
    *,
    identity: SuiteIdentity,
    batch_size: int = 1,
    measure: Measure | None = None,
    overwrite: bool = False,
) -> SuiteScores | None:
    """Scores of all videos under each perturbation, clean first.

    Videos come in turn, each under all perturbations, so that it is decoded once; scores are on the disk at
    once and not computed again. Several processes (`distributed.initialise`) share the videos; the first
    one writes, and the others return None. Videos that fail under a perturbation are named and left out; a
    perturbation under which all fail is missing.

    Args:
      batch_size: windows scored together, of several videos or perturbations if those of one do not fill it.

    Raises:
      ValueError: the folder holds scores of other weights or data; no clean video can be scored; a score is
        NaN.
    """
    possible, missing = _split_possible((CLEAN, *perturbations), videos)
    folders: list[SuiteFolder] = []  # written by the first process

    def begin() -> list[Remaining]:
        ids = [video.video for video in videos]
        options = {"properties": bool(measure), "overwrite": overwrite}
        folders.append(SuiteFolder(output, ids, list(possible), identity, **options))
        return folders[0].list_remaining()

    remaining = [Remaining(*work) for work in run_on_first(begin)]
    shares = [remaining[process :: jax.process_count()] for process in range(jax.process_count())]
    turns = max(sum(len(work.names) + work.properties for work in share) for share in shares)
    outcomes = _make_outcomes(shares[jax.process_index()], videos, possible, score, batch_size, measure)
    shown = {"desc": Path(output).name, "unit": "perturbed video", "disable": not is_first_process()}
    for _ in tqdm(range(turns), **shown):
        for outcome in gather_lists(list(itertools.islice(outcomes, 1))):
            for folder in folders:
                _store_outcome(folder, *outcome)
    if not is_first_process():
        return None
    empty = folders[0].finish()
    names = [name for name in possible if name not in empty]
    return SuiteScores(StoredScores(Path(output), names), missing | empty, read_properties(Path(output)))


_Kind = Literal["windows", "scores", "properties", "failed", "impossible"]
_Outcome = tuple[str, str, _Kind, Any]  # video, name of a perturbation or "its properties", plain content


def _split_possible(
    wanted: Sequence[Perturbation], videos: Sequence[SuiteVideo]
) -> tuple[dict[str, Perturbation], dict[str, str]]:
    """Perturbations that some video allows, by name; the reason for each of the others."""
    missing = {
        one.name: videos[0].find_obstacle(one)
        for one in wanted
        if all(video.find_obstacle(one) for video in videos)
    }
    return {one.name: one for one in wanted if one.name not in missing}, missing


def _make_outcomes(
    share: Sequence[Remaining],
    videos: Sequence[SuiteVideo],
    perturbations: Mapping[str, Perturbation],
    score: Score,
    batch_size: int,
    measure: Measure | None,
) -> Iterator[_Outcome]:
    """One outcome for each missing part of each video, in order; the next is prepared during scoring."""
    prepared = read_ahead(_prepare_outcomes(share, videos, perturbations, measure))
    parts = ((outcome, _take_composites(outcome)) for outcome in prepared)
    for (video, name, kind, content), values in score_stream(score, parts, batch_size):
        if kind == "windows":
            owner, windows, _ = content
            rows = [_make_row(owner, window, value) for window, value in zip(windows, values, strict=True)]
            yield video, name, "scores", rows
        else:
            yield video, name, kind, content


def _prepare_outcomes(
    share: Sequence[Remaining],
    videos: Sequence[SuiteVideo],
    perturbations: Mapping[str, Perturbation],
    measure: Measure | None,
) -> Iterator[_Outcome]:
    """Outcomes before scoring: of kind "windows" where there will be scores."""
    for work in share:
        video = videos[work.place].with_cache()
        if work.properties and measure:
            yield _catch_failure(
                video, "its properties", "properties", functools.partial(_measure_clean, video, measure)
            )
        for name in work.names:
            if reason := video.find_obstacle(perturbations[name]):
                yield video.video, name, "impossible", reason
                continue
            make = functools.partial(_prepare_windows, perturbations[name], video, videos, work.place)
            yield _catch_failure(video, name, "windows", make)


@dataclass(frozen=True)
class _NamedTask:
    """A video as faults name it; its files are opened by what makes its windows."""

    path: Path
    files: tuple[Path, ...] = ()


def _catch_failure(video: SuiteVideo, name: str, kind: _Kind, make: Callable[[], Any]) -> _Outcome:
    """The outcome of `make`; whatever it raises is the video's failure, except for trouble of the machine."""
    try:
        return video.video, name, kind, make()
    except Exception as error:
        known = isinstance(error, ValueError) and not isinstance(error, UnicodeError)  # ours, or of records
        reason = str(error) if known else find_fault(error, _NamedTask(Path(video.video)))
        if not reason:
            raise
        bug = "" if known or is_expected(error) else traceback.format_exc()
        return video.video, name, "failed", (reason.removeprefix(f"{video.video}: "), bug)


def _measure_clean(video: SuiteVideo, measure: Measure) -> dict[str, Any]:
    return measure(video, video.load_windows(CLEAN))


def _prepare_windows(
    perturbation: Perturbation, video: SuiteVideo, videos: Sequence[SuiteVideo], place: int
) -> tuple[SuiteVideo, list[Window], np.ndarray]:
    """The video, its perturbed windows and their composites (n, 1000, 2500, 3) uint8."""
    windows = video.load_windows(perturbation)
    if perturbation.foreign_sound:
        windows = with_mels(windows, find_partner(videos, place).load_windows(CLEAN))
    return video, windows, np.stack([make_composite(window) for window in windows])


def _take_composites(outcome: _Outcome) -> np.ndarray:
    _, _, kind, content = outcome
    return content[2] if kind == "windows" else np.zeros((0, *COMPOSITE_SHAPE), np.uint8)


def _make_row(video: SuiteVideo, window: Window, value: float) -> dict[str, Any]:
    """A `ScoreRow` as plain values."""
    return {
        "path": composite_name(video.video, window.index),
        "score": float(value),
        "window": window.index,
        "start_frame": window.start_frame,
        "video": video.video,
        "label": video.label,
        "source": video.source,
        "generator": video.generator,
    }


def _store_outcome(folder: SuiteFolder, video: str, name: str, kind: _Kind, content: Any) -> None:
    if kind == "scores":
        folder.add_scores(video, name, content)
    elif kind == "properties":
        folder.add_properties({"video": video, **content})
    elif kind == "failed":
        folder.report_failure(video, name, *content)
