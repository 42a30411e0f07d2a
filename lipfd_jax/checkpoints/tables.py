"""Weight conversion by tables: which tensor of a foreign checkpoint becomes which parameter of ours.

Tables are defined with the part of the model they fill (models.vit, models.resnet, ...); the table of the
released checkpoint is composed of them here. `to_params` applies a table, or reports every mismatch.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from lipfd_jax.models.resnet import BODY
from lipfd_jax.models.vit import OPEN_CLIP
from lipfd_jax.models.weight_rules import CONV, LINEAR, Rule, affine_rules, with_prefixes


class Tensor(Protocol):
    """A tensor that may still be on disk: `np.asarray` reads it."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> Any: ...

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray: ...


class WeightsError(ValueError):
    """The tensors do not fit the model; the message lists every mismatch."""


# From the `model` entry of the released LipFD checkpoint to the whole model.
RELEASED_LIPFD = (
    *affine_rules("conv1", "conv1", CONV),
    *with_prefixes(OPEN_CLIP, r"encoder\.", "encoder/"),
    *with_prefixes(BODY, r"backbone\.", "backbone/"),
    *affine_rules(r"backbone\.get_weight\.0", "get_weight", LINEAR),
    *affine_rules(r"backbone\.fc", "fc", LINEAR),
)


def to_params(
    tensors: Mapping[str, Tensor], table: tuple[Rule, ...], abstract: Mapping[Any, Any]
) -> dict[Any, Any]:
    """Fills a model's pure dict from foreign tensors.

    All tensors are checked before any is read; then they are read one at a time into float32 arrays.

    Args:
      tensors: by key; floats of any width are converted.
      table: one of the tables.
      abstract: pure dict of shapes to fill (`models.lipfd.abstract_weights`, or its "encoder" or "backbone").

    Returns:
      A pure dict like `abstract`, of NumPy arrays.

    Raises:
      WeightsError: keys are unknown or missing, or shapes or types differ; lists all of them.
    """
    wanted = traverse_util.flatten_dict(dict(abstract))
    sources, problems = _match_tensors(tensors, table, wanted)
    if problems:
        raise WeightsError(
            f"{len(problems)} mismatches between the weights and the model:\n  " + "\n  ".join(problems)
        )
    filled = {path: _read_parameter(parts, tensors, wanted[path]) for path, parts in sources.items()}
    return traverse_util.unflatten_dict(filled)


_Sources = dict[tuple[Any, ...], dict[int, tuple[str, Rule]]]  # path -> part -> key and rule


def _match_tensors(
    tensors: Mapping[str, Tensor], table: tuple[Rule, ...], wanted: Mapping[tuple[Any, ...], Any]
) -> tuple[_Sources, list[str]]:
    sources: _Sources = {}
    problems = []
    find = _make_finder(table)
    for key, tensor in tensors.items():
        rule, path = find(key)
        if rule is None:
            problems.append(f"unknown key {key}")
        elif path is None:
            continue
        elif path not in wanted:
            problems.append(f"{key}: the model has no parameter {_join_path(path)}")
        elif rule.part[0] in sources.get(path, {}):
            problems.append(
                f"{key}: {_join_path(path)} is already filled by {sources[path][rule.part[0]][0]}"
            )
        else:
            sources.setdefault(path, {})[rule.part[0]] = (key, rule)
            problems += _find_misfits(key, tensor, rule, wanted[path])
    for path in wanted:
        missing = _expected_parts(sources[path]) - sources[path].keys() if path in sources else {0}
        problems += [f"missing: nothing fills {_join_path(path)}" for _ in missing]
    return sources, problems


def _make_finder(
    table: tuple[Rule, ...],
) -> Callable[[str], tuple[Rule | None, tuple[Any, ...] | None]]:
    compiled = [(re.compile(rule.key), rule) for rule in table]

    def find(key: str) -> tuple[Rule | None, tuple[Any, ...] | None]:
        for pattern, rule in compiled:
            match = pattern.fullmatch(key)
            if not match:
                continue
            if rule.path is None:
                return rule, None
            parts = match.expand(rule.path).split("/")
            return rule, tuple(int(part) if part.isdigit() else part for part in parts)
        return None, None

    return find


def _find_misfits(key: str, tensor: Tensor, rule: Rule, parameter: Any) -> list[str]:
    expected = (*parameter.shape[:-1], parameter.shape[-1] // rule.part[1])
    if rule.axes is not None:
        expected = tuple(expected[rule.axes.index(axis)] for axis in range(len(expected)))
    problems = []
    if tuple(tensor.shape) != expected:
        problems.append(f"{key}: shape {tuple(tensor.shape)}, expected {expected}")
    if not jnp.issubdtype(tensor.dtype, jnp.floating):
        problems.append(f"{key}: type {tensor.dtype}, expected floating point")
    return problems


def _read_parameter(
    parts: dict[int, tuple[str, Rule]], tensors: Mapping[str, Tensor], parameter: Any
) -> np.ndarray:
    out = np.empty(parameter.shape, parameter.dtype)
    for place, (key, rule) in parts.items():
        width = parameter.shape[-1] // rule.part[1]
        values = np.asarray(tensors[key])
        out[..., place * width : (place + 1) * width] = (
            values if rule.axes is None else values.transpose(rule.axes)
        )
    return out


def _expected_parts(filled: dict[int, tuple[str, Rule]]) -> set[int]:
    _, rule = next(iter(filled.values()))
    return set(range(rule.part[1]))


def _join_path(path: tuple[Any, ...]) -> str:
    return "/".join(map(str, path))
