"""The demo's values: what is submitted, what is true of it, and what a project asks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

Fields = dict[str, Any]
"""Answers by field name, in the wire shapes of `labelmesh`'s API."""


class Bounds(BaseModel):
    """What an answer about an asset must stay within; what the asset has not is None."""

    model_config = ConfigDict(frozen=True)

    length: int | None = None
    """Unicode code points of a text."""
    width: int | None = None
    """Pixels of the stored original."""
    height: int | None = None
    duration: float | None = None
    """Seconds; of a sensor series from its first row to its last."""
    frames: int | None = None


class DemoAsset(BaseModel):
    """One slot of a sample: exactly one of a file to upload, a text, or a record."""

    model_config = ConfigDict(frozen=True)

    file: Path | None = None
    """Absolute path of the file."""
    media_type: str | None = None
    text: str | None = None
    record: dict[str, Any] | None = None
    bounds: Bounds = Bounds()

    @model_validator(mode="after")
    def _holds_one_thing(self) -> "DemoAsset":
        if sum(content is not None for content in (self.file, self.text, self.record)) != 1:
            raise ValueError("give exactly one of file, text and record")
        return self


class DemoSample(BaseModel):
    """A sample of the demo and, unless it is meant to be rejected, the answer that is true of it."""

    model_config = ConfigDict(frozen=True)

    project: str
    external_id: str
    assets: dict[str, DemoAsset]
    metadata: dict[str, Any]
    language: str
    truth: Fields | None
    """None for the corrupt sample, which no annotator will see."""
    confused_with: Mapping[str, str] = {}
    """Choice fields that annotators tend to get wrong together, and the wrong answer they tend to give."""

    @property
    def hard(self) -> bool:
        """Whether its first consensus is likely to be wrong."""
        return bool(self.confused_with)


class FieldSpec(BaseModel):
    """The part of a project's field that an annotator needs; the whole check is the server's."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: str
    asset: str | None = None
    options: tuple[str, ...] = ()
    multiple: bool = False
    labels: tuple[str, ...] = ()
    shapes: tuple[str, ...] = ()
    speaker: bool = False
    text: bool = False
    minimum: float = 1
    maximum: float = 5
    step: float = 1
    record_schema: dict[str, Any] = Field(default_factory=dict, alias="schema")


def fields_of(spec: Mapping[str, Any]) -> dict[str, FieldSpec]:
    """Read the fields of a project spec (as loaded from YAML or from a claim's answer).

    Raises:
        pydantic.ValidationError: A field has no kind or a part of the wrong type.
    """
    return {name: FieldSpec.model_validate(field) for name, field in spec["fields"].items()}
