"""Seconds of one training step on this machine's CPU, against PyTorch, in one run.

    python -m benchmarks.training_step [--batch=8] [--turns=2] [--rounds=2] [--output=training_step.json]

Needs PyTorch beside the project. Both go from the same uint8 composites to new parameters: resizing with
antialias, fifteen crops, ViT (frozen, its input convolution trained) and ResNet in training mode, the same
loss, clipping and AdamW; each in float32 and in bfloat16 (PyTorch's by autocast, channels last). Each side
has a process of its own; sides take turns, and the fastest turn of each counts. Our command keeps the memory
that steps free (`memory.keep_freed_memory`), so PyTorch is measured as it comes and with that as well. On a
machine with other work pin it to one core (`taskset -c 0`) and read the CPU seconds.
"""

import dataclasses
import json
import multiprocessing
import os
import pathlib
import time
from concurrent.futures import ProcessPoolExecutor

import jax
import numpy as np
import torch
from absl import app, flags
from torch.nn import functional

from benchmarks.processes import peak_bytes
from benchmarks.torch_network import TorchLipFD
from lipfd_jax.kernels.dispatch import kernels_for
from lipfd_jax.models.lipfd import ModelConfig
from lipfd_jax.runtime.memory import keep_freed_memory
from lipfd_jax.runtime.mesh import make_mesh, put_on_devices
from lipfd_jax.training.config import Experiment, OptimizerSettings
from lipfd_jax.training.state import create_state, make_recipe
from lipfd_jax.training.step import jit_step

_MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(3, 1, 1) * 255
_STD = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(3, 1, 1) * 255
_MARGINS = (0, 87, 137)  # of head, face and lip crops; ours are 0, 87.5 and 137.5


class JaxStep:
    """Our step, as training compiles it."""

    def __init__(self, experiment: Experiment, batch: dict[str, np.ndarray]):
        mesh = make_mesh(devices=jax.devices()[:1])
        kernels = kernels_for(mesh.devices.flat, precision=experiment.model.dtype)
        recipe = make_recipe(experiment, kernels)
        self.state = create_state(recipe, mesh)
        self.batch = put_on_devices(batch, mesh)
        self.step = jit_step(recipe, kernels, self.state)

    def __call__(self) -> float:
        self.state, measured = self.step(self.state, self.batch)
        return float(measured["loss"])


class TorchStep:
    """The same step in PyTorch, all crops in one backbone call."""

    def __init__(self, experiment: Experiment, batch: dict[str, np.ndarray], device: str = "cpu"):
        self.network = TorchLipFD(experiment.model.encoder, experiment.model.backbone).to(device)
        self.network.train()
        self.autocast = torch.autocast(device, torch.bfloat16, enabled=experiment.model.dtype == "bfloat16")
        if experiment.model.dtype == "bfloat16":
            self.network = self.network.to(memory_format=torch.channels_last)
        self.network.encoder.requires_grad_(False)
        self.trained = [p for p in self.network.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.trained, lr=1e-4, weight_decay=1e-3)
        self.composites = torch.from_numpy(batch["composite"]).to(device)
        self.labels = torch.from_numpy(batch["label"]).float().to(device)
        self.region_weight = experiment.loss.region_weight

    def __call__(self) -> float:
        self.optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            image, crops = prepared(self.composites)
        with self.autocast:
            logits, weights = self.network(image, crops)
        logits, weights = logits.float(), weights.float()
        lead = weights.amax(-1) - weights[..., 0]
        loss = functional.binary_cross_entropy_with_logits(logits, self.labels)
        loss = loss + self.region_weight * (10 * torch.exp(-lead)).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimizer.step()
        return loss.item()


def prepared(composites: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Composites (B, 1000, 2500, 3) uint8 to images (B, 3, 1120, 1120) and crops (B, 5, 3, 3, 224, 224)."""
    images = composites.permute(0, 3, 1, 2).float()
    image = _resized(images, 1120)
    frames = [images[:, :, 500:, 500 * i : 500 * (i + 1)] for i in range(5)]
    crops = torch.stack(
        [
            torch.stack([_resized(f[:, :, m : 500 - m, m : 500 - m], 224) for m in _MARGINS], 1)
            for f in frames
        ],
        1,
    )
    mean, std = _MEAN.to(composites.device), _STD.to(composites.device)
    return (image - mean) / std, (crops - mean) / std


def _resized(images: torch.Tensor, side: int) -> torch.Tensor:
    return functional.interpolate(images, (side, side), mode="bilinear", antialias=True)


SIDES = {  # name: which, its precision, whether the memory that a step frees is kept
    "jax float32": (JaxStep, "float32", True),
    "torch float32": (TorchStep, "float32", False),
    "torch float32, memory kept": (TorchStep, "float32", True),
    "jax bfloat16": (JaxStep, "bfloat16", True),
    "torch bfloat16": (TorchStep, "bfloat16", False),
    "torch bfloat16, memory kept": (TorchStep, "bfloat16", True),
}


def turns(name: str, count: int, repeats: int) -> list[dict[str, float]]:
    """Seconds, CPU seconds and memory of a side's steps, in a process of its own; two before do not count."""
    side, dtype, kept = SIDES[name]
    if kept:
        keep_freed_memory()
    experiment = Experiment(
        steps=1000,
        batch_size=count,
        model=ModelConfig("vit_b32", "resnet18", dtype=dtype),
        optimizer=dataclasses.replace(OptimizerSettings(), warmup_steps=0),
    )
    composites = np.random.default_rng(0).integers(0, 256, (count, 1000, 2500, 3), np.uint8)
    step = side(experiment, {"composite": composites, "label": (np.arange(count) % 2).astype(np.int32)})
    answers = []
    for _ in range(2 + repeats):
        start, busy = time.perf_counter(), time.process_time()
        step()
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - busy
        peak = peak_bytes(os.getpid()) / 1e9
        answers.append({"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_gb": peak})
    return answers[2:]


def main(_: list[str]) -> None:
    """Measures, prints and writes."""
    given, context = flags.FLAGS, multiprocessing.get_context("spawn")
    answers: dict[str, list[dict[str, float]]] = {name: [] for name in SIDES}
    for _ in range(given.rounds):
        for name in SIDES:
            with ProcessPoolExecutor(1, context) as process:
                answers[name] += process.submit(turns, name, given.batch, given.turns).result()
            print(f"# {name}: {json.dumps(answers[name][-1])}", flush=True)
    rows = {}
    print(f"step of {given.batch}:{'s':>26}    CPU s     GB")
    for name, found in answers.items():
        rows[name] = row = {key: min(answer[key] for answer in found) for key in found[0]}
        row["peak_gb"] = max(answer["peak_gb"] for answer in found)
        print(f"{name:28} {row['seconds']:8.2f} {row['cpu_seconds']:8.2f} {row['peak_gb']:6.1f}")
    if given.output:
        pathlib.Path(given.output).write_text(
            json.dumps({"batch": given.batch, "sides": rows}, indent=2) + "\n"
        )


if __name__ == "__main__":
    flags.DEFINE_integer("batch", 8, "Samples per step.")
    flags.DEFINE_integer("turns", 2, "Turns of a side's process that count.")
    flags.DEFINE_integer("rounds", 2, "Processes of each side.")
    flags.DEFINE_string("output", None, "Where to write the figures as JSON.")
    app.run(main)
