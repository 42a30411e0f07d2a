"""The state a run begins with: drawn from its seed, or partly read from files."""

import logging

from flax import nnx
from jax.sharding import Mesh

from lipfd_jax.checkpoints.store import open_model
from lipfd_jax.training.state import Recipe, TrainState, create_state, with_weights

logger = logging.getLogger(__name__)


def start_state(recipe: Recipe, mesh: Mesh) -> TrainState:
    """Draws the state from the experiment's seed, then reads what its `start*` settings name.

    Raises:
      ValueError: a file's weights don't fit the model, or its convention is another.
    """
    experiment = recipe.experiment
    state = create_state(recipe, mesh)
    if experiment.start:
        opened = open_model(experiment.start)
        if opened.metadata.model.inputs != recipe.config.inputs:
            raise ValueError(
                f"{experiment.start}: made with {opened.metadata.model.inputs}, this experiment has "
                f"{recipe.config.inputs}; set model.convention (and sizes) to match"
            )
        logger.info("starting from %s", opened.path)
        return with_weights(state, recipe, nnx.to_pure_dict(nnx.state(opened.model)))
    logger.info("starting from random weights: no start files are named in the configuration")
    return state
