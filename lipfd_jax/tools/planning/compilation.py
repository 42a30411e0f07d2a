"""Compiles the training step for described TPUs and reads the compiler's own analysis; no TPU needed."""

import dataclasses
import importlib.metadata
import importlib.util
import os
import re
from typing import Any

import jax
import jax.numpy as jnp

from lipfd_jax.kernels.dispatch import kernels_for
from lipfd_jax.runtime.mesh import batch_sharding, make_mesh
from lipfd_jax.tools.planning.chips import Topology
from lipfd_jax.training.config import Experiment
from lipfd_jax.training.state import make_abstract_state, make_recipe
from lipfd_jax.training.step import jit_step
from lipfd_jax.vocabulary import COMPOSITE_SHAPE

# libtpu reads these when it loads. It only compiles: there is no chip to find or to lock, nothing to report.
_ENVIRONMENT = {
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_ACCELERATOR_TYPE": "v5litepod-4",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
    "TPU_MIN_LOG_LEVEL": "3",
}


class PlanError(RuntimeError):
    """Raised where a plan can't be made; the message names the missing package or setting."""


@dataclasses.dataclass(frozen=True)
class CompiledStep:
    """What one chip needs for one step, by the compiler's analysis; every field is plain JSON."""

    fits: bool
    memory: int  # bytes of HBM, state and temporaries
    available: int  # bytes of HBM open to a program where the compiler states it, else 0
    arguments: int = 0  # bytes of state and batch in `memory`
    temporaries: int = 0  # bytes of everything else in `memory`
    flops: float = 0.0
    bytes_accessed: float = 0.0  # total of all operations; accesses to memory on the chip count too
    hosts: int = 1


def describe_devices(topology: Topology) -> list[Any]:
    """Returns the described devices of a slice.

    Raises:
      PlanError: libtpu isn't installed, or doesn't know the slice.
    """
    if importlib.util.find_spec("libtpu") is None:
        raise PlanError("libtpu, the TPU compiler, is not installed: pip install -e '.[tpu]'")
    from jax.experimental import topologies

    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        return list(topologies.get_topology_desc(platform="tpu", topology_name=topology.name).devices)
    except jax.errors.JaxRuntimeError as error:
        first = str(error).splitlines()[0]
        raise PlanError(f"{topology.name}: libtpu {package_version('libtpu')}: {first}") from error


def compile_step(experiment: Experiment, topology: Topology, batch_per_chip: int) -> CompiledStep:
    """Compiles the training step for a slice, its state donated; takes minutes at full size.

    Args:
      experiment: the experiment; its batch_size is replaced.
      topology: the slice.
      batch_per_chip: samples per chip and step.

    Raises:
      PlanError: no libtpu, an unknown slice, or fsdp doesn't divide its chips.
    """
    chips = describe_devices(topology)
    if len(chips) % experiment.fsdp:
        raise PlanError(f"fsdp={experiment.fsdp} does not divide the {len(chips)} chips of {topology.name}")
    mesh = make_mesh(experiment.fsdp, chips)
    hosts = len({chip.process_index for chip in chips})
    size = batch_per_chip * len(chips)
    recipe = make_recipe(dataclasses.replace(experiment, batch_size=size))
    split = batch_sharding(mesh)
    batch = {
        "composite": jax.ShapeDtypeStruct((size, *COMPOSITE_SHAPE), jnp.uint8, sharding=split),
        "label": jax.ShapeDtypeStruct((size,), jnp.int32, sharding=split),
    }
    state = make_abstract_state(recipe, mesh)
    step: Any = jit_step(recipe, kernels_for(chips, "tpu"), state)
    try:
        compiled = step.lower(state, batch).compile()
    except jax.errors.JaxRuntimeError as error:
        return _parse_refusal(str(error), hosts)
    return _read_analysis(compiled, hosts)


def package_version(package: str) -> str:
    """Returns the installed version of a package, "none" if it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "none"


def _read_analysis(compiled: Any, hosts: int) -> CompiledStep:
    memory, cost = compiled.memory_analysis(), compiled.cost_analysis()
    arguments = memory.argument_size_in_bytes
    # Outputs take the place of donated arguments, as far as they alias.
    rest = memory.output_size_in_bytes - memory.alias_size_in_bytes + memory.temp_size_in_bytes
    rest += memory.generated_code_size_in_bytes
    return CompiledStep(
        fits=True,
        memory=arguments + rest,
        available=0,
        arguments=arguments,
        temporaries=rest,
        flops=cost["flops"],
        bytes_accessed=cost["bytes accessed"],
        hosts=hosts,
    )


def _parse_refusal(message: str, hosts: int) -> CompiledStep:
    """Returns the need that the compiler states for a step too large; raises PlanError for other messages."""
    found = re.search(r"memory space hbm.*?Used ([\d.]+)([KMG]?) of ([\d.]+)([KMG]?)", message, re.DOTALL)
    if not found:
        raise PlanError(f"the compiler refuses the step: {message.splitlines()[0]}")
    units = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}
    used, unit, available, other = found.groups()
    return CompiledStep(
        fits=False,
        memory=int(float(used) * units[unit]),
        available=int(float(available) * units[other]),
        hosts=hosts,
    )
