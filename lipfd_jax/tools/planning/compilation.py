"""Compiles the real training step for described TPUs and reads off what it takes; no TPU needed."""

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
from lipfd_jax.tools.planning.tiling import estimated_cycles, refetched_bytes
from lipfd_jax.tools.planning.traffic import collective_bytes, memory_bytes
from lipfd_jax.training.config import Experiment
from lipfd_jax.training.state import abstract_state, make_recipe
from lipfd_jax.training.step import jitted_step
from lipfd_jax.vocabulary import COMPOSITE_SHAPE

# Read by libtpu when it loads. It is only asked to compile: nothing to find, to lock or to report.
_ENVIRONMENT = {
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_ACCELERATOR_TYPE": "v5litepod-4",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
    "TPU_MIN_LOG_LEVEL": "3",
}


class PlanError(RuntimeError):
    """A plan can't be made; the message says what is missing."""


@dataclasses.dataclass(frozen=True)
class Compiled:
    """What one chip needs for one step, as the compiler says; plain JSON-able fields."""

    fits: bool
    memory: int  # bytes of HBM, state and temporaries
    available: int  # bytes of HBM a program may use where the compiler said so, else 0
    arguments: int = 0  # bytes of state and batch in it
    temporaries: int = 0  # bytes of everything else in it
    flops: float = 0.0
    bytes_accessed: float = 0.0  # by the compiler's count, accesses on the chip included
    memory_bytes: int = 0  # to and from HBM, each array once, read from the program
    refetched_bytes: int = 0  # from HBM beyond that, at most
    cycles: int = 0  # of all kernels, by the compiler's own estimate
    collectives: dict[str, int] = dataclasses.field(default_factory=dict)  # bytes by kind
    hosts: int = 1


def devices(topology: Topology) -> list[Any]:
    """The slice's described devices.

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
        raise PlanError(f"{topology.name}: libtpu {version('libtpu')} says {first}") from error


def compile_step(experiment: Experiment, topology: Topology, batch_per_chip: int) -> Compiled:
    """Compiles the training step, state donated, for the slice; takes minutes at full size.

    Args:
      experiment: its batch_size is replaced.
      topology: the slice.
      batch_per_chip: samples per chip and step.

    Raises:
      PlanError: no libtpu, an unknown slice, or fsdp doesn't divide its chips.
    """
    chips = devices(topology)
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
    state = abstract_state(recipe, mesh)
    step = jitted_step(recipe, kernels_for(chips, "tpu"), state)
    try:
        compiled = step.lower(state, batch).compile()
    except jax.errors.JaxRuntimeError as error:
        return _refused(str(error), hosts)
    return _measured(compiled, hosts)


def version(package: str) -> str:
    """The installed version of a package, "none" where there is none."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "none"


def _measured(compiled: Any, hosts: int) -> Compiled:
    memory, cost = compiled.memory_analysis(), compiled.cost_analysis()
    arguments = memory.argument_size_in_bytes
    # Outputs take the place of donated arguments, as far as they alias.
    rest = memory.output_size_in_bytes - memory.alias_size_in_bytes + memory.temp_size_in_bytes
    rest += memory.generated_code_size_in_bytes
    program = compiled.as_text()
    return Compiled(
        fits=True,
        memory=arguments + rest,
        available=0,
        arguments=arguments,
        temporaries=rest,
        flops=cost["flops"],
        bytes_accessed=cost["bytes accessed"],
        memory_bytes=memory_bytes(program),
        refetched_bytes=refetched_bytes(program),
        cycles=estimated_cycles(program),
        collectives=collective_bytes(program),
        hosts=hosts,
    )


def _refused(message: str, hosts: int) -> Compiled:
    """What the compiler says of a program that is too large; any other message is raised again."""
    found = re.search(r"memory space hbm.*?Used ([\d.]+)([KMG]?) of ([\d.]+)([KMG]?)", message, re.DOTALL)
    if not found:
        raise PlanError(f"the compiler refuses the step: {message.splitlines()[0]}")
    units = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}
    used, unit, available, other = found.groups()
    return Compiled(
        fits=False,
        memory=int(float(used) * units[unit]),
        available=int(float(available) * units[other]),
        hosts=hosts,
    )
