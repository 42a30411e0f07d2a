"""In which precision a model computes: its checkpoint's, float32, or bfloat16 where that is faster."""

import dataclasses
import functools
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import jax
import jax.numpy as jnp
from flax import nnx

from lipfd_jax.checkpoints.store import Found, Opened
from lipfd_jax.kernels.dense import bf16_matmul
from lipfd_jax.kernels.dispatch import Kernels
from lipfd_jax.models.lipfd import LipFD, ModelConfig, abstract_model

logger = logging.getLogger(__name__)

SETTINGS = ("float32", "bfloat16", "auto")
# What a CPU that multiplies bfloat16 numbers says of itself: Intel's and AMD's, Arm's.
_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
_HEADINGS = ("flags", "features")
_Checkpoint = TypeVar("_Checkpoint", Found, Opened)
# So many times as fast must a bfloat16 product be to be taken. AMD's Zen 4 is 1.8 times as fast, Intel's
# Xeons without AMX half as fast, with the same flags.
_FASTER = 1.2
SLOW = (
    "the checkpoint says bfloat16, in which this CPU is slower; --precision=float32 saves time and moves "
    "scores by some thousandths"
)


def resolved(setting: str | None, devices: Sequence[jax.Device], *, exact: bool) -> str | None:
    """The precision that a setting stands for.

    Args:
      setting: one of SETTINGS; None for the checkpoint's own.
      devices: of the program's mesh.
      exact: scores will be held against others (a calibration, the released ones), so "auto" changes nothing.

    Returns:
      "float32", "bfloat16", or None for the checkpoint's own: also of "auto", where scores must be exact.

    Raises:
      ValueError: there is no such setting.
    """
    if setting not in (None, *SETTINGS):
        raise ValueError(f"precision={setting!r} is unknown; use one of {', '.join(SETTINGS)}")
    if setting != "auto":
        return setting
    if exact:
        return None
    return "bfloat16" if devices[0].platform != "cpu" or bfloat16_is_faster() else "float32"


def opened_in(
    opened: _Checkpoint, setting: str | None, devices: Sequence[jax.Device], *, compared: bool
) -> tuple[_Checkpoint, str | None]:
    """The checkpoint with its model in the precision that a setting stands for, and which one that is.

    Its metadata then says so too. Where the weights are not yet read, the model has the types that they will
    have. `compared`: scores will be held against others; those of released inputs always are.
    """
    exact = compared or opened.metadata.model.inputs.name == "released"
    config = opened.metadata.model
    precision = resolved(setting, devices, exact=exact)
    if precision is None and config.dtype == "bfloat16":  # as these devices compute that
        precision = config.dtype
        if not exact and devices[0].platform == "cpu" and not bfloat16_is_faster():
            logger.info("%s", SLOW)
    metadata = dataclasses.replace(
        opened.metadata, model=dataclasses.replace(config, dtype=precision or config.dtype)
    )
    model = with_precision(opened.model, precision, devices)
    return dataclasses.replace(opened, model=model, metadata=metadata), precision


@functools.cache
def bfloat16_is_faster() -> bool:
    """Whether this machine's processor multiplies bfloat16 numbers faster; tried, in a quarter second."""
    if not cpu_has_bfloat16():
        return False
    half, full = _seconds((bf16_matmul, jnp.matmul))
    return half * _FASTER < full


def _seconds(products: Sequence[Callable[[jax.Array, jax.Array], jax.Array]]) -> list[float]:
    """The least that each takes for 257 tokens of an encoder; in turns, so that other work hits all."""
    sides = jnp.ones((257, 1024)), jnp.ones((1024, 1024))
    compiled = [jax.jit(product) for product in products]
    taken = [[] for _ in products]
    for _ in range(6):
        for run, seconds in zip(compiled, taken, strict=True):
            started = time.perf_counter()
            run(*sides).block_until_ready()
            seconds.append(time.perf_counter() - started)
    return [min(seconds) for seconds in taken]


@functools.cache
def cpu_has_bfloat16(file: str = "/proc/cpuinfo") -> bool:
    """Whether this machine's processor multiplies bfloat16 numbers; False where nothing says (not Linux)."""
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return False
    said = (line.partition(":")[2].split() for line in lines if line.lower().startswith(_HEADINGS))
    return any(_FLAGS & set(words) for words in said)


def computed(config: ModelConfig, kernels: Kernels) -> ModelConfig:
    """The configuration that a program is made of: on a CPU a bfloat16 model keeps float32 between products.

    XLA's other operations are no faster in bfloat16 there, and its bfloat16 products slower than float32 ones
    unless their results are float32; see kernels.dense.
    """
    return dataclasses.replace(config, dtype="float32") if kernels.implementation == "cpu" else config


def with_precision(model: LipFD, precision: str | None, devices: Sequence[jax.Device]) -> LipFD:
    """The model with its weights, to compute in that precision; itself for None.

    In bfloat16 a CPU keeps float32 between its products (the program's kernels must know: `kernels_for` takes
    the precision), and the large matrices are stored in bfloat16, half their size. Other devices compute in
    bfloat16 throughout, as in training.
    """
    if precision is None:
        return model
    on_cpu = devices[0].platform == "cpu"
    config = dataclasses.replace(model.config, dtype="float32" if on_cpu else precision)
    changed = abstract_model(config)
    state = nnx.state(model)
    nnx.update(changed, _stored(state) if on_cpu and precision == "bfloat16" else state)
    return changed


def _stored(state: nnx.State) -> nnx.State:
    """Matrices of the encoder's blocks, and kernels of the backbone behind its stem, in bfloat16."""

    flat = dict(nnx.to_flat_state(state))
    for path, variable in flat.items():
        in_encoder = path[0] == "encoder" and "blocks" in path
        if path[-1] == "kernel" and (in_encoder or (path[0] == "backbone" and path[1] != "conv1")):
            value = variable.get_value()
            shape = isinstance(value, jax.ShapeDtypeStruct)
            rounded = value.update(dtype=jnp.bfloat16) if shape else value.astype(jnp.bfloat16)
            flat[path] = variable.replace(rounded)
    return nnx.from_flat_state(flat)
