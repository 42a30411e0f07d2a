"""Which tensor of somebody else's checkpoint becomes which parameter of ours, as tables.

A rule turns a key into a path in the model's pure dict and says how the axes are permuted; a rule without
a path names what is left out on purpose. `to_params` applies a table, or says everything that is wrong.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import jax.numpy as jnp
import numpy as np
from flax import traverse_util


class Tensor(Protocol):
    """A tensor that may still be on disk: `np.asarray` of it reads it."""

    shape: tuple[int, ...]
    dtype: Any

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray: ...


class WeightsError(ValueError):
    """The tensors don't fit the model; the message lists every mismatch."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """One line of a table."""

    key: str  # regular expression of the whole key
    path: str | None  # parameter, parts separated by "/", with the expression's groups; None: left out
    axes: tuple[int, ...] | None = None  # permutation from the tensor's axes to the parameter's
    part: tuple[int, int] = (0, 1)  # (i, n): the i-th of n equal parts along the parameter's last axis


_LINEAR = (1, 0)  # (out, in) -> (in, out)
_CONV = (2, 3, 1, 0)  # (out, in, rows, columns) -> (rows, columns, in, out)


def _affine(key: str, path: str, axes: tuple[int, ...], part: tuple[int, int] = (0, 1)) -> tuple[Rule, ...]:
    return (
        Rule(rf"{key}\.weight", f"{path}/kernel", axes, part),
        Rule(rf"{key}\.bias", f"{path}/bias", None, part),
    )


def _norm(key: str, path: str) -> tuple[Rule, ...]:
    return Rule(rf"{key}\.weight", f"{path}/scale"), Rule(rf"{key}\.bias", f"{path}/bias")


def _batch_norm(key: str, path: str) -> tuple[Rule, ...]:
    return (
        *_norm(key, path),
        Rule(rf"{key}\.running_mean", f"{path}/mean"),
        Rule(rf"{key}\.running_var", f"{path}/var"),
        Rule(rf"{key}\.num_batches_tracked", None),  # only read where the momentum is unset
    )


def _moved(rules: tuple[Rule, ...], key: str, path: str) -> tuple[Rule, ...]:
    """The same rules below a key prefix and a path prefix."""
    return tuple(
        dataclasses.replace(rule, key=key + rule.key, path=rule.path and path + rule.path) for rule in rules
    )


_BLOCK = r"visual\.transformer\.resblocks\.(\d+)\."

# CLIP as OpenAI and open_clip name it -> the encoder.
OPEN_CLIP = (
    Rule(r"visual\.conv1\.weight", "patch_embedding", _CONV),
    Rule(r"visual\.class_embedding", "class_embedding"),
    Rule(r"visual\.positional_embedding", "position_embedding"),
    *_norm(r"visual\.ln_pre", "ln_pre"),
    *_norm(_BLOCK + "ln_1", r"blocks/\1/ln_1"),
    Rule(_BLOCK + r"attn\.in_proj_weight", r"blocks/\1/attention/qkv/kernel", _LINEAR),
    Rule(_BLOCK + r"attn\.in_proj_bias", r"blocks/\1/attention/qkv/bias"),
    *_affine(_BLOCK + r"attn\.out_proj", r"blocks/\1/attention/out", _LINEAR),
    *_norm(_BLOCK + "ln_2", r"blocks/\1/ln_2"),
    *_affine(_BLOCK + r"mlp\.c_fc", r"blocks/\1/fc", _LINEAR),
    *_affine(_BLOCK + r"mlp\.c_proj", r"blocks/\1/proj", _LINEAR),
    *_norm(r"visual\.ln_post", "ln_post"),
    Rule(r"visual\.proj", "projection"),
    # CLIP's text encoder.
    Rule(r"(positional_embedding|text_projection|logit_scale|logit_bias|attn_mask)", None),
    Rule(r"(input_resolution|context_length|vocab_size)", None),  # numbers that OpenAI's archives hold
    Rule(r"(token_embedding|ln_final|transformer\.resblocks\.\d+)\..*", None),
)

_LAYER = r"vision_model\.encoder\.layers\.(\d+)\."

# CLIP as HuggingFace transformers names it (openai/clip-vit-*) -> the encoder.
HUGGINGFACE_CLIP = (
    Rule(r"vision_model\.embeddings\.patch_embedding\.weight", "patch_embedding", _CONV),
    Rule(r"vision_model\.embeddings\.class_embedding", "class_embedding"),
    Rule(r"vision_model\.embeddings\.position_embedding\.weight", "position_embedding"),
    *_norm(r"vision_model\.pre_layrnorm", "ln_pre"),  # so spelt there
    *_norm(_LAYER + "layer_norm1", r"blocks/\1/ln_1"),
    *_affine(_LAYER + r"self_attn\.q_proj", r"blocks/\1/attention/qkv", _LINEAR, part=(0, 3)),
    *_affine(_LAYER + r"self_attn\.k_proj", r"blocks/\1/attention/qkv", _LINEAR, part=(1, 3)),
    *_affine(_LAYER + r"self_attn\.v_proj", r"blocks/\1/attention/qkv", _LINEAR, part=(2, 3)),
    *_affine(_LAYER + r"self_attn\.out_proj", r"blocks/\1/attention/out", _LINEAR),
    *_norm(_LAYER + "layer_norm2", r"blocks/\1/ln_2"),
    *_affine(_LAYER + r"mlp\.fc1", r"blocks/\1/fc", _LINEAR),
    *_affine(_LAYER + r"mlp\.fc2", r"blocks/\1/proj", _LINEAR),
    *_norm(r"vision_model\.post_layernorm", "ln_post"),
    Rule(r"visual_projection\.weight", "projection", _LINEAR),
    Rule(r"vision_model\.embeddings\.position_ids", None),
    Rule(r"(text_model\..*|text_projection\.weight|logit_scale)", None),
)

# CLIP's image encoder as timm names it (vit_*_clip_*) -> the encoder. Its head is CLIP's projection.
TIMM_CLIP = (
    Rule(r"cls_token", "class_embedding"),
    Rule(r"pos_embed", "position_embedding"),
    Rule(r"patch_embed\.proj\.weight", "patch_embedding", _CONV),
    *_norm("norm_pre", "ln_pre"),
    *_norm(r"blocks\.(\d+)\.norm1", r"blocks/\1/ln_1"),
    *_affine(r"blocks\.(\d+)\.attn\.qkv", r"blocks/\1/attention/qkv", _LINEAR),
    *_affine(r"blocks\.(\d+)\.attn\.proj", r"blocks/\1/attention/out", _LINEAR),
    *_norm(r"blocks\.(\d+)\.norm2", r"blocks/\1/ln_2"),
    *_affine(r"blocks\.(\d+)\.mlp\.fc1", r"blocks/\1/fc", _LINEAR),
    *_affine(r"blocks\.(\d+)\.mlp\.fc2", r"blocks/\1/proj", _LINEAR),
    *_norm("norm", "ln_post"),
    Rule(r"head\.weight", "projection", _LINEAR),
    Rule(r"head\.bias", None),  # zeros
)

_RESNET = (
    Rule(r"conv1\.weight", "conv1/kernel", _CONV),
    *_batch_norm("bn1", "bn1"),
    Rule(r"layer([1-4])\.(\d+)\.conv([1-3])\.weight", r"layer\1/\2/conv\3/kernel", _CONV),
    *_batch_norm(r"layer([1-4])\.(\d+)\.bn([1-3])", r"layer\1/\2/bn\3"),
    Rule(r"layer([1-4])\.(\d+)\.downsample\.0\.weight", r"layer\1/\2/shortcut_conv/kernel", _CONV),
    *_batch_norm(r"layer([1-4])\.(\d+)\.downsample\.1", r"layer\1/\2/shortcut_bn"),
)

# torchvision's resnet18, 34 and 50 -> the backbone. The ImageNet classifier is left out.
TORCHVISION = (*_RESNET, Rule(r"fc\.(weight|bias)", None))

# The released LipFD checkpoint's `model` entry -> the whole model.
RELEASED_LIPFD = (
    *_affine("conv1", "conv1", _CONV),
    *_moved(OPEN_CLIP, r"encoder\.", "encoder/"),
    *_moved(_RESNET, r"backbone\.", "backbone/"),
    *_affine(r"backbone\.get_weight\.0", "get_weight", _LINEAR),
    *_affine(r"backbone\.fc", "fc", _LINEAR),
)


def to_params(
    tensors: Mapping[str, Tensor], table: tuple[Rule, ...], abstract: Mapping[Any, Any]
) -> dict[Any, Any]:
    """Fills a model's pure dict from somebody else's tensors.

    Everything is checked before anything is read; then tensors are read one at a time, straight into
    float32 arrays of their own.

    Args:
      tensors: by key; floats of any width are converted.
      table: one of the tables above.
      abstract: pure dict of shapes that says what must be filled (`models.lipfd.abstract_state`, or its
        "encoder" or "backbone").

    Returns:
      A pure dict like `abstract`, of NumPy arrays.

    Raises:
      WeightsError: keys are unknown or missing, or shapes or types differ; lists all of them.
    """
    wanted = traverse_util.flatten_dict(dict(abstract))
    sources, problems = _matched(tensors, table, wanted)
    if problems:
        raise WeightsError(
            f"{len(problems)} mismatches between the weights and the model:\n  " + "\n  ".join(problems)
        )
    filled = {path: _read(parts, tensors, wanted[path]) for path, parts in sources.items()}
    return traverse_util.unflatten_dict(filled)


_Sources = dict[tuple[Any, ...], dict[int, tuple[str, Rule]]]  # path -> part -> key and rule


def _matched(
    tensors: Mapping[str, Tensor], table: tuple[Rule, ...], wanted: Mapping[tuple[Any, ...], Any]
) -> tuple[_Sources, list[str]]:
    sources: _Sources = {}
    problems = []
    find = _finder(table)
    for key, tensor in tensors.items():
        rule, path = find(key)
        if rule is None:
            problems.append(f"unknown key {key}")
        elif path is None:
            continue
        elif path not in wanted:
            problems.append(f"{key}: the model has no parameter {_name(path)}")
        elif rule.part[0] in sources.get(path, {}):
            problems.append(f"{key}: {_name(path)} is already filled by {sources[path][rule.part[0]][0]}")
        else:
            sources.setdefault(path, {})[rule.part[0]] = (key, rule)
            problems += _misfits(key, tensor, rule, wanted[path])
    for path in wanted:
        missing = _parts(sources[path]) - sources[path].keys() if path in sources else {0}
        problems += [f"missing: nothing fills {_name(path)}" for _ in missing]
    return sources, problems


def _finder(
    table: tuple[Rule, ...],
) -> Callable[[str], tuple[Rule | None, tuple[Any, ...] | None]]:
    compiled = [(re.compile(rule.key), rule) for rule in table]

    def find(key: str) -> tuple[Rule | None, tuple[Any, ...] | None]:
        for pattern, rule in compiled:
            match = pattern.fullmatch(key)
            if match and rule.path is None:
                return rule, None
            if match:
                parts = match.expand(rule.path).split("/")
                return rule, tuple(int(part) if part.isdigit() else part for part in parts)
        return None, None

    return find


def _misfits(key: str, tensor: Tensor, rule: Rule, parameter: Any) -> list[str]:
    expected = (*parameter.shape[:-1], parameter.shape[-1] // rule.part[1])
    if rule.axes is not None:
        expected = tuple(expected[rule.axes.index(axis)] for axis in range(len(expected)))
    problems = []
    if tuple(tensor.shape) != expected:
        problems.append(f"{key}: shape {tuple(tensor.shape)}, expected {expected}")
    if not jnp.issubdtype(tensor.dtype, jnp.floating):
        problems.append(f"{key}: type {tensor.dtype}, expected floating point")
    return problems


def _read(parts: dict[int, tuple[str, Rule]], tensors: Mapping[str, Tensor], parameter: Any) -> np.ndarray:
    out = np.empty(parameter.shape, parameter.dtype)
    for place, (key, rule) in parts.items():
        width = parameter.shape[-1] // rule.part[1]
        values = np.asarray(tensors[key])
        out[..., place * width : (place + 1) * width] = (
            values if rule.axes is None else values.transpose(rule.axes)
        )
    return out


def _parts(filled: dict[int, tuple[str, Rule]]) -> set[int]:
    _, rule = next(iter(filled.values()))
    return set(range(rule.part[1]))


def _name(path: tuple[Any, ...]) -> str:
    return "/".join(map(str, path))
