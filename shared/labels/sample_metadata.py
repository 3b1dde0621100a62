"""What a sample's metadata says of where it comes from, and of whom it may speak."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from shared.labels.faults import Fault, pointer_of, quoted
from shared.labels.spec import ProjectSpec

MAX_WORDS = 500


def metadata_faults(spec: ProjectSpec, metadata: Mapping[str, object]) -> list[Fault]:
    """Check the entries of metadata that have a meaning; all others are the sender's own.

    ``channel`` and ``licence`` are texts. ``captured_at`` is a time with its zone (RFC 3339). ``consent`` is an object
    whose ``given`` says whether the people in the sample agreed. ``demographics`` has only attributes and values that
    the project declares, and only with consent.

    Args:
        spec: The project.
        metadata: As submitted.

    Returns:
        All faults, with pointers below ``/metadata``.
    """
    faults = [
        _fault((name,), "wrong-type", f"{name} is a text of 1 to {MAX_WORDS} characters, not {quoted(metadata[name])}.")
        for name in ("channel", "licence")
        if name in metadata and not _is_text(metadata[name])
    ]
    if "captured_at" in metadata and not _is_time(metadata["captured_at"]):
        message = (
            f"captured_at is a time with its zone, as 2026-11-24T08:00:00Z, not {quoted(metadata['captured_at'])}."
        )
        faults.append(_fault(("captured_at",), "wrong-type", message))
    faults += _consent_faults(metadata)
    return faults + _demographic_faults(spec, metadata)


def _consent_faults(metadata: Mapping[str, object]) -> list[Fault]:
    if "consent" not in metadata:
        return []
    consent = metadata["consent"]
    given = consent.get("given") if isinstance(consent, Mapping) else None
    if not isinstance(given, bool):
        message = 'consent is an object like {"given": true, "purpose": "..."}; say whether it is given.'
        return [_fault(("consent",), "wrong-type", message)]
    if not given:
        message = "The people in the sample have not consented, so it cannot be labeled; leave it out."
        return [_fault(("consent", "given"), "no-consent", message)]
    return []


def _demographic_faults(spec: ProjectSpec, metadata: Mapping[str, object]) -> list[Fault]:
    if "demographics" not in metadata:
        return []
    told = metadata["demographics"]
    if not isinstance(told, Mapping):
        message = f"demographics is an object of values by attribute, not {quoted(told)}."
        return [_fault(("demographics",), "wrong-type", message)]
    faults = []
    if told and "consent" not in metadata:
        message = (
            'Demographic attributes need consent; send "consent": {"given": true} if there is, else leave them out.'
        )
        faults.append(_fault(("demographics",), "no-consent", message))
    for attribute, value in told.items():
        allowed = spec.demographics.get(str(attribute))
        if allowed is None:
            declared = ", ".join(map(quoted, spec.demographics)) or "none"
            message = (
                f"{quoted(attribute)} is not declared under the project's demographics ({declared}); leave it out."
            )
            faults.append(_fault(("demographics", str(attribute)), "undeclared-attribute", message))
        elif value not in allowed:
            message = f"{quoted(value)} is no value of {attribute}; it takes {', '.join(map(quoted, allowed))}."
            faults.append(_fault(("demographics", str(attribute)), "unknown-value", message))
    return faults


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value.strip()) > 0 and len(value) <= MAX_WORDS


def _is_time(value: object) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _fault(path: tuple[str, ...], code: str, message: str) -> Fault:
    return Fault(pointer=pointer_of(("metadata", *path)), code=code, message=message)
