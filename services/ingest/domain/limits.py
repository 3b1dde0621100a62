"""Whether an asset keeps the limits that the project sets for its slot."""

from __future__ import annotations

from shared.labels.facts import AssetFacts
from shared.labels.faults import Fault
from shared.labels.spec import AssetSpec


def check_limits(spec: AssetSpec, facts: AssetFacts) -> list[Fault]:
    """Compare what was found with what the slot takes.

    Args:
        spec: The slot; a limit that is None is none.
        facts: What the probe found; a fact that is None is not checked (a text inside a sample has no bytes of its own).

    Returns:
        All that is exceeded, with pointers relative to the asset; a value equal to its limit is within it.
    """
    faults = []
    if facts.modality != spec.modality:
        message = f"The slot asks for {spec.modality}, but this is {facts.modality}; send it to another slot."
        faults.append(Fault(pointer="", code="wrong-type", message=message))
    if spec.max_bytes is not None and facts.size is not None and facts.size > spec.max_bytes:
        faults.append(
            _fault("too-many-bytes", f"The file has {facts.size} bytes; the project takes at most {spec.max_bytes}.")
        )
    if spec.max_seconds is not None and facts.duration is not None and facts.duration > spec.max_seconds:
        faults.append(
            _fault("too-long", f"It lasts {facts.duration:.3f} s; the project takes at most {spec.max_seconds:g} s.")
        )
    if spec.max_chars is not None and facts.text_length is not None and facts.text_length > spec.max_chars:
        faults.append(
            _fault(
                "too-long",
                f"The text has {facts.text_length} characters; the project takes at most {spec.max_chars}.",
            )
        )
    return faults


def _fault(code: str, found: str) -> Fault:
    return Fault(pointer="", code=code, message=f"{found} Send a smaller asset, or raise the limit in the project.")
