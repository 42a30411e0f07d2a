"""Stages of making the weights: build, folds, training, averaging, calibration, card; each resumes."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from datasets_tfds.build import build
from datasets_tfds.build_settings import select_settings
from lipfd_jax.checkpoints.calibration import write_calibration
from lipfd_jax.checkpoints.store import open_model
from lipfd_jax.data.data_fingerprint import compute_data_fingerprint
from lipfd_jax.evaluation.calibration import fit_calibration
from lipfd_jax.storage.files import write_json
from lipfd_jax.tools.weights import runs
from lipfd_jax.tools.weights.card import write_card
from lipfd_jax.tools.weights.folds import FoldClip, assign_folds, list_fold_clips, read_origins
from lipfd_jax.tools.weights.plan import (
    CALIBRATION,
    WeightsPlan,
    check_plan,
    find_folder,
    find_names,
    read_out_of_fold,
)


def make_weights(plan: WeightsPlan) -> Path:
    """Makes the checkpoint with its calibration and card; returns its folder.

    The same command resumes after an interruption: finished stages are kept.

    Raises:
      BuildError, ClipError, ValueError: a folder of videos can't be used; the message names it.
    """
    for media, data_dir in zip(plan.media, plan.sets, strict=True):
        settings = select_settings("clips", damaged="keep", fractions=(1.0, 0.0, 0.0))
        build(manual_dir=str(media), data_dir=str(data_dir), settings=settings)
    digests = [compute_data_fingerprint(runs.open_clip_set(path)[0]).digest for path in plan.sets]
    check_plan(plan, digests)
    folds = write_folds(plan)
    parts = [_plan_part(plan, folds, fold) for fold in range(plan.folds)]
    final = _plan_part(plan, folds, None)
    each = sorted([run for part in [*parts, final] for run in part], key=lambda run: run.experiment.seed)
    runs.train_all(each, plan.jobs, plan.work / "xla")  # a seed of every fold before the next
    means = [_average_part(part, plan.mean) for part in [*parts, final]]
    runs.train_all(means, plan.jobs, plan.work / "xla")
    scores = read_out_of_fold(plan, plan.mean)
    fingerprint = open_model(plan.checkpoint).fingerprint
    data = (
        f"{len(set(scores.video))} clips, each scored by weights that saw neither its people nor its origin"
    )
    fitted = fit_calibration(
        scores, CALIBRATION, weights=fingerprint, data=data, data_fingerprint=" ".join(digests)
    )
    write_calibration(plan.checkpoint, fitted)
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
        runs.write_names(find_names(plan, fold), [name for name, at in folds.items() if at == fold])
    return folds


def _plan_part(plan: WeightsPlan, folds: dict[str, int], fold: int | None) -> list[runs.WeightsRun]:
    """Returns the runs that leave a fold out, one a seed; for None those on all clips."""
    left_out = "" if fold is None else str(find_names(plan, fold))
    scored = frozenset(name for name, at in folds.items() if at == fold)
    return [
        runs.WeightsRun(
            find_folder(plan, fold) / f"seed{seed}",
            runs.make_experiment(plan.recipe, plan.sets, seed=seed, left_out=left_out),
            plan.sets,
            scored,
        )
        for seed in plan.seeds
    ]


def _average_part(part: Sequence[runs.WeightsRun], name: str) -> runs.WeightsRun:
    """Averages the weights of a part's runs; returns the run that scores the result."""
    workdir = part[0].workdir.parent / name
    workdir.mkdir(parents=True, exist_ok=True)
    runs.average_checkpoints([run.training for run in part], workdir / "checkpoint")
    return dataclasses.replace(part[0], workdir=workdir, checkpoint=workdir / "checkpoint")


def _join(one: str, other: str) -> str:
    return "|".join(sorted({*one.split("|"), *other.split("|")} - {""}))
