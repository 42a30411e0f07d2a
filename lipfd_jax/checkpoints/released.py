"""Turns a checkpoint of the released code into one of ours, in the released input convention."""

import contextlib
import dataclasses
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from lipfd_jax.checkpoints.errors import CheckpointError, os_error, refusal
from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.checkpoints.pretrained import fill
from lipfd_jax.checkpoints.store import read_metadata, save_model
from lipfd_jax.checkpoints.tables import RELEASED_LIPFD, Tensor
from lipfd_jax.checkpoints.weight_files import open_weights
from lipfd_jax.locks import locked
from lipfd_jax.models.inputs import RELEASED as RELEASED_INPUTS
from lipfd_jax.models.lipfd import ModelConfig, abstract_weights

# The released weights, with the torchvision the released code pins.
RELEASED_MODEL = ModelConfig(encoder="vit_l14", backbone="resnet50", inputs=RELEASED_INPUTS)


def antialiased(config: ModelConfig) -> ModelConfig:
    """The same model for weights trained or validated with torchvision 0.17 or newer, which antialiases."""
    return dataclasses.replace(config, inputs=dataclasses.replace(config.inputs, released_antialias=True))


def convert(
    source: str | Path, out: str | Path, *, config: ModelConfig = RELEASED_MODEL, overwrite: bool = False
) -> None:
    """Writes the weights of `source` as the checkpoint `out`, which appears only when it is complete.

    The optimizer and CLIP's text encoder are never read. Takes about the memory of the weights kept, 1.3 GB.

    Args:
        source: file of the released code (`torch.save`, with or without a `model` entry), or .safetensors.
        out: folder to make.
        config: architecture and input convention to record.
        overwrite: replace a checkpoint that is there.

    Raises:
        CheckpointError: `source` is refused, with everything that is wrong with it, or `out` is in the way.
        OSError: the disk is full, or the folder can't be written to; nothing is left behind.
        InUse: another process converts to the same folder.
    """
    out = Path(out)
    _restore(_place(out) / "old", out)
    _check_free(out, overwrite)
    tensors = open_weights(source)
    with tqdm(desc=f"reading {Path(source).name}", unit="B", unit_scale=True, disable=None) as bar:
        watched = {key: _Watched(tensor, bar) for key, tensor in tensors.items()}
        weights = fill(source, watched, RELEASED_LIPFD, abstract_weights(config))
    origin = f"converted from {Path(source).name}, a checkpoint of the released code"
    with _published(out) as folder:
        save_model(folder, weights, Metadata(model=config, windows="released", origin=origin))


def _check_free(out: Path, overwrite: bool) -> None:
    if not os.path.lexists(out):
        return
    if not overwrite:
        raise refusal(out, "it exists already; choose another name, or overwrite it with --overwrite")
    try:
        read_metadata(out.absolute())
    except CheckpointError as error:
        raise refusal(out, "it is not one of our checkpoints, so it is not overwritten") from error


@contextlib.contextmanager
def _published(out: Path) -> Iterator[Path]:
    """A folder to be made beside `out`, renamed to it at the end; nothing is left behind if that fails.

    What a killed conversion to the same `out` left is removed first.
    """
    place = _place(out)
    with locked(place, "a conversion"):
        made, old = place / "new", place / "old"
        _restore(old, out)
        try:
            _remove_leftovers(place)
            yield made
            if out.exists():
                os.replace(out, old)
            os.replace(made, out)
        except BaseException as error:
            _restore(old, out)
            _remove_while_written(place)
            if trouble := os_error(error, out):
                raise trouble from error
            raise
        shutil.rmtree(place)


def _place(out: Path) -> Path:
    return out.absolute().with_name(f".{out.name}.converting")


def _restore(old: Path, out: Path) -> None:
    """Puts the checkpoint to be replaced back where its successor did not come to stand."""
    if old.exists() and not out.exists():
        os.replace(old, out)


def _remove_while_written(place: Path) -> None:
    """Removes a folder in which threads still write: TensorStore's do for a moment after one has failed."""
    absent = 0
    for _ in range(100):
        shutil.rmtree(place, ignore_errors=True)
        time.sleep(0.1)
        absent = 0 if place.exists() else absent + 1
        if absent == 5:
            return


def _remove_leftovers(place: Path) -> None:
    for path in place.iterdir():
        if path.is_dir():
            shutil.rmtree(path)


class _Watched:
    """A tensor that moves a progress bar when it is read."""

    def __init__(self, tensor: Tensor, bar: tqdm) -> None:
        self.shape, self.dtype = tensor.shape, tensor.dtype
        self._tensor, self._bar = tensor, bar

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        values = self._tensor.__array__(dtype, copy)
        self._bar.update(values.nbytes)
        return values
