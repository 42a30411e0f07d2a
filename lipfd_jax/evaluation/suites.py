"""The suites of an evaluation, robustness and controls: run, kept beside its report, and shown in it."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from lipfd_jax import files
from lipfd_jax.checkpoints.calibration import Calibration
from lipfd_jax.data import records
from lipfd_jax.data.sources import RecordSource, windows_mode
from lipfd_jax.detector import Detector
from lipfd_jax.evaluation.bootstrap import DRAWING, Drawing
from lipfd_jax.evaluation.controls import conclusion, controls, controls_section
from lipfd_jax.evaluation.decision import Decision, decide
from lipfd_jax.evaluation.effects import Effect, perturbations
from lipfd_jax.evaluation.file_properties import model_free
from lipfd_jax.evaluation.pooling import Pooling
from lipfd_jax.evaluation.robustness import robustness_section, robustness_summary
from lipfd_jax.evaluation.subjects import Subject, clip_subjects, record_subjects
from lipfd_jax.evaluation.suite import cells, mean_cells, run_cells
from lipfd_jax.listing.clips import Clip, ClipError
from lipfd_jax.locks import locked
from lipfd_jax.pages.rendering import Section

Name = Literal["robustness", "controls"]
VERSION = 1  # of the keys of NAME.json
_SECTIONS = {"robustness": robustness_section, "controls": controls_section}
_SUMMARIES = {"robustness": robustness_summary, "controls": lambda result: " ".join(conclusion(result))}


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
    if clips is None:
        on = "on stored windows: frames as stored, compression as JPEG, sound on the mel picture"
        return SuiteData(record_subjects(source), on, identity)
    wanted = {records.metadata(source[place])["video"] for place in range(len(source))}
    found = {clip.video: clip for clip in clips if clip.video in wanted}
    if missing := sorted(wanted - set(found)):
        raise ClipError(f"{missing[0]} and {len(missing) - 1} more videos of the data are not in --clips")
    subjects = clip_subjects([found[video] for video in sorted(found)], windows_mode(source))
    return SuiteData(subjects, "on the clips themselves, before anything is cut from them", identity)


def run_suite(
    name: Name,
    detector: Detector,
    data: SuiteData,
    output: str | os.PathLike,
    *,
    weights: str,
    calibration: Calibration | None = None,
    pooling: Pooling | None = None,
    threshold: float | None = None,
    drawing: Drawing = DRAWING,
) -> dict[str, Any]:
    """Scores every cell that is not there yet and writes NAME.json into `output`; returns its content.

    Cells lie in `output`/NAME, a scores file each, so that a stopped suite goes on. This process scores all
    of them by itself.

    Args:
      weights: fingerprint of the checkpoint.
      calibration: the checkpoint's, if it is to be applied.
      pooling: of windows to videos; by default the calibration's, or the mean.
      threshold: a video whose score is at least this is called fake; by default the calibration's, or 0.5.

    Raises:
      ValueError: the folder holds cells of another checkpoint or other data; no video can be scored.
    """
    folder = Path(output) / name
    effects = perturbations() if name == "robustness" else [control.effect for control in controls()]
    decision = decide(calibration, threshold=threshold, pooling=pooling)
    identity = {"weights": weights, "records": data.identity, "on": data.on}
    with locked(folder, f"the {name} suite"):
        scores, missing = run_cells(effects, data.subjects, detector.score, folder, identity=identity)
        result = _result(effects, scores, missing, decision, drawing) | {"suite": name, **identity}
        if name == "controls":
            result["model_free"] = model_free(data.subjects, drawing)
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


def _result(
    effects: Sequence[Effect], scores: dict, missing: dict[str, str], decision: Decision, drawing: Drawing
) -> dict[str, Any]:
    made = cells(effects, scores, decision, drawing)
    return {
        "version": VERSION,
        "decision": str(decision),
        "cells": [asdict(cell) for cell in made],
        "means": [asdict(cell) for cell in mean_cells(made, scores, decision, drawing)],
        "missing": list(missing.items()),
    }
