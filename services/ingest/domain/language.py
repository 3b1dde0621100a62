"""The language that a text seems to be in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from io import BytesIO
from types import SimpleNamespace
from typing import Any

from shared.catalog import Catalog
from shared.events.samples import SampleSubmitted
from shared.labels.facts import AssetFacts

_ENOUGH_LETTERS = 20
_LOOKED_AT = 20_000
"""Characters; more make it no surer."""


def detect_language(text: str) -> tuple[str | None, float | None]:
    """Guess the language of a text.

    Args:
        text: Any text.

    Returns:
        The ISO 639-1 code and how sure the guess is, from 0 to 1; None and None for texts of less than 20 letters and
        for what is no language.

    Source: M. Lui and T. Baldwin, "langid.py: An Off-the-shelf Language Identification Tool" (2012).
    """
    beginning = text[:_LOOKED_AT]
    if sum(map(str.isalpha, beginning)) < _ENOUGH_LETTERS:
        return None, None
    language, confidence = _identifier().classify(beginning)
    return (None, None) if language == "zxx" else (str(language), round(float(confidence), 4))


def with_languages(
    assets: Mapping[str, AssetFacts | None], languages: Mapping[str, tuple[str | None, float | None]]
) -> Mapping[str, AssetFacts | None]:
    """Add to the facts of texts, by slot, the languages that they seem to be in."""
    if not languages:
        return assets
    told = {}
    for slot, facts in assets.items():
        if facts is not None and facts.details is not None and slot in languages:
            language, confidence = languages[slot]
            found = {"detected_language": language, "language_confidence": confidence}
            told[slot] = facts.model_copy(update={"details": facts.details.model_copy(update=found)})
    return {**assets, **told}


def detect_languages(events: Sequence[SampleSubmitted], catalog: Catalog) -> list[SampleSubmitted]:
    """Detect the languages of the texts inside samples, for projects that want it.

    Args:
        events: A batch; it takes 0.2 ms or more a text, so call it in a thread.
        catalog: The projects; a version that it does not know wants nothing.
    """
    return [_detected(event) if wants_languages(event, catalog) else event for event in events]


def wants_languages(event: SampleSubmitted, catalog: Catalog) -> bool:
    """Tell whether a sample's project wants the languages of its texts detected."""
    known = (event.tenant_id, event.project_id, event.project_version)
    return catalog.knows(*known) and catalog.version(*known).spec.intake.detect_language


def _detected(event: SampleSubmitted) -> SampleSubmitted:
    texts = {slot: source.text for slot, source in event.assets.items() if source.text is not None}
    languages = {slot: detect_language(text) for slot, text in texts.items()}
    return event.model_copy(update={"languages": languages})


@cache
def _identifier() -> Any:
    from py3langid import langid, modelio  # the model takes a second and 100 MB: where needed

    # Its loader unpacks the model into a temporary file, and a probe worker may write none.
    modelio.tempfile = SimpleNamespace(TemporaryFile=lambda suffix: BytesIO())
    return langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)
