"""Pretrained weights as starting points of training: an image encoder or a backbone of the model."""

import logging
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from etils import epath
from flax.traverse_util import flatten_dict

from lipfd_jax.checkpoints.clip_vit import find_activation, find_layout
from lipfd_jax.checkpoints.errors import refusal
from lipfd_jax.checkpoints.published import PACKAGES, resolve_weights
from lipfd_jax.checkpoints.tables import Tensor, WeightsError, to_params
from lipfd_jax.checkpoints.weight_files import is_weight_folder, open_weights
from lipfd_jax.models.backbones import BACKBONES
from lipfd_jax.models.lipfd import ModelConfig, abstract_weights
from lipfd_jax.models.weight_rules import Rule

logger = logging.getLogger(__name__)

# The experiment setting a file belongs to, by keys found only in such files.
_PATTERNS = {
    "start_encoder": [r"(vision_model|visual)\.|(class_embedding|cls_token)$"],
    "start_backbone": list(dict.fromkeys(pattern for b in BACKBONES.values() for pattern in b.weights)),
}
_RESNET_BLOCK = re.compile(r"layer([1-4])[./](\d+)[./]conv(\d)[./]")
_RESNETS: dict[tuple[tuple[int, ...], bool], str] = {
    ((2, 2, 2, 2), False): "resnet18",
    ((3, 4, 6, 3), False): "resnet34",
    ((3, 4, 6, 3), True): "resnet50",
    ((3, 4, 23, 3), True): "resnet101",
    ((3, 8, 36, 3), True): "resnet152",
}
_RELEASED = re.compile(r"encoder\.visual\.")


def settings_for(paths: Iterable[str]) -> dict[str, str]:
    """Sorts starting points, given in any order, into the experiment settings they belong to.

    Args:
        paths: folders of ours (a checkpoint, a converted one, a run), CLIP's weights and those of a backbone
            as accepted by `weight_files.open_weights`, and names of `published.PACKAGES`.

    Returns:
        `start`, `start_encoder` and `start_backbone`, as far as paths for them are given.

    Raises:
        CheckpointError: a file is refused, is none of these, or two are of one kind.
    """
    found: dict[str, str] = {}
    for path in paths:
        setting = "start_backbone" if path in PACKAGES else _setting_for(path)
        if setting in found:
            raise refusal(path, f"it is a second {setting}, besides {found[setting]}; give one")
        found[setting] = path
    return found


def _setting_for(path: str) -> str:
    if epath.Path(path).is_dir() and not is_weight_folder(path):
        return "start"
    keys = open_weights(path).keys()
    if any(_RELEASED.match(key) for key in keys):
        raise refusal(path, "it holds released LipFD weights; convert them first with lipfd convert")
    for setting, patterns in _PATTERNS.items():
        if any(_has_key(keys, pattern) for pattern in patterns):
            return setting
    kinds = ", ".join(BACKBONES)
    raise refusal(path, f"it is neither CLIP's image encoder nor published weights of a backbone ({kinds})")


def _has_key(keys: Iterable[str], sign: str) -> bool:
    return any(re.match(sign, key) for key in keys)


def encoder_weights(path: str | Path, config: ModelConfig) -> dict[Any, Any]:
    """Returns the model's "encoder" from CLIP weights, in any layout that `clip_vit.find_layout` knows.

    Returns:
        A pure dict of float32 NumPy arrays; CLIP's text encoder is never read.

    Raises:
        CheckpointError: the file is refused, is not CLIP of this encoder's size (lists all mismatches), or
            was trained with another activation.
    """
    stored = open_weights(path)
    tensors, table = find_layout(path, stored)
    _check_activation(path, stored.keys(), config.activation)
    return load_params(path, tensors, table, abstract_weights(config)["encoder"])


def backbone_weights(path: str | Path, config: ModelConfig) -> dict[Any, Any]:
    """Returns a backbone's weights from published ones, without their classifier; of members any one's.

    Args:
        path: of a file, or a name in `published.PACKAGES`.
        config: of the model.

    Returns:
        A pure dict of float32 NumPy arrays: parameters and batch statistics.

    Raises:
        CheckpointError: the file is refused, or does not fit this backbone; lists all mismatches.
    """
    path = resolve_weights(path)
    config = config.member if config.members else config
    tensors, abstract = open_weights(path), abstract_weights(config)["backbone"]
    found, wanted = (
        _count_blocks(tensors),
        _count_blocks("/".join(map(str, p)) for p in flatten_dict(abstract)),
    )
    if wanted[0] and found[0] and found != wanted:
        raise refusal(
            path,
            f"it is {_describe_resnet(found)}, the backbone is {_describe_resnet(wanted)}; "
            "set model.backbone or give another file",
        )
    return load_params(path, tensors, _find_table(path, tensors, config.backbone), abstract)


def _find_table(path: str | Path, keys: Iterable[str], backbone: str) -> tuple[Rule, ...]:
    weights = BACKBONES[backbone].weights
    for pattern, table in weights.items():
        if _has_key(keys, pattern):
            return table
    patterns = " or ".join(pattern.replace("\\", "") for pattern in weights)
    raise refusal(path, f"it holds no weights of {backbone}, whose keys begin with {patterns}")


def _check_activation(path: str | Path, keys: Iterable[str], activation: str) -> None:
    found = find_activation(path, keys)
    if found is None:
        logger.warning(
            "%s: trained with an unknown activation (GELU or QuickGELU); using model.activation=%s",
            path,
            activation,
        )
    elif found[0] != activation:
        raise refusal(
            path,
            f"it was trained with {found[0]} (by {found[1]}), the model has {activation}; set "
            f"model.activation={found[0]}",
        )


def _count_blocks(names: Iterable[str]) -> tuple[tuple[int, ...], bool]:
    """Returns a ResNet's blocks per stage by its parameters' names, and whether they are bottlenecks."""
    found = {m.groups() for m in map(_RESNET_BLOCK.match, names) if m}
    stages = sorted({int(stage) for stage, _, _ in found})
    depths = (len({block for stage, block, _ in found if int(stage) == n}) for n in stages)
    return tuple(depths), any(convolution == "3" for _, _, convolution in found)


def _describe_resnet(blocks: tuple[tuple[int, ...], bool]) -> str:
    return f"{_RESNETS.get(blocks, 'a resnet')} (blocks {', '.join(map(str, blocks[0]))})"


def load_params(
    path: str | Path, tensors: Mapping[str, Tensor], table: tuple[Rule, ...], abstract: Mapping[Any, Any]
) -> dict[Any, Any]:
    """`tables.to_params`, raising a CheckpointError that names the file and lists all mismatches.

    Weights that are NaN or infinite are refused too: all that depends on them would be NaN.
    """
    try:
        params = to_params(tensors, table, abstract)
    except WeightsError as error:
        raise refusal(path, [line.strip() for line in str(error).splitlines()[1:]]) from error
    problems = [
        f"{'/'.join(map(str, name))} holds {count:,} values that are NaN or infinite"
        for name, values in flatten_dict(params).items()
        if (count := values.size - np.count_nonzero(np.isfinite(values)))
    ]
    if problems:
        raise refusal(path, problems)
    return params
