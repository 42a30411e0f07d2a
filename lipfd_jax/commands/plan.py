"""Estimates training on TPU slices without a TPU: compiles the training step and prints a table.

    lipfd plan --config=lipfd --topology=v5e:16x16,v5p:4x4x4 --batch_per_chip=8,16
    lipfd plan --list

Needs the TPU compiler: pip install -e '.[tpu]'. A full-size compilation takes minutes; its result is
cached. Times are lower bounds, by arithmetic alone.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import jax
from absl import app, flags, logging

from lipfd_jax.commands import experiment_flag
from lipfd_jax.tools.planning import cache
from lipfd_jax.tools.planning.chips import Topology, format_topologies, parse_topology
from lipfd_jax.tools.planning.compilation import PlanError, compile_step
from lipfd_jax.tools.planning.operations import count_operations
from lipfd_jax.tools.planning.table import Plan, format_plans
from lipfd_jax.training.config import Experiment


def main(argv: Sequence[str]) -> int | None:
    """Prints the table; returns 1 after an error of one line."""
    if argv[1:]:
        raise app.UsageError(f"unexpected argument {argv[1]!r}; slices are given as --topology=NAME")
    given = flags.FLAGS
    if given.list:
        print(format_topologies())
        return None
    if given.config is None or not given.topology:
        raise app.UsageError("--config and --topology are needed (or --list)")
    logging.set_verbosity(logging.WARNING)  # silences the libraries
    jax.config.update("jax_platforms", "cpu")  # leaves the accelerator to other processes
    try:
        experiment = Experiment.from_dict(given.config.to_dict())
        slices = [parse_topology(name) for name in given.topology]
        questions = [(s, b) for s in slices for b in read_batches(experiment, s, given.batch_per_chip)]
        folder = Path(given.cache) if given.cache else None
        plans = [make_plan(experiment, *question, folder=folder) for question in questions]
    except (PlanError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(format_plans(plans))
    return None


def read_batches(experiment: Experiment, topology: Topology, asked: Sequence[str]) -> list[int]:
    """Returns the given batches per chip, by default the experiment's global batch divided by the chips.

    Raises:
      ValueError: one isn't a positive number, or the global batch isn't a multiple of the chips.
    """
    wrong = [text for text in asked if not text.isdecimal() or int(text) < 1]
    if wrong:
        raise ValueError(f"batch_per_chip {wrong[0]!r}: expected a positive integer")
    if asked:
        return [int(text) for text in asked]
    if experiment.batch_size % topology.chips:
        raise ValueError(
            f"batch_size {experiment.batch_size} is not a multiple of the {topology.chips} chips of "
            f"{topology.name}; set --config.batch_size or --batch_per_chip"
        )
    return [experiment.batch_size // topology.chips]


def make_plan(
    experiment: Experiment, topology: Topology, batch_per_chip: int, *, folder: Path | None = None
) -> Plan:
    """Returns the plan for one slice and batch; `folder` caches the compilations.

    Raises:
      PlanError: as compile_step; ValueError: the experiment has an unknown setting.
    """
    trained_blocks = experiment.optimizer.trained_blocks
    needed = count_operations(experiment.model, trained_blocks=trained_blocks).training
    key = cache.compute_key(experiment, topology, batch_per_chip)
    compiled = cache.load_result(folder, key) if folder else None
    if compiled is None:
        question = f"{topology.name}, {batch_per_chip} per chip"
        print(f"{question}: compiling (minutes at full size)", file=sys.stderr)
        compiled = compile_step(experiment, topology, batch_per_chip)
        if folder:
            cache.save_result(folder, key, compiled)
    return Plan(topology, batch_per_chip, needed, compiled)


def define_flags() -> None:
    """Defines the flags of this command."""
    experiment_flag.define_config()
    flags.DEFINE_list("topology", [], "Slices, e.g. v5e:16x16,v5p:4x4x4 (--list prints the known ones).")
    flags.DEFINE_list(
        "batch_per_chip",
        [],
        "Samples per chip and step, one or more values. Default: the config's batch_size over the chips.",
    )
    flags.DEFINE_string("cache", str(cache.DEFAULT), "Folder that caches results; empty for none.")
    flags.DEFINE_bool("list", False, "Print the known chips and slices.")
