"""Our sides of the GPU's table, and whether their programs for CUDA are made at all."""

import dataclasses
import importlib.metadata
import re
from collections import Counter
from collections.abc import Callable
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.experimental import topologies

from lipfd_jax.kernels.dispatch import VARIANTS, Kernels, with_kernels
from lipfd_jax.models.forward import forward as forward_pass
from lipfd_jax.models.lipfd import LipFD, ModelConfig, abstract_model
from lipfd_jax.runtime.mesh import make_mesh, put_on_devices
from lipfd_jax.training.config import Experiment
from lipfd_jax.training.state import create_state, make_abstract_state, make_recipe
from lipfd_jax.training.step import make_step

ATTENTION = ("plain", "cudnn")
# Tuning runs candidates on the GPU, which isn't there.
_UNTUNED = {"xla_gpu_autotune_level": 0, "xla_gpu_enable_triton_gemm": False}
SPECS = {  # what the compiler asks to know of a GPU (XLA's GpuDeviceInfoProto)
    "h100": """gpu_device_info {
        cuda_compute_capability { major: 9 } core_count: 132 fpus_per_core: 128 clock_rate_ghz: 1.98
        threads_per_warp: 32 threads_per_block_limit: 1024 threads_per_core_limit: 2048
        shared_memory_per_block: 49152 shared_memory_per_block_optin: 232448 shared_memory_per_core: 233472
        registers_per_core_limit: 65536 registers_per_block_limit: 65536
        block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
        l2_cache_size: 52428800 memory_bandwidth: 3352320000000 device_memory_size: 84978434048
    } device_description_str: "NVIDIA H100 80GB HBM3" """,
}


def with_attention(function: Callable, variant: str) -> Callable:
    """`function`, traced with the kernels for GPUs and this variant of attention."""
    chosen = with_kernels(function, Kernels("gpu"))

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
    state, data = create_state(recipe, mesh), put_on_devices(batch_of(batch), mesh)
    step = jax.jit(with_attention(make_step(recipe, Kernels("gpu")), attention), donate_argnums=0)

    def run() -> float:
        nonlocal state
        state, found = step(state, data)
        return float(found["loss"])

    return run


def lowered(config: ModelConfig, batch: int = 8, device: object = None) -> dict[str, dict]:
    """Makes both programs for CUDA on this machine, with each attention: their size, or why there is none.

    With a described `device` they are compiled for it as well, which says how much of its memory they take.
    """
    recipe = make_recipe(_experiment(config, batch))
    state = make_abstract_state(recipe, make_mesh(devices=jax.devices()[:1]))
    data = jax.eval_shape(lambda: jax.tree.map(jnp.asarray, batch_of(batch)))
    graph, weights = nnx.split(abstract_model(config))

    def logits(weights: nnx.State, composites: jax.Array) -> jax.Array:
        return forward_pass(nnx.merge(graph, weights, copy=True), composites).logits

    step = make_step(recipe, Kernels("gpu"))
    programs = {"forward": (logits, (weights, data["composite"])), "training step": (step, (state, data))}
    return {
        f"{name}, {attention} attention": _made(with_attention(function, attention), arguments, device)
        for name, (function, arguments) in programs.items()
        for attention in ATTENTION
    }


def described(kind: str) -> object | None:
    """A GPU that is only described, one of SPECS; None without the CUDA plugin, which has the compiler."""
    if not any(name.startswith("jax-cuda") for name in _installed()):
        return None
    config = SPECS[kind] + 'platform_name: "CUDA" dnn_version_info { major: 9 minor: 10 }'
    found = topologies.get_topology_desc(platform="cuda", topology="1x1x1", target_config=config)
    return found.devices[0]


def _installed() -> set[str]:
    return {distribution.name for distribution in importlib.metadata.distributions()}


def _made(function: Callable, arguments: tuple, device: object) -> dict:
    if device is not None:
        place = jax.sharding.SingleDeviceSharding(device)
        arguments = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=place), arguments)
    try:
        made = jax.jit(function).trace(*arguments).lower(lowering_platforms=("cuda",))
        text = made.as_text()
        found = {
            "operations": len(re.findall(r"= \"?stablehlo\.", text)),
            "calls": dict(Counter(re.findall(r"custom_call @(\w+)", text))),
        }
        return found if device is None else found | _memory(made.compile(compiler_options=_UNTUNED))
    except Exception as error:  # a library that is missing, a version that is not supported
        return {"error": str(error).strip().splitlines()[0]}


def _memory(program: jax.stages.Compiled) -> dict[str, float]:
    sizes = program.memory_analysis()
    return {
        "arguments, GB": sizes.argument_size_in_bytes / 1e9,
        "temporaries, GB": sizes.temp_size_in_bytes / 1e9,
    }


def _experiment(config: ModelConfig, batch: int) -> Experiment:
    return Experiment(steps=1000, batch_size=batch, model=config)
