"""A number on a declared scale: helpfulness, quality."""

import math
from typing import Annotated, Literal

from pydantic import Field

from shared.labels.facts import AssetFacts
from shared.labels.faults import Fault, quoted
from shared.labels.kinds.kind import Checked, FieldOptions, JsonSchema, Kind, refused
from shared.labels.values import DECIMALS, Number, rounded

Step = Annotated[Number, Field(ge=10**-DECIMALS)]


class RatingOptions(FieldOptions):
    """Options of a rating."""

    kind: Literal["rating"]
    minimum: Number = Field(description="The lowest rating.")
    maximum: Number = Field(description="The highest rating.")
    step: Step | None = Field(None, description="Distance between ratings; any number without it.")

    def faults(self) -> list[Fault]:
        """Find a scale that is empty or whose maximum no step reaches."""
        if self.minimum >= self.maximum:
            message = f"minimum {self.minimum:g} must be less than maximum {self.maximum:g}."
            return [Fault(pointer="/maximum", code="out-of-range", message=message)]
        if self.step is not None and not _on_step(self.maximum, self.minimum, self.step):
            message = f"maximum {self.maximum:g} is no whole number of steps of {self.step:g} from {self.minimum:g}."
            return [Fault(pointer="/step", code="contradiction", message=message)]
        return []


def check_rating(options: RatingOptions, facts: AssetFacts | None, raw: object) -> Checked:
    """Check that a number is on the scale.

    Args:
        options: The field's options.
        facts: Not used; a rating is valid for any asset.
        raw: A number, whole or not; booleans are none.

    Returns:
        The rating as a float, rounded to a millionth.
    """
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        return refused("wrong-type", f"The rating must be a number, not {quoted(raw)}.")
    scale = f"{options.minimum:g} to {options.maximum:g}"
    if isinstance(raw, float) and not math.isfinite(raw):
        return refused("not-finite", f"The rating must be a finite number from {scale}.")
    if not options.minimum <= raw <= options.maximum:
        return refused("out-of-range", f"The rating must be from {scale}, not {quoted(raw)}.")
    if options.step is not None and not _on_step(raw, options.minimum, options.step):
        return refused("off-step", f"The rating must be from {scale} in steps of {options.step:g}, not {quoted(raw)}.")
    return Checked(rounded(float(raw)))


def rating_schema(options: RatingOptions) -> JsonSchema:
    """Describe the value as JSON Schema; its ``multipleOf`` holds only for scales that start at a multiple."""
    schema: JsonSchema = {"type": "number", "minimum": options.minimum, "maximum": options.maximum}
    if options.step is not None and _on_step(options.minimum, 0.0, options.step) and options.step.is_integer():
        schema["multipleOf"] = options.step
    return schema


def _on_step(number: float, minimum: float, step: float) -> bool:
    steps = (number - minimum) / step
    return abs(steps - round(steps)) < 1e-6


RATING = Kind(name="rating", options=RatingOptions, check=check_rating, json_schema=rating_schema)
