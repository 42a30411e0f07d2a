"""Our sides of the GPU's table, and whether their programs for CUDA are made at all."""

import dataclasses
import re
from collections import Counter
from collections.abc import Callable
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from lipfd_jax.kernels.choice import VARIANTS, Kernels, bound
from lipfd_jax.mesh import make_mesh, to_devices
from lipfd_jax.models.forward import forward as forward_pass
from lipfd_jax.models.lipfd import LipFD, ModelConfig
from lipfd_jax.training.config import Experiment
from lipfd_jax.training.state import abstract_state, create_state, make_recipe
from lipfd_jax.training.step import make_step

ATTENTION = ("plain", "cudnn")


def with_attention(function: Callable, variant: str) -> Callable:
    """`function`, traced with the kernels for GPUs and this variant of attention."""
    chosen = bound(function, Kernels("gpu"))

    def traced(*args: object) -> object:
        with mock.patch.dict(VARIANTS["attention"], gpu=variant):
            return chosen(*args)

    return traced


def batch_of(count: int) -> dict[str, np.ndarray]:
    """Composites of noise, half of them fake."""
    noise = np.random.default_rng(0).integers(0, 256, (count, 1000, 2500, 3), np.uint8)
    return {"composite": noise, "label": (np.arange(count) % 2).astype(np.int32)}


def forward(
    config: ModelConfig, batch: int, *, dtype: str, device: jax.Device, attention: str = "plain"
) -> tuple[Callable, tuple]:
    """A function from parameters and composites to logits, and its arguments on the device."""
    config = dataclasses.replace(config, dtype=dtype)
    graph, state = nnx.split(LipFD(config, rngs=nnx.Rngs(0)))

    def logits(state: nnx.State, composites: jax.Array) -> jax.Array:
        return forward_pass(nnx.merge(graph, state, copy=True), composites).logits

    program = logits if device.platform == "cpu" else with_attention(logits, attention)
    return program, jax.device_put((state, batch_of(batch)["composite"]), device)


def forward_side(config: ModelConfig, batch: int, attention: str) -> Callable[[], object]:
    """Runs the jitted forward pass once."""
    device = jax.devices()[0]
    program, arguments = forward(config, batch, dtype="bfloat16", device=device, attention=attention)
    compiled = jax.jit(program)
    return lambda: compiled(*arguments).block_until_ready()


def step_side(config: ModelConfig, batch: int, attention: str) -> Callable[[], object]:
    """Runs one training step, as training compiles it."""
    mesh, recipe = make_mesh(devices=jax.devices()[:1]), make_recipe(_experiment(config, batch))
    state, data = create_state(recipe, mesh), to_devices(batch_of(batch), mesh)
    step = jax.jit(with_attention(make_step(recipe, Kernels("gpu")), attention), donate_argnums=0)

    def run() -> float:
        nonlocal state
        state, found = step(state, data)
        return float(found["loss"])

    return run


def lowered(config: ModelConfig, batch: int = 8) -> dict[str, dict]:
    """Makes both programs for CUDA on this machine, with each attention: their size, or why there is none."""
    recipe = make_recipe(_experiment(config, batch))
    mesh = make_mesh(devices=jax.devices()[:1])
    state = abstract_state(recipe, mesh)
    data = jax.eval_shape(lambda: jax.tree.map(jnp.asarray, batch_of(batch)))
    graph, weights = nnx.split(nnx.eval_shape(lambda: LipFD(config, rngs=nnx.Rngs(0))))

    def logits(weights: nnx.State, composites: jax.Array) -> jax.Array:
        return forward_pass(nnx.merge(graph, weights, copy=True), composites).logits

    step = make_step(recipe, Kernels("gpu"))
    programs = {"forward": (logits, (weights, data["composite"])), "training step": (step, (state, data))}
    return {
        f"{name}, {attention} attention": _lowering(with_attention(function, attention), arguments)
        for name, (function, arguments) in programs.items()
        for attention in ATTENTION
    }


def _lowering(function: Callable, arguments: tuple) -> dict:
    try:
        text = jax.jit(function).trace(*arguments).lower(lowering_platforms=("cuda",)).as_text()
    except Exception as error:  # a library that is missing, a version that is not supported
        return {"error": str(error).strip().splitlines()[0]}
    calls = Counter(re.findall(r"custom_call @(\w+)", text))
    return {"operations": len(re.findall(r"= \"?stablehlo\.", text)), "calls": dict(calls)}


def _experiment(config: ModelConfig, batch: int) -> Experiment:
    return Experiment(steps=1000, batch_size=batch, model=config)
