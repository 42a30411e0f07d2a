"""Seconds of one training step on this machine's CPU, against PyTorch, in one run.

    python -m benchmarks.training_step [--batch=8] [--repeats=3] [--output=training_step.json]

Needs PyTorch beside the project. Both go from the same uint8 composites to new parameters: resizing with
antialias, fifteen crops, ViT (frozen, its input convolution trained) and ResNet in training mode, the same
loss, clipping and AdamW; each in float32 and in bfloat16 (PyTorch's by autocast, channels last). Sides take
turns; the fastest turn of each counts. On a machine with other work pin it to one core (`taskset -c 0`) and
read the CPU seconds.
"""

import dataclasses
import json
import pathlib
import time

import jax
import numpy as np
import torch
from absl import app, flags
from torch.nn import functional

from benchmarks.torch_network import TorchLipFD
from benchmarks.turns import fastest
from lipfd_jax.kernels.choice import SETTINGS, kernels_for
from lipfd_jax.mesh import make_mesh, to_devices
from lipfd_jax.models.lipfd import ModelConfig
from lipfd_jax.training.config import Experiment, OptimizerSettings
from lipfd_jax.training.state import create_state, make_recipe
from lipfd_jax.training.step import make_step

_MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(3, 1, 1) * 255
_STD = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(3, 1, 1) * 255
_MARGINS = (0, 87, 137)  # of head, face and lip crops; ours are 0, 87.5 and 137.5


class JaxStep:
    """Our step, as training compiles it."""

    def __init__(self, experiment: Experiment, batch: dict[str, np.ndarray]):
        mesh = make_mesh(devices=jax.devices()[:1])
        kernels = kernels_for(mesh.devices.flat, flags.FLAGS.kernels, experiment.model.dtype)
        recipe = make_recipe(experiment, kernels)
        self.state = create_state(recipe, mesh)
        self.batch = to_devices(batch, mesh)
        self.step = jax.jit(make_step(recipe, kernels), donate_argnums=0)

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
    """Composites (B, 1000, 2500, 3) uint8 to pictures (B, 3, 1120, 1120) and crops (B, 5, 3, 3, 224, 224)."""
    pictures = composites.permute(0, 3, 1, 2).float()
    image = _resized(pictures, 1120)
    frames = [pictures[:, :, 500:, 500 * i : 500 * (i + 1)] for i in range(5)]
    crops = torch.stack(
        [
            torch.stack([_resized(f[:, :, m : 500 - m, m : 500 - m], 224) for m in _MARGINS], 1)
            for f in frames
        ],
        1,
    )
    mean, std = _MEAN.to(composites.device), _STD.to(composites.device)
    return (image - mean) / std, (crops - mean) / std


def _resized(pictures: torch.Tensor, side: int) -> torch.Tensor:
    return functional.interpolate(pictures, (side, side), mode="bilinear", antialias=True)


def _in(experiment: Experiment, dtype: str) -> Experiment:
    return dataclasses.replace(experiment, model=dataclasses.replace(experiment.model, dtype=dtype))


def main(_: list[str]) -> None:
    """Measures, prints and writes."""
    count = flags.FLAGS.batch
    experiment = Experiment(
        steps=1000,
        batch_size=count,
        model=ModelConfig("vit_b32", "resnet18", dtype="float32"),
        optimizer=dataclasses.replace(OptimizerSettings(), warmup_steps=0),
    )
    rng = np.random.default_rng(0)
    batch = {
        "composite": rng.integers(0, 256, (count, 1000, 2500, 3), np.uint8),
        "label": (np.arange(count) % 2).astype(np.int32),
    }
    sides = {
        f"{name} {dtype}": side(_in(experiment, dtype), batch)
        for dtype in ("float32", "bfloat16")
        for name, side in (("jax", JaxStep), ("torch", TorchStep))
    }
    seconds = fastest(sides, flags.FLAGS.repeats)
    busy = fastest(sides, flags.FLAGS.repeats, time.process_time)
    figures = {"batch": count, "seconds": seconds, "cpu_seconds": busy}
    print(f"step of {count}:")
    for name in sides:
        print(f"{name:16} {seconds[name]:6.2f} s, CPU {busy[name]:6.2f} s")
    if flags.FLAGS.output:
        pathlib.Path(flags.FLAGS.output).write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    flags.DEFINE_integer("batch", 8, "Samples per step.")
    flags.DEFINE_integer("repeats", 3, "Turns of each side.")
    flags.DEFINE_enum("kernels", "auto", SETTINGS, "How our side computes operations.")
    flags.DEFINE_string("output", None, "Where to write the figures as JSON.")
    app.run(main)
