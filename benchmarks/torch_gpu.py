"""PyTorch's sides of the GPU's table: the same network and step, bfloat16 by autocast. Needs torch."""

from collections.abc import Callable

import numpy as np
import torch

from benchmarks.gpu_programs import batch_of
from benchmarks.torch_network import TorchLipFD
from benchmarks.training_step import TorchStep, prepared
from lipfd_jax.models.lipfd import ModelConfig
from lipfd_jax.training.config import Experiment


def forward_side(
    config: ModelConfig, batch: int, *, compiled: bool, device: str = "cuda"
) -> Callable[[], object]:
    """Runs the forward pass once, from composites."""
    _share_memory(device)
    network = TorchLipFD(config.encoder, config.backbone, config.inputs.crop_size).eval().to(device)
    composites = torch.from_numpy(batch_of(batch)["composite"]).to(device)
    whole = _compiled(lambda images: network(*prepared(images))[0], compiled)

    @torch.inference_mode()
    def run() -> np.ndarray:
        with torch.autocast(device, torch.bfloat16):
            return whole(composites).float().cpu().numpy()

    return run


def step_side(
    config: ModelConfig, batch: int, *, compiled: bool, device: str = "cuda"
) -> Callable[[], object]:
    """Runs one training step, from composites to new parameters."""
    _share_memory(device)
    step = TorchStep(Experiment(steps=1000, batch_size=batch, model=config), batch_of(batch), device=device)
    step.network = _compiled(step.network, compiled)

    def run() -> float:
        with torch.autocast(device, torch.bfloat16):
            return step()

    return run


def _compiled(function: Callable, compiled: bool) -> Callable:
    return torch.compile(function) if compiled else function


def _share_memory(device: str) -> None:
    if device == "cuda":
        torch.cuda.set_per_process_memory_fraction(0.45)
