"""Several processes of one run: how they find each other, and what they tell each other."""

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


def cluster_arguments(environment: Mapping[str, str]) -> dict[str, str | int]:
    """Returns jax.distributed.initialize's arguments from the environment; none where JAX finds them."""
    if "JAX_NUM_PROCESSES" not in environment:
        return {}
    return {
        "coordinator_address": environment["JAX_COORDINATOR_ADDRESS"],
        "num_processes": int(environment["JAX_NUM_PROCESSES"]),
        "process_id": int(environment["JAX_PROCESS_ID"]),
    }


def is_first_process() -> bool:
    """Whether this process is the one that writes and prints."""
    return jax.process_index() == 0


def gather_lists(values: list) -> list:
    """Joins lists of plain values of all processes, in process order; every process must call it."""
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


def is_true_anywhere(said: bool) -> bool:
    """Whether any process says so; every process must ask. Waits for the devices where there are several."""
    return any(gather_lists([said]))


def broadcast_from_first(value: Any) -> Any:
    """The first process's plain value, on all; every process must call it."""
    return gather_lists([value] if is_first_process() else [])[0]


def run_on_first(action: Callable[[], Any]) -> Any:
    """Has the first process do something; its plain result, or its refusal, reaches all.

    Every process must call it. Raises on the first process what `action` raises; on the others ValueError
    with the same message where that was a ValueError or an OSError.
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
