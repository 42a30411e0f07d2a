"""Starting points for training: a pretrained image encoder or backbone, as the part of the model it fills."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from etils import epath
from flax import traverse_util

from lipfd_jax.checkpoints.errors import refusal
from lipfd_jax.checkpoints.pth import open_pth
from lipfd_jax.checkpoints.safetensors import open_safetensors
from lipfd_jax.checkpoints.tables import (
    HUGGINGFACE_CLIP,
    OPEN_CLIP,
    TORCHVISION,
    Rule,
    Tensor,
    WeightsError,
    to_params,
)
from lipfd_jax.models.lipfd import ModelConfig, abstract_weights

# Which setting of an experiment a file belongs in, by keys that only such files have.
_SIGNS = {
    "start_encoder": re.compile(r"(vision_model|visual)\."),
    "start_backbone": re.compile(r"layer1\.0\."),
}
_RELEASED = re.compile(r"encoder\.visual\.")


def settings_for(paths: Iterable[str]) -> dict[str, str]:
    """Sorts starting points, given in any order, into the settings of an experiment that name them.

    Args:
        paths: folders (a checkpoint of ours, a converted one, a run) and files (CLIP, torchvision's resnet).

    Returns:
        `start`, `start_encoder` and `start_backbone`, those that there are paths for.

    Raises:
        CheckpointError: a file is refused, is none of these, or two are of one kind.
    """
    found: dict[str, str] = {}
    for path in paths:
        setting = _setting_for(path)
        if setting in found:
            raise refusal(path, f"it is a second {setting} beside {found[setting]}; give one")
        found[setting] = path
    return found


def _setting_for(path: str) -> str:
    if epath.Path(path).is_dir():
        return "start"
    keys = open_weights(path).keys()
    if any(_RELEASED.match(key) for key in keys):
        raise refusal(path, "it holds released LipFD weights; convert it first: lipfd convert")
    for setting, sign in _SIGNS.items():
        if any(sign.match(key) for key in keys):
            return setting
    raise refusal(path, "it is neither CLIP (vision_model.*, visual.*) nor torchvision's resnet (layer1.0.*)")


def open_weights(path: str | Path) -> Mapping[str, Tensor]:
    """The tensors of a .safetensors or PyTorch file, by key, still on disk; CheckpointError if refused."""
    return open_safetensors(path) if Path(path).suffix == ".safetensors" else open_pth(path)


def encoder_weights(path: str | Path, config: ModelConfig) -> dict[Any, Any]:
    """The model's "encoder" from CLIP weights, as HuggingFace or as OpenAI and open_clip name them.

    Returns:
        A pure dict of float32 NumPy arrays; CLIP's text encoder is never read.

    Raises:
        CheckpointError: the file is refused, or is not CLIP of this encoder's size; lists all mismatches.
    """
    tensors = open_weights(path)
    huggingface = any(key.startswith("vision_model.") for key in tensors)
    return fill(
        path, tensors, HUGGINGFACE_CLIP if huggingface else OPEN_CLIP, abstract_weights(config)["encoder"]
    )


def backbone_weights(path: str | Path, config: ModelConfig) -> dict[Any, Any]:
    """The model's "backbone" from torchvision's resnet weights, without their classifier.

    Returns:
        A pure dict of float32 NumPy arrays: parameters and batch statistics.

    Raises:
        CheckpointError: the file is refused, or does not fit this backbone; lists all mismatches.
    """
    return fill(path, open_weights(path), TORCHVISION, abstract_weights(config)["backbone"])


def fill(
    path: str | Path, tensors: Mapping[str, Tensor], table: tuple[Rule, ...], abstract: Mapping[Any, Any]
) -> dict[Any, Any]:
    """`tables.to_params`, with a CheckpointError that names the file and lists all mismatches.

    Weights that are NaN or infinite are refused too: whatever they touch would be NaN.
    """
    try:
        params = to_params(tensors, table, abstract)
    except WeightsError as error:
        raise refusal(path, [line.strip() for line in str(error).splitlines()[1:]]) from error
    problems = [
        f"{'/'.join(map(str, name))} holds {count:,} values that are NaN or infinite"
        for name, values in traverse_util.flatten_dict(params).items()
        if (count := values.size - np.count_nonzero(np.isfinite(values)))
    ]
    if problems:
        raise refusal(path, problems)
    return params
