"""Validation of a state: metrics of the validation records, by which the best checkpoint is chosen."""

import dataclasses

from jax.sharding import Mesh

from lipfd_jax.evaluation.metrics.compute import compute_window_metrics
from lipfd_jax.evaluation.predict import collect_scores, predict_records
from lipfd_jax.inference.runner import ProgramRunner
from lipfd_jax.training.state import Recipe, TrainState
from lipfd_jax.training.training_data import VALIDATION, RunData


@dataclasses.dataclass(frozen=True)
class Validation:
    """Metrics of the validation records, window by window."""

    values: dict[str, float]  # auc, ap, eer and its threshold; those undefined for one class are left out
    windows: int
    missing: str  # why some are left out


def validate(recipe: Recipe, state: TrainState, data: RunData, *, mesh: Mesh, kernels: str) -> Validation:
    """Scores the validation records with the parameters of inference: the averaged ones if there are any.

    Raises:
      CorruptRecord: a record can't be read and may not be skipped.
    """
    trainable = state.trainable if state.ema is None else state.ema
    states = (trainable, state.frozen, state.statistics)
    predictions = predict_records(
        ProgramRunner(recipe.graph, states, mesh, kernels, recipe.config.dtype).submit,
        data.datasets[VALIDATION],
        batch_size=recipe.experiment.batch_size,
        threads=recipe.experiment.data.threads,
        corrupt=data.corrupt[VALIDATION],
    )
    found = compute_window_metrics(collect_scores(predictions))
    values = {"auc": found.auc, "ap": found.ap, "eer": found.eer, "threshold": found.eer_threshold}
    known = {name: float(value) for name, value in values.items() if value is not None}
    return Validation(known, found.n, found.missing)
