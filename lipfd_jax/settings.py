"""Settings as frozen dataclasses, built from nested plain values of configs, flags and checkpoints."""

import dataclasses
import difflib
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


def build_settings(default: T, values: Mapping[str, Any], where: str = "") -> T:
    """Returns a copy of a frozen dataclass with some values replaced.

    Args:
      default: gives every value that is not named.
      values: by field name; a nested dataclass is given as a mapping or as an instance.
      where: prefix of the names in messages, e.g. "model.".

    A dataclass may have a class method `explain_unknown(name)` that gives a reason, or "", for such a name.

    Raises:
      ValueError: a setting is unknown (the nearest known one is suggested) or has another type.
    """
    kinds = typing.get_type_hints(type(default))
    if unknown := sorted(set(values) - set(kinds)):
        explain = getattr(type(default), "explain_unknown", lambda name: "")
        raise ValueError("; ".join(_unknown_setting(name, kinds, where, explain(name)) for name in unknown))
    changed = {}
    for name, value in values.items():
        old = getattr(default, name)
        if dataclasses.is_dataclass(old) and isinstance(value, Mapping):
            changed[name] = build_settings(cast(Any, old), value, f"{where}{name}.")
        else:
            changed[name] = _check_type(f"{where}{name}", value, kinds[name])
    return dataclasses.replace(default, **changed)


def check_ranges(settings: Any, where: str = "", **bounds: tuple[float, float]) -> None:
    """Raises ValueError for the first field outside its inclusive (low, high) range."""
    for name, (low, high) in bounds.items():
        value = getattr(settings, name)
        if not low <= value <= high:  # NaN fails too
            span = f"at least {low}" if high == float("inf") else f"{low} to {high}"
            raise ValueError(f"{where}{name}={value!r}: expected {span}")


def _unknown_setting(name: str, kinds: Mapping[str, Any], where: str, why: str = "") -> str:
    near = difflib.get_close_matches(name, kinds, n=1)
    hint = f" Did you mean {where}{near[0]}?" if near else ""
    reason = f" {why[0].upper()}{why[1:]}." if why else ""
    return f"unknown setting {where}{name}.{reason}{hint} Known there: {', '.join(kinds)}"


def _check_type(name: str, value: Any, kind: Any) -> Any:
    if typing.get_origin(kind) is typing.Literal:
        if value not in typing.get_args(kind):
            raise ValueError(f"{name}={value!r}: expected one of {', '.join(typing.get_args(kind))}")
        return value
    if typing.get_origin(kind) is not None:  # mappings and sequences are validated by their reader
        return value
    allowed = (int, float) if kind is float else kind
    if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{name}={value!r}: expected {kind.__name__}")
    return value
