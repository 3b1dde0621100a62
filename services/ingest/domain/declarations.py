"""Whether what came is what was declared; where not, an error states both."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from services.ingest.domain.rejection import MediaRejectedError
from shared.declared import Declared
from shared.events.samples import AssetSource
from shared.labels.facts import AssetFacts
from shared.labels.faults import Fault
from shared.labels.pii.screening import ABOUT_THE_ORIGINAL

_TOLERANCES = {"duration": 0.1, "frame_rate": 0.01, "sample_rate": 0.01}
"""Seconds and hertz by which what is declared may differ: tools round, and count padding or not."""


_OF_FILE = frozenset({"size", "sha256"})
"""What is declared of the file as it was sent, though a copy of it is served."""


def declared_faults(
    sources: Mapping[str, AssetSource], assets: Mapping[str, AssetFacts], masked: Collection[str]
) -> list[Fault]:
    """Hold what the sender knows of the assets against what was found.

    Args:
        sources: As submitted, by slot.
        assets: What was found, by slot.
        masked: Slots whose texts or records are not what was sent.

    Returns:
        A fault for each fact that differs, with pointers into the sample.
    """
    return [
        fault.model_copy(update={"pointer": f"/assets/{slot}{fault.pointer}"})
        for slot, source in sources.items()
        if source.facts and slot in assets
        for fault in contradictions(source.facts, assets[slot], is_masked=slot in masked)
    ]


def contradictions(
    declared: Mapping[str, int | float | str], facts: AssetFacts, *, is_masked: bool = False
) -> list[Fault]:
    """Compare what a sample says of an asset with what was found.

    Args:
        declared: By the name of the fact.
        facts: What was found; a fact that was not measured contradicts nothing.
        is_masked: They are of a masked text, whose size and hash are not those of what was sent.

    Returns:
        A fault for each that differs, stating both, with pointers below the asset.
    """
    original = facts.original
    found = {
        name: getattr(original if original and name in _OF_FILE else facts, name)
        for name in declared
        if not (is_masked and name in ABOUT_THE_ORIGINAL)
    }
    return [
        Fault(
            pointer=f"/facts/{name}",
            code="contradicted",
            message=f"{name} is declared as {stated}, but {found[name]} was found; correct it, or send the file that was meant.",
        )
        for name, stated in declared.items()
        if found.get(name) is not None and not _is_same(name, stated, found[name])
    ]


def _is_same(name: str, stated: float | str, found: float | str) -> bool:
    if isinstance(stated, str) or isinstance(found, str):
        return stated == found
    return (
        math.isclose(stated, found, rel_tol=0.001, abs_tol=_TOLERANCES[name])
        if name in _TOLERANCES
        else stated == found
    )


def require_size(declared: Declared, size: int) -> None:
    """Refuse a file of another size than was declared, before it is fetched.

    Raises:
        MediaRejectedError: ``wrong-size``.
    """
    if declared.size is not None and declared.size != size:
        raise MediaRejectedError(
            "wrong-size",
            f"The upload was declared with {declared.size} bytes, but {size} have arrived; upload the whole file again.",
        )


def require_checksum(declared: Declared, sha256: str) -> None:
    """Refuse a file whose bytes are not those that were declared.

    Raises:
        MediaRejectedError: ``wrong-checksum``.
    """
    if declared.sha256 is not None and declared.sha256 != sha256:
        raise MediaRejectedError(
            "wrong-checksum",
            f"The upload was declared with SHA-256 {declared.sha256}, but the file that has arrived has {sha256}; "
            "upload it again.",
        )
