"""File layouts of CLIP's image encoder: names of tensors, and the activation it was trained with."""

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lipfd_jax.checkpoints.errors import quote, refusal
from lipfd_jax.checkpoints.tables import Tensor
from lipfd_jax.checkpoints.weight_files import read_json
from lipfd_jax.models.vit import ACTIVATIONS, HUGGINGFACE_CLIP, OPEN_CLIP, TIMM_CLIP
from lipfd_jax.models.weight_rules import Rule

_CONFIGS = ("open_clip_config.json", "config.json")
_OPENAI = "input_resolution"  # a key found only in OpenAI's own archives


def find_layout(
    path: str | Path, tensors: Mapping[str, Tensor]
) -> tuple[Mapping[str, Tensor], tuple[Rule, ...]]:
    """Returns the tensors under the names of a table, and that table.

    Supports HuggingFace's, OpenAI's and open_clip's names, the latter also without `visual.` (the state dict
    of the image encoder alone), and timm's. Raises CheckpointError if timm's head is a classifier.
    """
    if any(key.startswith("vision_model.") for key in tensors):
        return tensors, HUGGINGFACE_CLIP
    if "cls_token" in tensors:
        if "head.bias" in tensors and np.any(np.asarray(tensors["head.bias"])):
            raise refusal(path, "its head has a bias: it is a classifier, not CLIP's projection")
        flat = {key: _SqueezedTensor(tensors[key]) for key in ("cls_token", "pos_embed") if key in tensors}
        return {**tensors, **flat}, TIMM_CLIP
    if "class_embedding" in tensors:
        return {f"visual.{key}": tensor for key, tensor in tensors.items()}, OPEN_CLIP
    return tensors, OPEN_CLIP


def find_activation(path: str | Path, keys: Iterable[str]) -> tuple[str, str] | None:
    """Returns the activation the weights were trained with, and the evidence for it; None if unknown.

    Weights do not show it, and with the wrong one features are slightly wrong. The evidence is a
    configuration next to the file (of transformers, open_clip or timm), or that the file is OpenAI's own.

    Raises:
        CheckpointError: the configuration can't be read, or names an unsupported activation.
    """
    path = Path(path)
    folder = path if path.is_dir() else path.parent
    for config in (*(folder / name for name in _CONFIGS), path.with_suffix(".json")):
        if config.is_file() and (found := _read_activation(read_json(config))):
            if found not in ACTIVATIONS:
                raise refusal(config, f"the activation {quote(found)} is not one of {', '.join(ACTIVATIONS)}")
            return found, config.name
    return ("quick_gelu", "OpenAI's archive") if _OPENAI in keys else None


def _read_activation(config: Mapping[str, Any]) -> str | None:
    """Returns the activation of a configuration; None if it is not of CLIP."""
    open_clip = config.get("model_cfg", config)
    if isinstance(open_clip, Mapping) and "vision_cfg" in open_clip:
        return "quick_gelu" if open_clip.get("quick_gelu") else "gelu"
    if "clip" in (architecture := str(config.get("architecture"))):  # a configuration of timm
        tag = str((config.get("pretrained_cfg") or {}).get("tag"))
        return "quick_gelu" if "quickgelu" in architecture or tag.startswith("openai") else "gelu"
    if str(config.get("model_type")).startswith("clip"):  # transformers omits default values
        vision = config.get("vision_config") or config
        return str(vision.get("hidden_act", "quick_gelu"))
    return None


@dataclasses.dataclass(frozen=True)
class _SqueezedTensor:
    """A tensor without its leading axes of size one."""

    tensor: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        # (1, 1, W) and (1, T, W) become (W,) and (T, W); other axes stay, and the shape is refused later.
        shape = tuple(self.tensor.shape)
        return tuple(n for n in shape[:-1] if n != 1) + shape[-1:]

    @property
    def dtype(self) -> Any:
        return self.tensor.dtype

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.tensor, dtype).reshape(self.shape)
