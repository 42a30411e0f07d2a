"""Processes of one run: how they connect, and how they exchange plain values."""

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils


def join_processes(environment: Mapping[str, str] = os.environ) -> None:
    """Joins the run's processes: a TPU pod slice, SLURM, or as `cluster_arguments` reads the environment."""
    jax.distributed.initialize(**cluster_arguments(environment))


def cluster_arguments(environment: Mapping[str, str]) -> dict[str, Any]:
    """Returns jax.distributed.initialize's arguments from the environment; none if JAX finds them itself."""
    if "JAX_NUM_PROCESSES" not in environment:
        return {}
    return {
        "coordinator_address": environment["JAX_COORDINATOR_ADDRESS"],
        "num_processes": int(environment["JAX_NUM_PROCESSES"]),
        "process_id": int(environment["JAX_PROCESS_ID"]),
    }


def is_first_process() -> bool:
    """Whether this is the process that writes and prints."""
    return jax.process_index() == 0


def gather_lists(values: list) -> list:
    """Concatenates lists of plain values of all processes, in process order; every process must call it."""
    if jax.process_count() == 1:
        return values
    text = np.frombuffer(json.dumps(values).encode(), np.uint8)
    sizes = multihost_utils.process_allgather(np.array([len(text)]))
    padded = np.zeros(int(sizes.max()), np.uint8)
    padded[: len(text)] = text
    texts = multihost_utils.process_allgather(padded)
    return [
        value
        for row, size in zip(texts, sizes[:, 0], strict=True)
        for value in json.loads(row[:size].tobytes().decode())
    ]


def is_true_anywhere(value: bool) -> bool:
    """Whether the value is true in any process; every process must call it. Waits for the devices if there
    are several processes.
    """
    return any(gather_lists([value]))


def broadcast_from_first(value: Any) -> Any:
    """Returns the first process's plain value on all processes; every process must call it."""
    return gather_lists([value] if is_first_process() else [])[0]


def run_on_first(action: Callable[[], Any]) -> Any:
    """Runs an action on the first process; its plain result, or its error, reaches all.

    Every process must call it. The first process raises the error of `action`; the others raise ValueError
    with the same message if that was a ValueError or an OSError.
    """
    outcome, refused = {}, None
    if is_first_process():
        try:
            outcome = {"value": action()}
        except (ValueError, OSError) as error:
            outcome, refused = {"refused": str(error)}, error
    outcome = broadcast_from_first(outcome)
    if refused:
        raise refused
    if "refused" in outcome:
        raise ValueError(outcome["refused"])
    return outcome["value"]
