"""Lines of NDJSON as models, or all that is wrong with them."""

from __future__ import annotations

from typing import Any, Final, NamedTuple, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from shared.http import pointer_of_location
from shared.labels import json_values
from shared.labels.faults import Fault

KEPT_OF_TOO_LONG: Final = 16 * 1024
"""So much is kept of a line that is too long to be taken; of all others that failed, the whole."""

M = TypeVar("M", bound=BaseModel)


class Line(NamedTuple):
    """One line of a body, numbered from 1."""

    number: int
    text: bytes
    faults: tuple[Fault, ...] = ()
    """What is wrong with it already, where it was made of a row that cannot be one."""

    def source(self, max_line_bytes: int) -> str:
        """Return the line as it was sent, for the list of errors; only its beginning where it is too long."""
        kept = self.text if len(self.text) <= max_line_bytes else self.text[:KEPT_OF_TOO_LONG]
        return kept.decode("utf-8", "replace")


def read_json(line: Line, max_line_bytes: int) -> Any | list[Fault]:
    """Return what a line holds; a list is never a line's content, but what is wrong with it."""
    if len(line.text) > max_line_bytes:
        message = f"The line is longer than {max_line_bytes} bytes; send its media as uploads."
        return [Fault(pointer="", code="line-too-long", message=message)]
    try:
        found = json_values.read_json(line.text)
    except orjson.JSONDecodeError as error:
        return [Fault(pointer="", code="invalid-json", message=f"The line is no JSON: {error}.")]
    if isinstance(found, list):
        message = "The line is a list; write each of its entries as a line of its own."
        return [Fault(pointer="", code="wrong-type", message=message)]
    return found


def parse_line(line: Line, model: type[M], max_line_bytes: int) -> M | list[Fault]:
    """Return the line as a model, or all that is wrong with its shape.

    A line from a job's list of errors is taken for the line that it tells of, so that the list can be corrected and
    sent again as it is.
    """
    raw = list(line.faults) or read_json(line, max_line_bytes)
    if isinstance(raw, list):
        return raw
    if isinstance(raw, dict) and "source" in raw and {"line", "outcome", "faults"} <= raw.keys():
        raw = raw["source"]
        if isinstance(raw, str):
            raw = read_json(Line(line.number, raw.encode()), max_line_bytes)
            if isinstance(raw, list):
                return [fault.model_copy(update={"pointer": "/source"}) for fault in raw]
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        return shape_faults(error)


def shape_faults(error: ValidationError) -> list[Fault]:
    """Return pydantic's findings as faults."""
    return [
        Fault(pointer=pointer_of_location(each["loc"]), code=each["type"].replace("_", "-"), message=each["msg"])
        for each in error.errors(include_url=False)
    ]
