"""Precision of the computation: the checkpoint's, float32, or bfloat16 if that is faster."""

import dataclasses
import functools
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar, cast

import jax
import jax.numpy as jnp
from flax import nnx

from lipfd_jax.checkpoints.store import CheckpointRef, LoadedCheckpoint
from lipfd_jax.kernels.dense import bf16_matmul
from lipfd_jax.kernels.dispatch import Kernels
from lipfd_jax.models.lipfd import Dtype, LipFD, ModelConfig, abstract_model

logger = logging.getLogger(__name__)

SETTINGS = ("float32", "bfloat16", "auto")
# Flags in /proc/cpuinfo of CPUs with bfloat16 products: Intel's and AMD's, Arm's.
_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
_HEADINGS = ("flags", "features")
_Checkpoint = TypeVar("_Checkpoint", CheckpointRef, LoadedCheckpoint)
# Minimum speed-up of a bfloat16 product for "auto" to choose it. AMD's Zen 4 is 1.8 times as fast, Intel's
# Xeons without AMX half as fast, with the same flags.
_MIN_SPEEDUP = 1.2
SLOW = (
    "the checkpoint is in bfloat16, which is slower on this CPU; --precision=float32 saves time and moves "
    "scores by some thousandths"
)


def resolve_precision(setting: str | None, devices: Sequence[jax.Device], *, exact: bool) -> Dtype | None:
    """Returns the precision that a setting selects.

    Args:
      setting: one of SETTINGS; None for the checkpoint's own.
      devices: of the program's mesh.
      exact: scores will be compared (with a calibration, the released ones), so "auto" changes nothing.

    Returns:
      "float32", "bfloat16", or None for the checkpoint's own: also of "auto", where scores must be exact.

    Raises:
      ValueError: there is no such setting.
    """
    if setting not in (None, *SETTINGS):
        raise ValueError(f"precision={setting!r} is unknown; use one of {', '.join(SETTINGS)}")
    if setting != "auto":
        return cast("Dtype | None", setting)  # the other SETTINGS
    if exact:
        return None
    return "bfloat16" if devices[0].platform != "cpu" or bfloat16_is_faster() else "float32"


def apply_precision(
    checkpoint: _Checkpoint, setting: str | None, devices: Sequence[jax.Device], *, compared: bool
) -> tuple[_Checkpoint, Dtype | None]:
    """Returns the checkpoint with its model in the precision that a setting selects, and that precision.

    The metadata then name it too. Of a `CheckpointRef` the model has the dtypes that the weights will have.

    Args:
      compared: scores will be compared with others; those of released inputs always are.
    """
    exact = compared or checkpoint.metadata.model.inputs.name == "released"
    config = checkpoint.metadata.model
    precision = resolve_precision(setting, devices, exact=exact)
    if precision is None and config.dtype == "bfloat16":  # as these devices compute that
        precision = config.dtype
        if not exact and devices[0].platform == "cpu" and not bfloat16_is_faster():
            logger.info("%s", SLOW)
    metadata = dataclasses.replace(
        checkpoint.metadata, model=dataclasses.replace(config, dtype=precision or config.dtype)
    )
    model = with_precision(checkpoint.model, precision, devices)
    return dataclasses.replace(checkpoint, model=model, metadata=metadata), precision


@functools.cache
def bfloat16_is_faster() -> bool:
    """Whether this processor multiplies bfloat16 faster than float32; measured, in a quarter second."""
    if not cpu_has_bfloat16():
        return False
    half, full = _time_products((bf16_matmul, jnp.matmul))
    return half * _MIN_SPEEDUP < full


def _time_products(products: Sequence[Callable[[jax.Array, jax.Array], jax.Array]]) -> list[float]:
    """Shortest time of each product for 257 tokens of an encoder; in turns, as other load then hits all."""
    sides = jnp.ones((257, 1024)), jnp.ones((1024, 1024))
    compiled = [jax.jit(product) for product in products]
    taken: list[list[float]] = [[] for _ in products]
    for _ in range(6):
        for run, seconds in zip(compiled, taken, strict=True):
            started = time.perf_counter()
            run(*sides).block_until_ready()
            seconds.append(time.perf_counter() - started)
    return [min(seconds) for seconds in taken]


@functools.cache
def cpu_has_bfloat16(file: str = "/proc/cpuinfo") -> bool:
    """Whether this machine's processor multiplies bfloat16 numbers; False if unknown (not Linux)."""
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return False
    listed = (line.partition(":")[2].split() for line in lines if line.lower().startswith(_HEADINGS))
    return any(_FLAGS & set(words) for words in listed)


def make_program_config(config: ModelConfig, kernels: Kernels) -> ModelConfig:
    """Returns the configuration for a program: on a CPU a bfloat16 model keeps float32 between products.

    XLA's other operations are no faster in bfloat16 there, and its bfloat16 products slower than float32 ones
    unless their results are float32; see kernels.dense.
    """
    return dataclasses.replace(config, dtype="float32") if kernels.implementation == "cpu" else config


def with_precision(model: LipFD, precision: Dtype | None, devices: Sequence[jax.Device]) -> LipFD:
    """Returns the model with its weights, to compute in that precision; itself for None.

    In bfloat16 a CPU keeps float32 between its products (the program's kernels take the precision too, see
    `kernels_for`), and the large matrices are stored in bfloat16, half their size. Other devices compute in
    bfloat16 throughout, as in training.
    """
    if precision is None:
        return model
    on_cpu = devices[0].platform == "cpu"
    config = dataclasses.replace(model.config, dtype="float32" if on_cpu else precision)
    changed = abstract_model(config)
    state = nnx.state(model)
    nnx.update(changed, _with_half_kernels(state) if on_cpu and precision == "bfloat16" else state)
    return changed


def _with_half_kernels(state: nnx.State) -> nnx.State:
    """Puts matrices of the encoder's blocks and kernels behind the backbone's stem in bfloat16."""
    flat = dict(nnx.to_flat_state(state))
    for path, variable in flat.items():
        in_encoder = path[0] == "encoder" and "blocks" in path
        if path[-1] == "kernel" and (in_encoder or (path[0] == "backbone" and path[1] != "conv1")):
            value = variable.get_value()
            shape = isinstance(value, jax.ShapeDtypeStruct)
            rounded = value.update(dtype=jnp.bfloat16) if shape else value.astype(jnp.bfloat16)
            flat[path] = variable.replace(rounded)
    return nnx.from_flat_state(flat)
