"""Models with drawn weights for tests: made by one compiled program, where flax draws array by array."""

import functools

import jax
from flax import nnx

from lipfd_jax.models.lipfd import LipFD, ModelConfig, abstract_model


def drawn(config: ModelConfig, seed: int = 0) -> LipFD:
    """The model that LipFD(config, rngs=nnx.Rngs(seed)) is, in a third of the time."""
    graph, _ = nnx.split(abstract_model(config))
    return nnx.merge(graph, _state(config)(jax.random.key(seed)))


@functools.cache
def _state(config: ModelConfig):
    # Runs once or twice: optimising its many random draws takes longer than making them.
    options = {"xla_backend_optimization_level": 0}
    return jax.jit(lambda key: nnx.state(LipFD(config, rngs=nnx.Rngs(key))), compiler_options=options)
