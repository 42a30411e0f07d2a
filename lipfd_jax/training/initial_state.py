"""Initial state of a run: drawn from its seed, with pretrained weights from the files in its settings."""

import logging
from typing import Any

from flax import nnx
from jax.sharding import Mesh

from lipfd_jax.checkpoints.pretrained import backbone_weights, encoder_weights
from lipfd_jax.checkpoints.store import open_model
from lipfd_jax.training.state import Recipe, TrainState, create_state, replace_weights

logger = logging.getLogger(__name__)


def make_initial_state(recipe: Recipe, mesh: Mesh) -> TrainState:
    """Draws the state from the experiment's seed, then loads the weights that its `start*` settings name.

    Raises:
      CheckpointError: a file is refused, or its weights don't fit this model.
      ValueError: the checkpoint to start from has other inputs or another architecture.
    """
    experiment, config = recipe.experiment, recipe.config
    state = create_state(recipe, mesh)
    if experiment.start:
        opened = open_model(experiment.start)
        model = opened.metadata.model
        if model.inputs != config.inputs:
            raise ValueError(
                f"{experiment.start}: made for {model.inputs}, this experiment has "
                f"{config.inputs}; set model.inputs to match"
            )
        names = ("encoder", "backbone", "activation")
        there, here = ([getattr(m, name) for name in names] for m in (model, config))
        if there != here:
            raise ValueError(
                f"{experiment.start}: holds {' + '.join(there)}, this experiment has {' + '.join(here)}; set "
                f"{', '.join(f'model.{name}' for name in names)} to match"
            )
        logger.info("start: all weights from %s", opened.path)
        state = replace_weights(state, nnx.to_pure_dict(nnx.state(opened.model)))
    parts = {
        "encoder": (experiment.start_encoder, encoder_weights),
        "backbone": (experiment.start_backbone, backbone_weights),
    }
    for name, (file, read) in parts.items():
        if file:
            logger.info("start: %s from %s", name, file)
            state = replace_weights(state, _place_weights(name, read(file, config), len(config.members)))
        elif not experiment.start and not (name == "encoder" and config.encoder == "none"):
            logger.warning("start: %s from random weights (start_%s names no file)", name, name)
    return state


def _place_weights(name: str, weights: dict[Any, Any], members: int) -> dict[Any, Any]:
    """Returns the weights of a part where the model has that part: itself, or each of its members."""
    if not members:
        return {name: weights}
    return {"members": {number: {name: weights} for number in range(members)}}
