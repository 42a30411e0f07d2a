"""State of a training run: trained and frozen parameters, statistics and optimizer state."""

import dataclasses
from collections.abc import Callable
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax.sharding import Mesh

from lipfd_jax.inference.precision import make_program_config
from lipfd_jax.kernels.dispatch import Kernels
from lipfd_jax.models.encoders import ENCODERS
from lipfd_jax.models.lipfd import LipFD, ModelConfig, abstract_model
from lipfd_jax.runtime.mesh import state_sharding
from lipfd_jax.training.config import Experiment
from lipfd_jax.training.optimizer import make_optimizer, make_trained_filter


@flax.struct.dataclass
class TrainState:
    """Arrays of a run; every field is a tree."""

    step: jax.Array  # () int32, optimizer steps taken
    trainable: Any  # parameters with gradients
    frozen: Any  # parameters without
    statistics: Any  # BatchNorm's running means and variances
    optimizer: Any
    ema: Any  # averaged copy of `trainable`, or None
    teacher: Any = None  # parameters and statistics of the teacher, or None; checkpoints don't hold them


@flax.struct.dataclass
class Recipe:
    """Constants of a run: model structure, optimizer, settings."""

    graph: Any = flax.struct.field(pytree_node=False)
    optimizer: optax.GradientTransformation = flax.struct.field(pytree_node=False)
    experiment: Experiment = flax.struct.field(pytree_node=False)
    dtype: str = flax.struct.field(pytree_node=False)  # between products; inside them config.dtype
    teacher: Any = flax.struct.field(pytree_node=False, default=None)  # structure of the teacher's model

    @property
    def config(self) -> ModelConfig:
        """The architecture with its input convention, as a checkpoint stores it."""
        return self.experiment.model

    def model(self, state: TrainState, *, averaged: bool = False) -> LipFD:
        """Returns the model of a state; `averaged` with the EMA parameters where there are any."""
        trainable = state.ema if averaged and state.ema is not None else state.trainable
        return nnx.merge(self.graph, trainable, state.frozen, state.statistics, copy=True)


def make_recipe(experiment: Experiment, kernels: Kernels | None = None, teacher: Any = None) -> Recipe:
    """Returns the constants of a run; allocates no arrays. `teacher` is the structure of its teacher, if any.

    For the kernels of a CPU a bfloat16 model computes in the form of `precision.make_program_config`.
    """
    config = experiment.model if kernels is None else make_program_config(experiment.model, kernels)
    model = abstract_model(config)
    graph, *_ = _split_model(model, experiment, config)
    optimizer = make_optimizer(experiment.optimizer, experiment.steps)
    return Recipe(graph, optimizer, experiment, config.dtype, teacher)


def make_abstract_state(recipe: Recipe, mesh: Mesh) -> TrainState:
    """Returns the state with `jax.ShapeDtypeStruct` and shardings in place of arrays."""
    shapes = jax.eval_shape(_make_creator(recipe), jax.random.key(0))
    places = state_sharding(shapes, mesh)
    return jax.tree.map(lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s), shapes, places)


def create_state(recipe: Recipe, mesh: Mesh) -> TrainState:
    """Draws a new state from the experiment's seed, sharded over the mesh; the values depend on no mesh."""
    places = jax.tree.map(lambda x: x.sharding, make_abstract_state(recipe, mesh))
    # Runs once: on a CPU, optimising its many random draws takes longer than making them.
    options = {"xla_backend_optimization_level": 0} if jax.default_backend() == "cpu" else None
    create = jax.jit(_make_creator(recipe), out_shardings=places, compiler_options=options)
    return create(jax.random.key(recipe.experiment.seed))


def replace_weights(state: TrainState, weights: dict[str, Any]) -> TrainState:
    """Returns the state with some weights replaced (pure dict, any subset of the model's)."""
    parts = {"trainable": state.trainable, "frozen": state.frozen, "statistics": state.statistics}
    given = dict(nnx.traversals.flatten_mapping(weights))
    for name, part in parts.items():
        flat = dict(nnx.to_flat_state(part))
        for path in flat.keys() & given.keys():
            old = flat[path][...]
            flat[path] = flat[path].replace(jax.device_put(given.pop(path).astype(old.dtype), old.sharding))
        parts[name] = nnx.from_flat_state(flat)
    if given:
        raise ValueError(f"weights that the model does not have: {', '.join(map(str, sorted(given)))}")
    ema = jax.tree.map(jnp.copy, parts["trainable"]) if state.ema is not None else None
    return dataclasses.replace(state, **parts, ema=ema)


def gather_weights(state: TrainState) -> dict[str, Any]:
    """Returns parameters and statistics as one pure dict, as checkpoints hold them."""
    return nnx.to_pure_dict(nnx.merge_state(state.trainable, state.frozen, state.statistics))


def _make_creator(recipe: Recipe) -> Callable[[jax.Array], TrainState]:
    experiment = recipe.experiment

    def create(key: jax.Array) -> TrainState:
        model = LipFD(recipe.config, rngs=nnx.Rngs(key))
        _, trainable, frozen, statistics = _split_model(model, experiment, recipe.config)
        return TrainState(
            step=jnp.zeros((), jnp.int32),
            trainable=trainable,
            frozen=frozen,
            statistics=statistics,
            optimizer=recipe.optimizer.init(nnx.to_pure_dict(trainable)),
            ema=jax.tree.map(jnp.copy, trainable) if experiment.optimizer.ema else None,
        )

    return create


def _split_model(model: LipFD, experiment: Experiment, config: ModelConfig) -> tuple:
    wanted = make_trained_filter(experiment.optimizer, ENCODERS[config.encoder].layers)
    return nnx.split(model, wanted, nnx.Param, nnx.BatchStat)
