"""Seconds per window of the evaluation forward pass on a CPU: ours and other engines, in one run.

    python -m benchmarks.forward [--engines=all] [--networks=vit_l14+resnet50,...] [--output=forward.json]

Needs PyTorch beside the project; ONNX Runtime, OpenVINO and NNCF where their engines are wanted. All sides
get the same random weights and the same prepared inputs, each in a process of its own; their probabilities
are compared. Sides take turns, so that a busy moment of the machine hits all of them; the fastest counts.
On a machine with other work pin it to one core (`taskset -c 0`) and read the CPU seconds.
"""

import dataclasses
import importlib.metadata
import importlib.util
import json
import pathlib
import platform
import subprocess
import sys
import tempfile
import time

import jax
import numpy as np
import torch
from absl import app, flags, logging

from benchmarks import forward_engines as engines
from benchmarks.torch_network import TorchLipFD
from lipfd_jax.checkpoints.released import RELEASED_MODEL, convert_released
from lipfd_jax.exporting.write import export_checkpoint
from lipfd_jax.models.inputs import RELEASED, prepare_inputs
from lipfd_jax.runtime.compilation import count_usable_cores

_LIBRARIES = ("jax", "torch", "onnxruntime", "openvino", "nncf", "numpy")


def prepared_folder(folder: pathlib.Path, encoder: str, backbone: str, windows: int, int8: bool) -> None:
    """Writes the network for every engine, and what it is given."""
    torch.manual_seed(0)
    names = {"encoder": encoder, "backbone": backbone}
    (folder / engines.CLASSES).write_text(json.dumps(names))
    torch.save(TorchLipFD(encoder, backbone).state_dict(), folder / engines.TORCH)
    config = dataclasses.replace(RELEASED_MODEL, **names)
    convert_released(folder / engines.TORCH, folder / engines.CHECKPOINT, config=config)
    export_checkpoint(folder / engines.CHECKPOINT, folder / engines.ONNX, format="onnx", source="prepared")
    noise = np.random.default_rng(0).integers(0, 256, (windows, 1000, 2500, 3), np.uint8)
    prepared = jax.jit(prepare_inputs, static_argnums=1)(noise, RELEASED)
    np.savez(folder / engines.BATCH, image=prepared.image, crops=prepared.crops)
    if int8:
        engines.quantise(folder)


class Side:
    """An engine's process."""

    def __init__(self, name: str, folder: pathlib.Path):
        command = [sys.executable, "-m", "benchmarks.forward_engines", name, str(folder)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
        )

    def turn(self) -> dict:
        """What the process answers."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def end(self) -> None:
        """Ends the process."""
        self.process.stdin.close()
        self.process.wait()


def measure(folder: pathlib.Path, names: list[str], windows: int, turns: int, rounds: int) -> dict[str, dict]:
    """Of each engine: seconds per window, memory, largest difference from the first's probabilities.

    A process lives for some turns, of which the first does not count: all of them at once would not fit into
    the memory of a small machine.
    """
    answers: dict[str, list[dict]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            side = Side(name, folder)
            side.turn()
            answers[name] += [side.turn() for _ in range(turns)]
            side.end()
            print(f"# {name}: {json.dumps(answers[name][-1])}", flush=True)
            time.sleep(0.3)
    first = np.array(answers[names[0]][0]["probabilities"])
    return {
        name: {
            "seconds_per_window": min(a["seconds"] for a in found) / windows,
            "cpu_seconds_per_window": min(a["cpu_seconds"] for a in found) / windows,
            "peak_gb": max(a["peak_bytes"] for a in found) / 1e9,
            "difference": float(np.abs(np.array(found[0]["probabilities"]) - first).max()),
        }
        for name, found in answers.items()
    }


def machine() -> dict[str, object]:
    """What the figures were taken on."""
    versions = {}
    for name in _LIBRARIES:
        if importlib.util.find_spec(name):
            versions[name] = importlib.metadata.version(name)
    info = pathlib.Path("/proc/cpuinfo")  # Linux
    lines = info.read_text().splitlines() if info.exists() else []
    said = {key.strip(): value.split() for key, _, value in (line.partition(":") for line in lines)}
    return {
        "processor": " ".join(said.get("model name", [platform.processor()])),
        "cores": count_usable_cores(),
        "flags": [flag for flag in said.get("flags", []) if flag.startswith(("avx512", "amx"))],
        "versions": versions,
    }


def main(_: list[str]) -> None:
    """Measures, prints a table and writes the figures."""
    logging.set_verbosity(logging.WARNING)  # the libraries' own chatter
    given = flags.FLAGS
    names = list(engines.ENGINES) if given.engines == ["all"] else given.engines
    if unknown := set(names) - set(engines.ENGINES):
        known = ", ".join(engines.ENGINES)
        raise app.UsageError(f"--engines: no {', '.join(sorted(unknown))}; there are {known}")
    if given.engines == ["all"] and not importlib.util.find_spec("nncf"):
        names = [name for name in names if "int8" not in name]
    int8 = any("int8" in name for name in names)
    figures = {"machine": machine(), "windows": given.windows, "networks": {}}
    for network in given.networks:
        with tempfile.TemporaryDirectory() as made:
            folder = pathlib.Path(given.folder or made) / f"{network}-{given.windows}"
            if not folder.exists():
                unfinished = pathlib.Path(tempfile.mkdtemp(dir=given.folder or made))
                prepared_folder(unfinished, *network.split("+"), given.windows, int8)
                unfinished.rename(folder)
            rows = measure(folder, names, given.windows, given.turns, given.rounds)
        figures["networks"][network] = rows
        print(f"{network}, {given.windows} windows at once\n{'':34} s/window    CPU s    GB  differs by")
        for name, row in rows.items():
            print(f"{name:34} {row['seconds_per_window']:8.3f} {row['cpu_seconds_per_window']:8.3f}", end=" ")
            print(f"{row['peak_gb']:5.1f}  {row['difference']:.1e}")
        if given.output:
            pathlib.Path(given.output).write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    flags.DEFINE_list("engines", ["all"], f"Of {', '.join(engines.ENGINES)}.")
    defaults = ["vit_l14+resnet50", "vit_b16+resnet18", "vit_b32+resnet18"]
    flags.DEFINE_list("networks", defaults, "Encoders and backbones.")
    flags.DEFINE_integer("windows", 4, "Windows per call.")
    flags.DEFINE_integer("turns", 2, "Turns of an engine's process that count.")
    flags.DEFINE_integer("rounds", 2, "Processes of each engine.")
    flags.DEFINE_string("folder", None, "Where to keep the networks for the next time.")
    flags.DEFINE_string("output", None, "Where to write the figures as JSON.")
    app.run(main)
