"""JSON schemas: what is checked in is what the dataclasses give."""

import dataclasses

import jsonschema
import pytest

from lipfd_jax.tools import schemas
from lipfd_jax.tools.schemas import FILES, format_schema, generate_schemas


@dataclasses.dataclass
class Odd:
    """Odd."""

    value: complex


@pytest.mark.parametrize("name", FILES)
def test_the_checked_in_schema_is_the_generated_one(name):
    message = "run python -m lipfd_jax.tools.schemas"
    assert FILES[name].read_text(encoding="utf-8") == format_schema(generate_schemas()[name]), message


@pytest.mark.parametrize("name", FILES)
def test_schemas_are_valid_and_refuse_other_keys(name):
    schema = generate_schemas()[name]
    jsonschema.Draft202012Validator.check_schema(schema)
    for content in (schema, *schema["$defs"].values()):
        assert content["additionalProperties"] is False
        assert set(content["required"]) <= set(content["properties"])


def test_a_type_without_a_schema_is_refused():
    with pytest.raises(TypeError, match="complex"):
        schemas._of_dataclass(Odd, {})
