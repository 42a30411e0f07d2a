"""Kernel dispatch: the table of each operation's variants, and the setting that selects its column.

A program is compiled for one kind of device (its implementation); `auto` follows the devices of its mesh.
The selection is made while a function is traced: wrap the jitted function in `with_kernels`, or a program
traced earlier keeps its own variants.
"""

import contextlib
import contextvars
import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax

KERNEL_SETTINGS = ("auto", "plain", "cpu", "tpu", "gpu")
PRECISIONS = ("float32", "bfloat16")

# Operation to its variant per implementation; the plain definition where none is named. `plain` has only
# definitions: ordinary operations, which exporters and other compilers understand. `cpu bfloat16` takes
# precedence over `cpu` where products may use bfloat16. `cpu_once` is for small programs on a CPU that run a
# few times: fewer variants, which are compiled in half the time.
VARIANTS = {
    "chunks": {"cpu": "cached"},
    "resize": {"cpu": "gathers"},
    "resize_image": {"tpu": "squares", "gpu": "squares"},
    "input_convolution": {"tpu": "squares", "gpu": "squares"},
    "dense": {"cpu bfloat16": "bfloat16"},
    "product": {
        "cpu": "kernel_products",
        "cpu bfloat16": "in_parts",
        "tpu": "convolution",
        "gpu": "convolution",
    },
    "convolution": {"cpu": "kernel_products", "cpu bfloat16": "bfloat16"},
    "depthwise": {"cpu": "shifted_products", "cpu_once": "shifted_products"},
    "attention": {"cpu": "head_groups", "cpu bfloat16": "bfloat16"},
    "max_pool": {"cpu": "halves"},
    "relu": {"cpu": "kept_result", "cpu bfloat16": "half_result", "tpu": "kept_result", "gpu": "kept_result"},
    "channel_sums": {"cpu": "halves"},
    "batch_statistics": {"cpu": "one_pass", "tpu": "one_pass", "gpu": "one_pass"},
    "normed_product": {"cpu": "moments", "tpu": "moments", "gpu": "moments"},
    "stem": {"cpu": "pool_first", "tpu": "pool_first", "gpu": "pool_first"},
}
# Variants that split the batch. They are not used for a batch sharded over devices: each device would have
# to compute all of it.
_SPLITS_BATCH = {
    ("chunks", "cached"),
    ("convolution", "kernel_products"),
    ("convolution", "bfloat16"),
    ("depthwise", "shifted_products"),
    ("product", "kernel_products"),
    ("product", "in_parts"),
    ("channel_sums", "halves"),
}


@dataclasses.dataclass(frozen=True)
class Kernels:
    """Selects the variants of a program's operations."""

    implementation: str  # one of KERNEL_SETTINGS except auto
    spread: bool = False  # the batch is sharded over several devices
    # To which a CPU rounds the operands of a product; sums are always float32. Other devices follow the
    # model's dtype.
    precision: str = "float32"

    def variant(self, operation: str) -> str:
        """Returns the name of the operation's variant, "plain" for its definition."""
        row = VARIANTS[operation]
        name = row.get(f"{self.implementation} {self.precision}") or row.get(self.implementation, "plain")
        return "plain" if self.spread and (operation, name) in _SPLITS_BATCH else name


def kernels_for(devices: Iterable[jax.Device], setting: str = "auto", precision: str = "float32") -> Kernels:
    """Returns the kernels for a program on these devices, which share its batch.

    Args:
      devices: the devices of the program's mesh.
      setting: "auto" for the implementation of their kind (plain for an unknown kind), or its name.
      precision: one of PRECISIONS, for a CPU's products.

    Raises:
      ValueError: the setting or precision is unknown.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision={precision!r} is unknown; use one of {', '.join(PRECISIONS)}")
    if setting not in KERNEL_SETTINGS:
        raise ValueError(f"kernels={setting!r} is unknown; use one of {', '.join(KERNEL_SETTINGS)}")
    devices = list(devices)
    if setting == "auto":
        kind = devices[0].platform
        setting = kind if kind in KERNEL_SETTINGS else "plain"
    return Kernels(setting, spread=len(devices) > 1, precision=precision)


_chosen: contextvars.ContextVar[Kernels | None] = contextvars.ContextVar("kernels", default=None)


@contextlib.contextmanager
def use_kernels(kernels: Kernels | str) -> Iterator[None]:
    """Traces its body with these kernels; a setting's name applies to all of this process's devices."""
    if isinstance(kernels, str):
        kernels = kernels_for(jax.devices(), kernels)
    token = _chosen.set(kernels)
    try:
        yield
    finally:
        _chosen.reset(token)


def with_kernels(function: Callable, kernels: Kernels | str) -> Callable:
    """Wraps `function` so that it is traced with these kernels wherever it is called."""

    @functools.wraps(function)
    def traced(*args: Any, **kwargs: Any) -> Any:
        with use_kernels(kernels):
            return function(*args, **kwargs)

    return traced


def select_variant(operation: str) -> str:
    """Returns the variant to trace now: by the innermost `use_kernels`, else by `auto` for this process."""
    return (_chosen.get() or kernels_for(jax.devices())).variant(operation)
