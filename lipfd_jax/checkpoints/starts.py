"""Starting points for training: a pretrained image tower or trunk, as the part of the model it fills."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lipfd_jax.checkpoints.pth import open_pth
from lipfd_jax.checkpoints.refusal import refusal
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
from lipfd_jax.models.lipfd import ModelConfig, abstract_state


def open_weights(path: str | Path) -> Mapping[str, Tensor]:
    """The tensors of a .safetensors or PyTorch file, by key, still on disk; CheckpointError if refused."""
    return open_safetensors(path) if Path(path).suffix == ".safetensors" else open_pth(path)


def encoder_weights(path: str | Path, config: ModelConfig) -> dict[Any, Any]:
    """The model's "encoder" from CLIP weights, as HuggingFace or as OpenAI and open_clip name them.

    Returns:
        A pure dict of float32 NumPy arrays; the text tower is never read.

    Raises:
        CheckpointError: the file is refused, or is not CLIP of this encoder's size; lists all mismatches.
    """
    tensors = open_weights(path)
    huggingface = any(key.startswith("vision_model.") for key in tensors)
    return fill(
        path, tensors, HUGGINGFACE_CLIP if huggingface else OPEN_CLIP, abstract_state(config)["encoder"]
    )


def backbone_weights(path: str | Path, config: ModelConfig) -> dict[Any, Any]:
    """The model's "backbone" from torchvision's resnet weights, without their classifier.

    Returns:
        A pure dict of float32 NumPy arrays: parameters and batch statistics.

    Raises:
        CheckpointError: the file is refused, or is not a trunk of this backbone's size; lists all mismatches.
    """
    return fill(path, open_weights(path), TORCHVISION, abstract_state(config)["backbone"])


def fill(
    path: str | Path, tensors: Mapping[str, Tensor], table: tuple[Rule, ...], abstract: Mapping[Any, Any]
) -> dict[Any, Any]:
    """`tables.to_params`, with a CheckpointError that names the file and lists all mismatches."""
    try:
        return to_params(tensors, table, abstract)
    except WeightsError as error:
        raise refusal(path, [line.strip() for line in str(error).splitlines()[1:]]) from error
