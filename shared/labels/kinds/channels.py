"""Which channels of a sensor series an interval or a moment is about."""

from collections.abc import Sequence

from shared.labels.facts import AssetFacts
from shared.labels.faults import quoted, suggestion
from shared.labels.kinds.kind import JsonSchema, Problem

MAX_CHANNELS = 1_000

CHANNELS_SCHEMA: JsonSchema = {
    "type": "array",
    "items": {"type": "string", "minLength": 1, "maxLength": 200},
    "minItems": 1,
    "maxItems": MAX_CHANNELS,
    "uniqueItems": True,
}


def channel_problems(given: Sequence[str], facts: AssetFacts | None, *, asked: bool) -> list[Problem]:
    """Find channels that are not there, or named twice.

    Args:
        given: Names of channels.
        facts: Facts of the asset; unknown names are not checked against.
        asked: Whether the field asks for channels at all.

    Returns:
        The problems, with paths relative to the item.
    """
    if not asked:
        return [Problem("/channels", "not-asked", "this field asks for no channels; leave them out.")]
    if len(set(given)) < len(given):
        return [Problem("/channels", "duplicate", "a channel is named twice; name each once.")]
    if facts is None:
        return []
    if facts.modality != "sensor":
        message = f"only sensor series have named channels, and the asset is {facts.modality}; leave them out."
        return [Problem("/channels", "not-asked", message)]
    if facts.channel_names is None:
        return []
    return [
        Problem(
            f"/channels/{position}",
            "unknown-channel",
            f"{quoted(name)} is not a channel of the series; {suggestion(name, facts.channel_names)}",
        )
        for position, name in enumerate(given)
        if name not in facts.channel_names
    ]
