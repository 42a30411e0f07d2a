"""Validation of a state: metrics of the validation records, by which the best checkpoint is chosen."""

import dataclasses
from collections.abc import Mapping, Sequence

from jax.sharding import Mesh

from lipfd_jax.checkpoints.folders import METRIC
from lipfd_jax.evaluation.metrics.compute import compute_window_metrics
from lipfd_jax.evaluation.predict import collect_scores, predict_records
from lipfd_jax.inference.runner import ProgramRunner
from lipfd_jax.training.state import Recipe, TrainState
from lipfd_jax.training.training_data import VALIDATION, RunData

_MEAN = f"mean_{METRIC}"  # over the sets of several


@dataclasses.dataclass(frozen=True)
class Validation:
    """Metrics of the validation records of one set, window by window."""

    name: str  # "validation" of the first set, "validation 2" of the second
    values: dict[str, float]  # auc, ap, eer and its threshold, matched_rank; undefined ones are left out
    windows: int
    missing: str  # why some are left out


def validate(
    recipe: Recipe, state: TrainState, data: RunData, *, mesh: Mesh, kernels: str
) -> list[Validation]:
    """Scores the validation records of each set with the parameters of inference: the averaged ones if any.

    Raises:
      CorruptRecord: a record can't be read and may not be skipped.
    """
    trainable = state.trainable if state.ema is None else state.ema
    states = (trainable, state.frozen, state.statistics)
    runner = ProgramRunner(recipe.graph, states, mesh, kernels, recipe.config.dtype)
    return [_validate_set(recipe, runner, data, name) for name in data.validation_names]


def merge_values(found: Sequence[Validation]) -> dict[str, float]:
    """Returns the metrics of all sets: of the first as `auc`, of the second as `2_auc`, and so on.

    With several sets also `mean_auc`, the mean over those that hold both classes.
    """
    values: dict[str, float] = {}
    for one in found:
        number = one.name.removeprefix(VALIDATION).strip()
        values |= {f"{number}_{name}" if number else name: value for name, value in one.values.items()}
    known = [one.values[METRIC] for one in found if METRIC in one.values]
    if len(found) > 1 and known:
        values[_MEAN] = sum(known) / len(known)
    return values


def rank_checkpoint(values: Mapping[str, float]) -> dict[str, float] | None:
    """Returns the metric that ranks checkpoints: the mean AUC over sets, or that of the only one."""
    ranked = values.get(_MEAN, values.get(METRIC))
    return None if ranked is None else {METRIC: ranked}


def _validate_set(recipe: Recipe, runner: ProgramRunner, data: RunData, name: str) -> Validation:
    predictions = predict_records(
        runner.submit,
        data.datasets[name],
        batch_size=recipe.experiment.batch_size,
        threads=recipe.experiment.data.threads,
        corrupt=data.corrupt[name],
    )
    found = compute_window_metrics(collect_scores(predictions))
    values = {"auc": found.auc, "ap": found.ap, "eer": found.eer, "threshold": found.eer_threshold}
    values["matched_rank"] = found.matched_rank
    known = {key: float(value) for key, value in values.items() if value is not None}
    return Validation(name, known, found.n, found.missing)
