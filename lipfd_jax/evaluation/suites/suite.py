"""The suites of an evaluation, robustness and controls: run, kept beside its report, and shown in it."""

import contextlib
import itertools
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import numpy as np

from lipfd_jax.checkpoints.calibration import Calibration
from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.data.sources import RecordSource, find_window_convention, read_crop
from lipfd_jax.evaluation.metrics.bootstrap import DEFAULT_BOOTSTRAP, BootstrapSettings
from lipfd_jax.evaluation.metrics.pooling import Decision, Pooling, make_decision
from lipfd_jax.evaluation.suites.baselines import measured, model_free
from lipfd_jax.evaluation.suites.controls import TITLE, conclusion, controls, controls_section
from lipfd_jax.evaluation.suites.results import cells, few_sources, mean_cells
from lipfd_jax.evaluation.suites.runner import Cells, run_cells
from lipfd_jax.evaluation.suites.section import robustness_section, robustness_summary
from lipfd_jax.evaluation.suites.videos import Subject, clip_subjects, record_subjects
from lipfd_jax.listing.clips import Clip, ClipError
from lipfd_jax.pages.rendering import Section
from lipfd_jax.perturbations.catalogue import CLEAN, Effect, perturbations
from lipfd_jax.runtime.distributed import run_on_first
from lipfd_jax.storage import files
from lipfd_jax.storage.locks import locked

Name = Literal["robustness", "controls"]
NAMES: tuple[Name, ...] = get_args(Name)
VERSION = 1  # of the keys of NAME.json
_SECTIONS = {"robustness": robustness_section, "controls": controls_section}
_SUMMARIES = {"robustness": robustness_summary, "controls": lambda result: " ".join(conclusion(result))}


class Scorer(Protocol):
    """An opened checkpoint, as `lipfd_jax.Detector` is."""

    metadata: Metadata
    fingerprint: str  # of the weights

    def score(self, composites: np.ndarray) -> np.ndarray:
        """Probabilities of a fake, (B,), of composites (B, 1000, 2500, 3) uint8."""


@dataclass(frozen=True)
class SuiteData:
    """The videos of a suite, and what to call them."""

    subjects: Sequence[Subject]
    on: str  # in words
    identity: str  # of the records


def suite_data(source: RecordSource, identity: str, clips: Sequence[Clip] | None = None) -> SuiteData:
    """The videos of a source: from raw clips where they are given, so that all effects are exact.

    Raises ClipError where a video of the source is not among the clips.
    """
    stored = record_subjects(source)
    if clips is None:
        on = "on stored windows: frames as stored, compression as JPEG, sound on the mel picture"
        return SuiteData(stored, on, identity)
    found = {clip.video: clip for clip in clips}
    if missing := sorted({subject.video for subject in stored} - set(found)):
        raise ClipError(f"{missing[0]} and {len(missing) - 1} more videos of the data are not in --clips")
    crop = read_crop(source)
    subjects = clip_subjects(
        [found[subject.video] for subject in stored], find_window_convention(source), crop
    )
    _check_same(subjects[0], stored[0])
    cut = ", faces cut as in the records" if crop == "faces" else ""
    return SuiteData(subjects, f"on the clips themselves, before anything is cut from them{cut}", identity)


def _check_same(subject: Subject, stored: Subject) -> None:
    """Raises ValueError where a clip gives other windows than its records hold."""
    ours, theirs = (
        [(window.index, window.start_frame, window.frames.shape) for window in one.windows(CLEAN)]
        for one in (subject, stored)
    )
    pairs = itertools.zip_longest(ours, theirs)
    if odd := next((pair for pair in pairs if pair[0] != pair[1]), None):
        raise ValueError(
            f"{subject.video}: --clips gives other windows than the records hold ({odd[0]}, not {odd[1]}: "
            "number, first frame, shape of its frames); build the records again, or give the clips that they "
            "were built from"
        )


def run_suite(
    name: Name,
    scorer: Scorer,
    data: SuiteData,
    output: str | os.PathLike,
    *,
    weights: str,
    calibration: Calibration | None = None,
    pooling: Pooling | None = None,
    threshold: float | None = None,
    drawing: BootstrapSettings = DEFAULT_BOOTSTRAP,
    overwrite: bool = False,
) -> dict[str, Any] | None:
    """Scores every cell that is not there yet and writes NAME.json into `output`; returns its content.

    Cells lie in `output`/NAME, a scores file each, so that a stopped suite goes on. Several processes share
    the videos; the first one writes, and the others return None.

    Args:
      weights: fingerprint of the checkpoint.
      calibration: the checkpoint's, if it is to be applied.
      pooling: of windows to videos; by default the calibration's, or the mean.
      threshold: a video whose score is at least this is called fake; by default the calibration's, or 0.5.
      overwrite: score all cells anew.

    Raises:
      ValueError: the folder holds cells of another checkpoint or other data; no video can be scored.
    """
    folder = Path(output) / name
    effects = suite_effects(name)
    decision = make_decision(calibration, threshold=threshold, pooling=pooling)
    precision = scorer.metadata.model.dtype
    identity = {"weights": weights, "records": data.identity, "on": data.on, "precision": precision}
    measure = measured if name == "controls" else None
    with contextlib.ExitStack() as held:
        run_on_first(lambda: held.enter_context(locked(folder, f"the {name} suite")))
        ran = run_cells(
            effects,
            data.subjects,
            scorer.score,
            folder,
            identity=identity,
            measure=measure,
            overwrite=overwrite,
        )
        if ran is None:
            return None
        result = suite_result(name, ran, decision, drawing) | identity
        files.write_json(Path(output) / f"{name}.json", result)
    print(f"{name}: {_SUMMARIES[name](result)}")
    return result


def suite_results(output: str | os.PathLike, weights: str) -> dict[str, dict[str, Any]]:
    """The results that suites of these weights left in a folder, by name."""
    paths = {name: Path(output) / f"{name}.json" for name in _SECTIONS}
    found = {name: json.loads(path.read_text("utf-8")) for name, path in paths.items() if path.exists()}
    return {name: result for name, result in found.items() if result["weights"] == weights}


def suite_sections(results: Mapping[str, dict[str, Any]]) -> list[Section]:
    """A section for each suite."""
    return [_SECTIONS[name](result) for name, result in results.items()]


def suite_lines(results: Mapping[str, dict[str, Any]]) -> dict[str, str]:
    """What each suite says, in a sentence or few, for a summary."""
    return {name: _SUMMARIES[name](result) for name, result in results.items()}


def suite_findings(results: Mapping[str, dict[str, Any]]) -> list[str]:
    """A sentence of each suite for the head of a report, what costs most, and whether lips are read."""
    found = []
    for name, result in results.items():
        if name == "robustness":
            found.append(robustness_summary(result))
        else:
            warning = f" Warning: {result['warning']}." if result.get("warning") else ""
            found.append(f"{TITLE} {conclusion(result)[0]}{warning}")
    return found


def suite_effects(name: Name) -> list[Effect]:
    """The effects of a suite, in the order of its page."""
    return perturbations() if name == "robustness" else [control.effect for control in controls()]


def suite_result(name: Name, ran: Cells, decision: Decision, drawing: BootstrapSettings) -> dict[str, Any]:
    """The figures of a finished suite: plain values, all but what it is of."""
    made = cells(suite_effects(name), ran.scores, decision, drawing)
    free = {"model_free": model_free(ran.measured, drawing)} if name == "controls" else {}
    return {
        "version": VERSION,
        "suite": name,
        "decision": str(decision),
        "warning": few_sources(ran.scores, drawing),
        "cells": [asdict(cell) for cell in made],
        "means": [asdict(cell) for cell in mean_cells(made, ran.scores, decision, drawing)],
        "missing": list(ran.missing.items()),
        **free,
    }
