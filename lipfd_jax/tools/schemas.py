"""Writes the JSON schemas of metrics.json and result.json, generated from the dataclasses they hold.

    python -m lipfd_jax.tools.schemas

Descriptions are the docstrings of the classes and the comments at their fields.
"""

import dataclasses
import functools
import inspect
import io
import json
import pathlib
import tokenize
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from lipfd_jax.detection.result import SCHEMA, Result
from lipfd_jax.detection.texts import OUTCOMES
from lipfd_jax.evaluation.metrics import table
from lipfd_jax.evaluation.metrics.compute import Metrics
from lipfd_jax.evaluation.metrics.metric import Metric
from lipfd_jax.evaluation.report.metrics_json import VERSION, MetricsFile
from lipfd_jax.storage.json_types import Keywords

_ROOT = pathlib.Path(__file__).parents[2]
FILES = {
    "metrics": _ROOT / "docs" / "metrics.schema.json",
    "result": _ROOT / "lipfd_jax" / "detection" / "result.schema.json",
}
_SCALARS = {int: "integer", float: "number", str: "string", bool: "boolean", type(None): "null"}


def main() -> None:
    """Writes both files."""
    for name, content in generate_schemas().items():
        FILES[name].write_text(format_schema(content), encoding="utf-8")
        print(FILES[name].relative_to(_ROOT))


def generate_schemas() -> dict[str, dict[str, Any]]:
    """Both schemas by name."""
    words = {name: {"type": "string"} for name in next(iter(OUTCOMES.values()))._fields}
    head = {
        "schema": {"const": SCHEMA, "description": "version of this form"},
        "words": _object(words, list(words)),
    }
    return {
        "metrics": _generate(MetricsFile, f"metrics.json of lipfd evaluate, version {VERSION}", {}),
        "result": _generate(Result, f"result.json of lipfd detect, version {SCHEMA}", head),
    }


def format_schema(content: Mapping[str, Any]) -> str:
    """The text of a file."""
    return json.dumps(content, indent=1) + "\n"


def _generate(root: type, title: str, first: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a dataclass whose file has the properties `first` before its own."""
    definitions: dict[str, Any] = {}
    body = _of_dataclass(root, definitions)
    body["properties"] = {**first, **body["properties"]}
    body["required"] = [*first, *body["required"]]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **body,
        "$defs": definitions,
    }


def _of_type(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema of a type; dataclasses are added to the definitions and referred to."""
    origin, parts = get_origin(kind), get_args(kind)
    if kind in _SCALARS:
        return {"type": _SCALARS[kind]}
    if kind is Any:
        return {}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        if kind.__name__ not in definitions:
            definitions[kind.__name__] = {}  # keeps its place, and ends recursion
            definitions[kind.__name__] = _of_dataclass(kind, definitions)
        return {"$ref": f"#/$defs/{kind.__name__}"}
    if origin is Annotated:
        keywords = [one.get() for one in kind.__metadata__ if isinstance(one, Keywords)]
        return functools.reduce(lambda a, b: {**a, **b}, keywords, _of_type(parts[0], definitions))
    if origin is Literal:
        return {"const": parts[0]} if len(parts) == 1 else {"enum": list(parts)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_of_type(part, definitions) for part in parts]}
    if origin in (list, tuple):
        return _of_sequence(origin, parts, definitions)
    if origin in (dict, Mapping):
        key, value = parts
        return _of_mapping(key, value, definitions)
    raise TypeError(f"{kind}: no JSON schema is known for this type")


def _of_sequence(origin: type, parts: Sequence[Any], definitions: dict[str, Any]) -> dict[str, Any]:
    if origin is list or parts[-1] is Ellipsis:
        return {"type": "array", "items": _of_type(parts[0], definitions)}
    items = [_of_type(part, definitions) for part in parts]
    return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}


def _of_mapping(key: Any, value: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    names = {"propertyNames": _of_type(key, definitions)} if get_origin(key) is Literal else {}
    values = _of_type(value, definitions)
    return {"type": "object", **names, **({"additionalProperties": values} if values else {})}


def _of_dataclass(kind: type, definitions: dict[str, Any]) -> dict[str, Any]:
    if kind is Metrics:
        return _of_metrics()
    properties: dict[str, Any] = {}
    required: list[str] = []
    hints, comments = typing.get_type_hints(kind, include_extras=True), _read_comments(kind)
    for one in dataclasses.fields(kind):
        if one.metadata.get("flat"):
            inner = _of_dataclass(hints[one.name], definitions)
            properties |= inner["properties"]
            required += inner["required"]
            continue
        content = _of_type(_required_type(one, hints[one.name]), definitions)
        if one.name in comments:
            content["description"] = comments[one.name]
        properties[one.name] = content
        if one.default is dataclasses.MISSING:
            required.append(one.name)
    return {
        "description": (inspect.getdoc(kind) or "").partition("\n\n")[0].replace("\n", " "),
        **_object(properties, required),
    }


def _required_type(one: dataclasses.Field, kind: Any) -> Any:
    """The type of a field where it is written: one that is left out where it is None is never null."""
    if one.default is None and get_origin(kind) in (Union, types.UnionType):
        return Union[tuple(part for part in get_args(kind) if part is not type(None))]  # noqa: UP007
    return kind


def _of_metrics() -> dict[str, Any]:
    """The schema of `Metrics`, from the table of metrics."""
    count = {"type": "integer", "minimum": 0}
    properties = {
        "n": count,
        "positives": {**count, "description": "fakes"},
        "threshold": {
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "description": "a score of at least this is called fake",
        },
        **{metric.name: _of_metric(metric) for metric in table.METRICS},
        "missing": {"type": "string", "description": "why some are null"},
    }
    return {"description": "All metrics of one sample.", **_object(properties, list(properties))}


def _of_metric(metric: Metric) -> dict[str, Any]:
    better = {"higher": " Higher is better.", "lower": " Lower is better.", "none": ""}[metric.direction]
    title = f"{metric.title}: " if metric.title else ""
    limits = {"minimum": metric.minimum, "maximum": metric.maximum}
    return {
        "type": _type_of_metric(metric),
        **{name: limit for name, limit in limits.items() if limit is not None},
        "description": title + metric.description.format(at="the threshold") + better,
    }


def _type_of_metric(metric: Metric) -> str | list[str]:
    """Counts are never null, except where sources are unknown."""
    kind = "integer" if metric.integer else "number"
    return kind if metric.integer and not metric.needs_sources else [kind, "null"]


def _object(properties: Mapping[str, Any], required: Sequence[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


def _read_comments(kind: type) -> dict[str, str]:
    """Comments behind the fields of a class, by field."""
    found, name = {}, ""
    for token in tokenize.generate_tokens(io.StringIO(inspect.getsource(kind)).readline):
        if token.type == tokenize.NAME and not token.line[: token.start[1]].strip():
            name = token.string
        elif token.type == tokenize.COMMENT and token.line[: token.start[1]].strip():
            found[name] = token.string.removeprefix("#").strip()
    return {field.name: found[field.name] for field in dataclasses.fields(kind) if field.name in found}


if __name__ == "__main__":
    main()
