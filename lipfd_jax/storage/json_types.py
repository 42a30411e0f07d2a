"""Types of values in JSON files, with limits that their generated schemas hold (tools/schemas.py)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any


@dataclass(frozen=True, eq=False)
class Keywords:
    """Keywords of JSON schema that a type alone does not give; an annotation of it."""

    get: Callable[[], Mapping[str, Any]]


def limit(**keywords: float) -> Keywords:
    """Keywords such as minimum, maximum, minItems."""
    return Keywords(lambda: keywords)


Count = Annotated[int, limit(minimum=0)]
Share = Annotated[float, limit(minimum=0, maximum=1)]
