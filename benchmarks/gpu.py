"""Fills the table of the GPU: forward pass and training step in bfloat16, beside PyTorch with torch.compile.

    python -m benchmarks.gpu [--batches=8,32,128,512] [--repeats=5] [--output=gpu.json]
    python -m benchmarks.gpu --lower      # on any machine: are the programs for CUDA made, and do they fit?

Sides of one row run in one process, in turns, and the fastest turn of each counts; JAX and PyTorch may take
45 % of the memory each. Batches grow until no side has the memory for more; a side that failed says why.
Without PyTorch its sides are missing. Beside times: how far the logits of the jitted program lie, in float32,
from the same operations run one by one (a release of XLA was wrong on some GPUs) and from this machine's CPU.
"""

import functools
import json
import os
import pathlib
import sys
from collections.abc import Callable
from importlib.util import find_spec

import jax
import numpy as np
from absl import app, flags

from benchmarks import gpu_programs
from benchmarks.gpu_programs import ATTENTION
from benchmarks.turns import fastest
from lipfd_jax.models.inputs import PAPER
from lipfd_jax.models.lipfd import ModelConfig

Sides = dict[str, Callable[[], Callable]]  # makers of what is timed, by name


def main(_: list[str]) -> None:
    """Measures and prints, or lowers and prints."""
    given = flags.FLAGS
    config = ModelConfig(given.encoder, given.backbone, PAPER, dtype="bfloat16")
    if given.lower:
        jax.config.update("jax_platforms", "cpu")
        device = gpu_programs.described("h100")
        figures = {
            "compiled for": "h100, not by a run" if device else "nothing: no CUDA plugin is installed",
            "programs": {b: gpu_programs.lowered(config, b, device) for b in map(int, given.batches)},
        }
        print(json.dumps(figures, indent=2))
    else:
        os.environ.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", "0.45")  # read when the GPU is first used
        if jax.default_backend() != "gpu":
            sys.exit(f"error: JAX sees a {jax.default_backend()} and no GPU; --lower needs none")
        figures = measured(config, [int(batch) for batch in given.batches], given.repeats)
    if given.output:
        pathlib.Path(given.output).write_text(json.dumps(figures, indent=2) + "\n")


def measured(config: ModelConfig, batches: list[int], repeats: int) -> dict:
    """Everything there is to measure, printed as it comes."""
    device = jax.devices()[0]
    figures = {"device": device.device_kind, "jax": jax.__version__, "differences": differences(config)}
    print(json.dumps(figures, indent=2), flush=True)
    for task, side in (("forward", "forward"), ("training step", "step")):
        figures[task] = []
        for batch in batches:
            row = {"batch": batch, "samples per second": _rates(_sides(side, config, batch), batch, repeats)}
            figures[task].append(row)
            print(f"{task}: {json.dumps(row)}", flush=True)
            if all(isinstance(rate, str) for rate in row["samples per second"].values()):
                break
    return figures


def differences(config: ModelConfig, batch: int = 2) -> dict[str, float]:
    """Largest differences of logits: jitted against one by one on this device, and both against the CPU."""
    logits = {}
    for place in (jax.devices()[0], jax.devices("cpu")[0]):
        with jax.default_device(place):
            program, arguments = gpu_programs.forward(config, batch, dtype="float32", device=place)
            logits[place.platform] = np.asarray(jax.jit(program)(*arguments))
            if place.platform != "cpu":
                with jax.disable_jit():
                    logits["one by one"] = np.asarray(program(*arguments))
    gpu = logits[jax.devices()[0].platform]
    others = {name: values for name, values in logits.items() if values is not gpu}
    return {f"jitted - {name}": float(np.abs(gpu - values).max()) for name, values in others.items()}


def _rates(makers: Sides, batch: int, repeats: int) -> dict[str, float | str]:
    """Samples per second of each side; the first line of its error where it has none."""
    ready, rates = {}, {}
    for name, make in makers.items():
        try:
            ready[name] = make()
            ready[name]()  # compiles; memory runs out here
        except Exception as error:  # each library has errors of its own for no memory and no support
            ready.pop(name, None)
            rates[name] = str(error).strip().splitlines()[0][:120]
    return rates | {name: batch / seconds for name, seconds in fastest(ready, repeats).items()}


def _sides(task: str, config: ModelConfig, batch: int) -> Sides:
    """What makes each side's program of a task, "forward" or "step"."""
    ours = getattr(gpu_programs, f"{task}_side")
    makers = {f"jax, {name} attention": functools.partial(ours, config, batch, name) for name in ATTENTION}
    if find_spec("torch"):
        from benchmarks import torch_gpu

        theirs = getattr(torch_gpu, f"{task}_side")
        for compiled in (False, True):
            name = "torch.compile" if compiled else "torch"
            makers[name] = functools.partial(theirs, config, batch, compiled=compiled)
    return makers


if __name__ == "__main__":
    flags.DEFINE_string("encoder", "vit_l14", "Image encoder.")
    flags.DEFINE_string("backbone", "resnet50", "Backbone.")
    flags.DEFINE_list("batches", ["8", "32", "128", "512"], "Samples per call, growing.")
    flags.DEFINE_integer("repeats", 5, "Turns of each side.")
    flags.DEFINE_bool("lower", False, "Only make the programs for CUDA; needs no GPU.")
    flags.DEFINE_string("output", None, "Where to write the figures as JSON.")
    app.run(main)
