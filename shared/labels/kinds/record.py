"""Values under a JSON Schema of the project's own: metadata, structured documents."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

from pydantic import Field

from shared.labels.canonical import canonical_json
from shared.labels.facts import AssetFacts
from shared.labels.faults import Fault, quoted, under
from shared.labels.json_schema import Validator, schema_faults
from shared.labels.json_values import check_json
from shared.labels.kinds.kind import Checked, FieldOptions, JsonSchema, Kind, checked, refused

MAX_RECORD_BYTES = 256 * 1024


class RecordOptions(FieldOptions):
    """Options of a record."""

    kind: Literal["record"]
    json_schema: Mapping[str, Any] = Field(
        alias="schema", description="JSON Schema 2020-12 of the record; references stay within it."
    )

    @cached_property
    def validator(self) -> Validator:
        """The compiled schema."""
        return Validator(self.json_schema)

    def faults(self) -> list[Fault]:
        """Find why the schema cannot be used."""
        return under("/schema", schema_faults(self.json_schema))


def check_record(options: RecordOptions, facts: AssetFacts | None, raw: object) -> Checked:
    """Check an object against the field's schema.

    Args:
        options: The field's options.
        facts: Not used; the schema alone decides.
        raw: A JSON object.

    Returns:
        The object with whole floats as integers; its keys are sorted when it is written canonically.
    """
    if not isinstance(raw, dict):
        return refused("wrong-type", f"The value must be an object, not {quoted(raw)}.")
    kept = check_json(raw)
    if kept.faults:
        return checked(None, kept.faults)
    size = len(canonical_json(kept.value))
    if size > MAX_RECORD_BYTES:
        return refused("too-long", f"The record has {size} bytes; at most {MAX_RECORD_BYTES} are allowed.")
    return checked(
        kept.value,
        [
            Fault(pointer=found.pointer, code=f"schema-{found.keyword}", message=found.message)
            for found in options.validator.violations(kept.value)
        ],
    )


def record_schema(options: RecordOptions) -> JsonSchema:
    """Describe the value as JSON Schema: the project's own, told that it is an object."""
    return {"type": "object", **options.json_schema}


RECORD = Kind(name="record", options=RecordOptions, check=check_record, json_schema=record_schema)
