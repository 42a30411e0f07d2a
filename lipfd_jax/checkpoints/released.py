"""Converts a checkpoint of the released code into one of ours, in the released input convention."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.checkpoints.packing import check_free
from lipfd_jax.checkpoints.pretrained import load_params
from lipfd_jax.checkpoints.store import save_model
from lipfd_jax.checkpoints.tables import RELEASED_LIPFD, Tensor
from lipfd_jax.checkpoints.weight_files import open_weights
from lipfd_jax.models.inputs import RELEASED as RELEASED_INPUTS
from lipfd_jax.models.lipfd import ModelConfig, abstract_weights
from lipfd_jax.storage.atomic_folder import publish_folder, recover_folder

# For the released weights, with the torchvision version that the released code pins.
RELEASED_MODEL = ModelConfig(encoder="vit_l14", backbone="resnet50", inputs=RELEASED_INPUTS)


def with_antialias(config: ModelConfig) -> ModelConfig:
    """Returns the model for weights trained or validated with torchvision >= 0.17, which antialiases."""
    return dataclasses.replace(config, inputs=dataclasses.replace(config.inputs, released_antialias=True))


def convert_released(
    source: str | Path, out: str | Path, *, config: ModelConfig = RELEASED_MODEL, overwrite: bool = False
) -> None:
    """Writes the weights of `source` as the checkpoint `out`, atomically.

    The optimizer and CLIP's text encoder are never read. Takes 1.7 GB of memory for the published
    file: the weights kept, 1.3 GB, and the libraries.

    Args:
        source: file of the released code (`torch.save`, with or without a `model` entry), or .safetensors.
        out: folder to create.
        config: architecture and input convention to record.
        overwrite: replace an existing checkpoint.

    Raises:
        CheckpointError: `source` is refused, with all its problems, or `out` exists already.
        OSError: the disk is full, or the folder is not writable; no partial output remains.
        InUseError: another process converts to the same folder.
    """
    out = Path(out)
    recover_folder(out)
    check_free(out, overwrite)
    tensors = open_weights(source)
    with tqdm(desc=f"reading {Path(source).name}", unit="B", unit_scale=True, disable=None) as bar:
        shown = {key: _ProgressTensor(tensor, bar) for key, tensor in tensors.items()}
        weights = load_params(source, shown, RELEASED_LIPFD, abstract_weights(config))
    origin = f"converted from {Path(source).name}, a checkpoint of the released code"
    with publish_folder(out, "a conversion") as folder:
        save_model(folder, weights, Metadata(model=config, window_convention="released", origin=origin))


class _ProgressTensor:
    """A tensor that advances a progress bar when it is read."""

    def __init__(self, tensor: Tensor, bar: tqdm) -> None:
        self.shape, self.dtype = tensor.shape, tensor.dtype
        self._tensor, self._bar = tensor, bar

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        values = self._tensor.__array__(dtype, copy)
        self._bar.update(values.nbytes)
        return values
