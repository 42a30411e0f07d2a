"""Stages of making the weights: build, folds, training, averaging, calibration, card; each resumes."""

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

from datasets_tfds.build import build
from datasets_tfds.build_settings import select_settings
from lipfd_jax.checkpoints.calibration import write_calibration
from lipfd_jax.checkpoints.store import open_model
from lipfd_jax.evaluation.calibration import CalibrationSettings
from lipfd_jax.evaluation.cross_validation import join_scores
from lipfd_jax.evaluation.metrics.scores import Scores, read_scores
from lipfd_jax.storage.files import write_json
from lipfd_jax.tools.weights import runs
from lipfd_jax.tools.weights.card import write_card
from lipfd_jax.tools.weights.figures import fit_on
from lipfd_jax.tools.weights.folds import FoldClip, assign_folds, list_fold_clips, read_origins
from lipfd_jax.training.config import Experiment

logger = logging.getLogger(__name__)

CALIBRATION = CalibrationSettings(target_fpr=0.05)
MEAN = "mean"  # folder of the averaged checkpoint and of its scores


@dataclasses.dataclass(frozen=True)
class WeightsPlan:
    """What the weights are made of, and where."""

    media: tuple[Path, ...]  # folders of videos with a clips.csv
    work: Path  # everything in between: records, runs, scores
    recipe: Experiment
    seeds: tuple[int, ...] = (0, 1, 2)
    folds: int = 3
    jobs: int = 2  # runs at once, each on its share of the cores

    @property
    def sets(self) -> tuple[Path, ...]:
        """The data_dir of each folder's clip records."""
        return tuple(self.work / f"clips{number}" for number in range(len(self.media)))

    @property
    def checkpoint(self) -> Path:
        """The finished checkpoint."""
        return self.work / "all" / MEAN / "checkpoint"


def make_weights(plan: WeightsPlan) -> Path:
    """Makes the checkpoint with its calibration and card; returns its folder.

    The same command resumes after an interruption: finished stages are kept.

    Raises:
      BuildError, ClipError, ValueError: a folder of videos can't be used; the message names it.
    """
    for media, data_dir in zip(plan.media, plan.sets, strict=True):
        settings = select_settings("clips", damaged="keep", fractions=(1.0, 0.0, 0.0))
        build(manual_dir=str(media), data_dir=str(data_dir), settings=settings)
    folds = write_folds(plan)
    parts = [_plan_part(plan, folds, fold) for fold in range(plan.folds)]
    final = _plan_part(plan, folds, None)
    each = sorted([run for part in [*parts, final] for run in part], key=lambda run: run.experiment.seed)
    runs.train_all(each, plan.jobs, plan.work / "xla")  # a seed of every fold before the next
    means = [_average_part(part) for part in [*parts, final]]
    runs.train_all(means, plan.jobs, plan.work / "xla")
    scores = read_out_of_fold(plan, MEAN)
    fingerprint = open_model(plan.checkpoint).fingerprint
    data = (
        f"{len(set(scores.video))} clips, each scored by weights that saw neither its people nor its origin"
    )
    write_calibration(plan.checkpoint, fit_on(scores, CALIBRATION, weights=fingerprint, data=data))
    write_card(plan, folds)
    return plan.checkpoint


def write_folds(plan: WeightsPlan) -> dict[str, int]:
    """Assigns every source to a fold, and writes folds.json and the sources of each fold."""
    clips: list[FoldClip] = []
    origins: dict[str, str] = {}
    for media in plan.media:
        origins |= {group: _join(origins.get(group, ""), o) for group, o in read_origins(media).items()}
    for data_dir in plan.sets:
        clips += list_fold_clips(runs.open_clip_set(data_dir)[1], origins)
    folds = assign_folds(clips, plan.folds)
    plan.work.mkdir(parents=True, exist_ok=True)
    write_json(plan.work / "folds.json", folds)
    for fold in range(plan.folds):
        runs.write_names(_names_file(plan, fold), [name for name, at in folds.items() if at == fold])
    return folds


def read_out_of_fold(plan: WeightsPlan, name: str) -> Scores:
    """Returns the scores of all clips by the checkpoints `name` of the folds that left them out.

    Args:
      name: MEAN, or "seed0" and so on.
    """
    places = [_folder(plan, fold) / name / runs.SCORES for fold in range(plan.folds)]
    return join_scores([read_scores(place) for place in places])


def _plan_part(plan: WeightsPlan, folds: dict[str, int], fold: int | None) -> list[runs.WeightsRun]:
    """Returns the runs that leave a fold out, one a seed; for None those on all clips."""
    left_out = "" if fold is None else str(_names_file(plan, fold))
    scored = frozenset(name for name, at in folds.items() if at == fold)
    return [
        runs.WeightsRun(
            _folder(plan, fold) / f"seed{seed}",
            runs.make_experiment(plan.recipe, plan.sets, seed=seed, left_out=left_out),
            plan.sets,
            scored,
        )
        for seed in plan.seeds
    ]


def _average_part(part: Sequence[runs.WeightsRun]) -> runs.WeightsRun:
    """Averages the weights of a part's runs; returns the run that scores the result."""
    workdir = part[0].workdir.parent / MEAN
    workdir.mkdir(parents=True, exist_ok=True)
    runs.average_checkpoints([run.workdir for run in part], workdir / "checkpoint")
    return dataclasses.replace(part[0], workdir=workdir, checkpoint=workdir / "checkpoint")


def _folder(plan: WeightsPlan, fold: int | None) -> Path:
    return plan.work / ("all" if fold is None else f"fold{fold}")


def _names_file(plan: WeightsPlan, fold: int) -> Path:
    return plan.work / f"fold{fold}.txt"


def _join(one: str, other: str) -> str:
    return "|".join(sorted({*one.split("|"), *other.split("|")} - {""}))
