"""Rehearsal of a pod on one machine: python -m lipfd_jax.tools.rehearsal --workdir=DIR.

Two processes train together undisturbed. Two more do the same, one of them is killed at a random step, and
both are started again. Both runs must end with the same parameters and the same log.
"""

import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence

import cv2
import jax
import numpy as np
from absl import app, flags, logging
from flax import nnx

from lipfd_jax.checkpoints.store import open_model
from lipfd_jax.training import metrics_log
from lipfd_jax.vocabulary import CLASSES

_STEPS = 24
_SETTINGS = {
    "steps": _STEPS,
    "batch_size": 8,
    "log_every": 1,
    "evaluate_every": 8,
    "checkpoint_every": 4,
    "fsdp": 2,
    "model.inputs.picture_size": 80,
    "model.inputs.crop_size": 32,
    "optimizer.ema": 0.9,
}


def main(argv: Sequence[str]) -> None:
    """Parses the flags and runs the rehearsal."""
    logging.set_verbosity(logging.WARNING)  # silences the libraries
    workdir = pathlib.Path(flags.FLAGS.workdir).absolute()
    seed = flags.FLAGS.seed if flags.FLAGS.seed is not None else random.randrange(10**6)
    rehearse(workdir, seed=seed, devices=flags.FLAGS.devices)


def rehearse(workdir: pathlib.Path, *, seed: int, devices: int = 2) -> None:
    """Trains once undisturbed and once with a killed process, and compares both runs.

    Args:
      workdir: folder for data, runs and logs; emptied first.
      seed: decides which process is killed and at which step.
      devices: virtual devices of each process.

    Raises:
      SystemExit: the two runs differ, or a process fails without being killed.
    """
    shutil.rmtree(workdir, ignore_errors=True)
    for number, name in enumerate(("data", "validation")):
        draw_composites(workdir / name, seed=number)
    rng = random.Random(seed)
    victim, step = rng.randrange(2), rng.randrange(2, _STEPS - 2)
    print(f"undisturbed: 2 processes of {devices} devices, {_STEPS} steps", flush=True)
    _wait_for_end(_start_processes(workdir, "undisturbed", devices))
    print(f"disturbed: process {victim} is killed after step {step} (--seed={seed})", flush=True)
    processes = _start_processes(workdir, "disturbed", devices)
    _wait_for_step(workdir / "disturbed", step, processes)
    processes[victim].send_signal(signal.SIGKILL)
    time.sleep(1)  # on a pod the scheduler ends the other processes: they can't train without their peer
    for process in processes:
        process.kill()
        process.wait()
    reached = max(line["step"] for line in metrics_log.read_log(workdir / "disturbed"))
    print(f"killed at step {reached}; starting both again", flush=True)
    _wait_for_end(_start_processes(workdir, "disturbed", devices))
    _compare_runs(workdir)


def draw_composites(folder: pathlib.Path, *, videos: int = 6, seed: int = 0) -> None:
    """Writes a blurred random composite for each video; fakes are brighter in the middle of each frame."""
    rng = np.random.default_rng(seed)
    for label, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for video in range(videos):
            small = rng.integers(0, 120, (20, 50, 3), np.uint8)
            composite = cv2.resize(small, (2500, 1000), interpolation=cv2.INTER_LINEAR)
            for left in range(150, 2500, 500):
                composite[650:850, left : left + 200] += np.uint8(100 * label)
            cv2.imwrite(str(folder / name / f"{video}_0.png"), composite)


def _start_processes(workdir: pathlib.Path, name: str, devices: int) -> list[subprocess.Popen]:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "lipfd_jax", "train", "--config=lipfd:tiny"]
    command += [f"--workdir={workdir / name}", f"--compilation_cache={workdir / 'compiled'}"]
    command += [f"--config.data.path={workdir / 'data'}", "--config.data.augmentation.enabled=False"]
    command += [f"--config.data.validation_path={workdir / 'validation'}"]
    command += [f"--config.{field}={value}" for field, value in _SETTINGS.items()]
    processes = []
    for index in range(2):
        environment = os.environ | {
            "JAX_PLATFORMS": "cpu",
            "JAX_NUM_CPU_DEVICES": str(devices),
            "LIPFD_DISTRIBUTED": "1",
            "JAX_COORDINATOR_ADDRESS": f"localhost:{port}",
            "JAX_NUM_PROCESSES": "2",
            "JAX_PROCESS_ID": str(index),
        }
        log = (workdir / f"{name}-{index}.log").open("a")
        processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        log.close()
    return processes


def _wait_for_end(processes: Sequence[subprocess.Popen]) -> None:
    for process in processes:
        if process.wait():
            for other in processes:
                other.kill()
            raise SystemExit(f"a process ended with exit code {process.returncode}; see the .log files")


def _wait_for_step(workdir: pathlib.Path, step: int, processes: Sequence[subprocess.Popen]) -> None:
    while not any(line["step"] >= step for line in metrics_log.read_log(workdir)):
        if any(process.poll() is not None for process in processes):
            raise SystemExit("a process ended before it was killed; see the .log files in the workdir")
        time.sleep(0.05)


def _compare_runs(workdir: pathlib.Path) -> None:
    runs = [workdir / "undisturbed", workdir / "disturbed"]
    logs = [{line["step"]: line["loss"] for line in metrics_log.read_log(run)} for run in runs]
    lines = [len(metrics_log.read_log(run)) for run in runs]
    first, second = (jax.tree.leaves(nnx.state(open_model(run, step=_STEPS).model)) for run in runs)
    unequal = sum(not np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    print(f"{len(first)} arrays, {unequal} differ; {len(logs[0])} logged losses, equal: {logs[0] == logs[1]}")
    if unequal or logs[0] != logs[1] or lines[0] != lines[1]:
        raise SystemExit("the runs differ: resuming is not exact")
    print("both runs ended with bit-identical parameters")


if __name__ == "__main__":
    flags.DEFINE_string("workdir", "rehearsal", "Folder for data, runs and logs; emptied first.")
    flags.DEFINE_integer("seed", None, "Decides which process is killed and when; by default random.")
    flags.DEFINE_integer("devices", 2, "Virtual devices of each process.")
    app.run(main)
