"""Training step: composites in, a new state and its metrics out."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from lipfd_jax.kernels.dispatch import Kernels, with_kernels
from lipfd_jax.models import losses
from lipfd_jax.models.inputs import prepare_batch
from lipfd_jax.training.kind_losses import sum_by_kind
from lipfd_jax.training.optimizer import make_schedule
from lipfd_jax.training.state import Recipe, TrainState
from lipfd_jax.training.teacher import compute_teacher_logits

Step = Callable[[TrainState, dict[str, jax.Array]], tuple[TrainState, dict[str, jax.Array]]]


def make_step(recipe: Recipe, kernels: Kernels | str = "auto") -> Step:
    """Returns the training step as a function to trace (`jit_step` compiles it).

    The step takes a state and a global batch (composite (B, 1000, 2500, 3) uint8 RGB, or of pairs frames
    (B, F, 500, 500, 3) and for a teacher both; label (B,) int32, kind (B,) int32 of pairs) and returns the
    next state with loss, classification, region, rank (of pairs), teacher (with one), accuracy,
    gradient_norm and learning_rate, scalars of float32, and the sums of `sum_by_kind`. BatchNorm sees the
    whole batch, or each of the parts it is cut into.
    `kernels` chooses the implementation of each operation (kernels.dispatch).
    """
    settings = recipe.experiment.optimizer
    rate = make_schedule(settings, recipe.experiment.steps)

    def step(state: TrainState, batch: dict[str, jax.Array]) -> tuple[TrainState, dict[str, jax.Array]]:
        gradients, statistics, measured = _accumulate_gradients(recipe, state, batch)
        trainable = nnx.to_pure_dict(state.trainable)
        updates, optimizer = recipe.optimizer.update(gradients, state.optimizer, trainable)
        trainable = _replace_values(state.trainable, optax.apply_updates(trainable, updates))
        measured |= {"gradient_norm": optax.tree.norm(gradients), "learning_rate": rate(state.step)}
        return dataclasses.replace(
            state,
            step=state.step + 1,
            trainable=trainable,
            statistics=statistics,
            optimizer=optimizer,
            ema=_update_average(state, trainable, settings.ema),
        ), jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), measured)

    return with_kernels(step, kernels)


def jit_step(recipe: Recipe, kernels: Kernels | str, state: TrainState) -> Step:
    """Returns the step of `make_step`, jitted with the state donated; the next state keeps the shardings.

    XLA alone would shard parts of the next state differently from the drawn or restored one, and the second
    step would be compiled again for that.

    Args:
      recipe: the fixed parts of the run.
      kernels: chooses the implementation of each operation.
      state: arrays, or `jax.ShapeDtypeStruct`, of which only the shardings are read.
    """
    places = jax.tree.map(lambda x: x.sharding, state)
    return jax.jit(make_step(recipe, kernels), donate_argnums=0, out_shardings=(places, None))


def _accumulate_gradients(
    recipe: Recipe, state: TrainState, batch: dict[str, jax.Array]
) -> tuple[Any, Any, dict]:
    """Gradients (pure dict), new statistics and measurements, averaged over the batch's parts."""
    parts = recipe.experiment.optimizer.accumulate
    if parts == 1:
        return _compute_gradients(recipe, state, state.statistics, batch)
    # Cut so that each device keeps its own samples: part k holds every parts-th sample from k on.
    cut = jax.tree.map(lambda x: jnp.moveaxis(x.reshape(-1, parts, *x.shape[1:]), 1, 0), batch)

    def add(carry: tuple, part: dict[str, jax.Array]) -> tuple[tuple, None]:
        total, statistics = carry
        gradients, statistics, measured = _compute_gradients(recipe, state, statistics, part)
        return (jax.tree.map(jnp.add, total, (gradients, measured)), statistics), None

    first = jax.tree.map(lambda x: x[0], cut)
    shapes = jax.eval_shape(lambda: _compute_gradients(recipe, state, state.statistics, first))
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), (shapes[0], shapes[2]))
    (total, statistics), _ = jax.lax.scan(add, (zeros, state.statistics), cut)
    gradients, measured = jax.tree.map(lambda x: x / parts, total)
    return gradients, statistics, measured


def _compute_gradients(
    recipe: Recipe, state: TrainState, statistics: Any, batch: dict[str, jax.Array]
) -> tuple:
    loss = recipe.experiment.loss
    taught = None
    if recipe.teacher is not None:
        taught = compute_teacher_logits(recipe.teacher, state.teacher, batch, recipe.dtype)

    def objective(trainable: Any) -> tuple[jax.Array, tuple]:
        model = nnx.merge(recipe.graph, trainable, state.frozen, statistics, copy=True)
        prepared = prepare_batch(batch, recipe.config.inputs, dtype=jnp.dtype(recipe.dtype))
        frozen_blocks = recipe.experiment.optimizer.frozen_blocks
        output = model(prepared.image, prepared.crops, train=True, frozen_blocks=frozen_blocks)
        parts = losses.total_loss(
            output,
            batch["label"],
            region_weight=loss.region_weight,
            label_smoothing=loss.label_smoothing,
            rank_weight=loss.rank_weight,
            teacher_logits=taught,
            teacher_weight=loss.teacher_weight,
            temperature=loss.temperature,
        )
        accuracy = jnp.mean((output.logits > 0) == (batch["label"] > 0))
        measured = {
            "loss": parts.total,
            "classification": parts.classification,
            "region": parts.region,
            "accuracy": accuracy,
        }
        if loss.rank_weight:
            measured["rank"] = parts.rank
        if taught is not None:
            measured["teacher"] = parts.teacher
        if "kind" in batch:
            measured |= sum_by_kind(output.logits, batch["kind"], recipe.experiment.data.pairs.wanted)
        return parts.total, (nnx.state(model, nnx.BatchStat), measured)

    gradients, (statistics, measured) = jax.grad(objective, has_aux=True)(state.trainable)
    return nnx.to_pure_dict(gradients), statistics, measured


def _replace_values(state: Any, values: dict[str, Any]) -> Any:
    """Returns the state tree `state` with the values of a pure dict."""
    new = jax.tree.map(lambda x: x, state)
    nnx.replace_by_pure_dict(new, values)
    return new


def _update_average(state: TrainState, trainable: Any, decay: float) -> Any:
    if state.ema is None:
        return None
    # Warmed up, so that the first steps do not carry the random start along for 1 / (1 - decay) steps.
    decay = jnp.minimum(decay, (1.0 + state.step) / (10.0 + state.step))
    # Not optax.ema: it keeps a count and a debiased copy of its own, which `step` and `ema` already hold.
    return optax.incremental_update(trainable, state.ema, 1 - decay)
