"""What is true of a text: its characters in Unicode's NFC, on which spans count."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from services.ingest.domain.finding import Finding
from services.ingest.domain.language import detect_language
from services.ingest.domain.rejection import MediaRejectedError
from shared.labels.facts import AssetFacts
from shared.labels.kinds.turns import count_turns
from shared.labels.pii.model import PiiFinding, UndecidableError
from shared.labels.pii.screening import screen_text
from shared.labels.policies import PiiPolicy
from shared.labels.sample import normalized_text, text_faults
from shared.labels.spec import MAX_TEXT_CHARS, AssetSpec
from shared.labels.text_details import text_details

MAX_TEXT_BYTES = 10 * MAX_TEXT_CHARS
"""No text of :data:`MAX_TEXT_CHARS` is longer, not even decomposed Hangul with nine bytes a character."""


def probe_text(path: Path, policy: PiiPolicy | None = None) -> Finding:
    """Read a text file.

    Args:
        path: The file, in UTF-8 with or without a byte order mark; line ends are kept as they are.
        policy: What becomes of personal data in it; None where it is not looked for.

    Returns:
        ``text`` in NFC, just as a text that comes inside a sample is kept, ``text_length``, its number of code
        points (the coordinates of spans), and ``turns``, its number of lines that are not blank. Of the details: how
        the file was encoded, its normal form before it was brought into NFC, the number of graphemes (what people call
        characters), and the language that it seems to be in.

    Raises:
        MediaRejectedError: ``not-utf8``, ``nul-bytes``, ``too-long``, ``empty`` (nothing but white space), ``pii-found``,
            or ``pii-undecidable``.

    Source: Unicode Standard Annex #15, section 1.2 (NFC); Annex #29, section 3 (extended grapheme clusters).
    """
    size = path.stat().st_size
    if size > MAX_TEXT_BYTES:
        raise MediaRejectedError(
            "too-long",
            f"The text has {size} bytes, so more than {MAX_TEXT_CHARS} characters: split it into several samples.",
        )
    content = path.read_bytes()
    text = _decode_utf8(content)
    if "\0" in text:
        raise MediaRejectedError(
            "nul-bytes", f"Character {text.index(chr(0))} is a NUL, so this is not plain text; export it as text again."
        )
    faults = text_faults(AssetSpec(modality="text"), text)
    if faults:
        raise MediaRejectedError(faults[0].code, faults[0].message)
    normalized, pii = _screened(normalized_text(text), policy)
    is_masked = policy is not None and policy.action == "mask" and len(pii) > 0
    language, confidence = detect_language(normalized)
    encoding = "utf-8-sig" if content.startswith(codecs.BOM_UTF8) else "utf-8"
    details = text_details(text, normalized, encoding=encoding).model_copy(
        update={"detected_language": language, "language_confidence": confidence}
    )
    facts = AssetFacts(
        modality="text",
        text=normalized,
        text_length=len(normalized),
        **_stored(normalized) if is_masked else {},
        turns=count_turns(normalized),
        details=details,
    )
    return Finding(facts, pii=pii, is_masked=is_masked)


def _screened(text: str, policy: PiiPolicy | None) -> tuple[str, Sequence[PiiFinding]]:
    if policy is None:
        return text, ()
    try:
        screened = screen_text(policy, text)
    except UndecidableError as error:
        raise MediaRejectedError("pii-undecidable", str(error)) from error
    if screened.faults:
        first, *others = screened.faults
        raise MediaRejectedError(first.code, first.message + (f" So do {len(others)} more places." if others else ""))
    return screened.assets["text"], screened.findings


def _stored(text: str) -> dict[str, Any]:
    """Return size and hash of a masked text; those of the file would help to guess what was masked."""
    stored = text.encode()
    return {"size": len(stored), "sha256": sha256(stored).hexdigest()}


def _decode_utf8(content: bytes) -> str:
    """Decode UTF-8, with or without a byte order mark.

    Raises:
        MediaRejectedError: ``not-utf8``, with what it probably is instead and where it breaks.
    """
    other = _other_unicode(content)
    if other:
        raise MediaRejectedError("not-utf8", f"The file is encoded in {other}; save it as UTF-8.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MediaRejectedError(
            "not-utf8", f"Byte {error.start} is not valid UTF-8 ({error.reason}); save the file as UTF-8."
        ) from error


def _other_unicode(content: bytes) -> str | None:
    """Recognize UTF-16 and UTF-32 by their marks, and unmarked UTF-16 by the zeros in every other byte."""
    if content.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "UTF-32"
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "UTF-16"
    head = content[:4096]
    zeros = max(head[::2].count(0), head[1::2].count(0))
    return "UTF-16" if len(head) >= 4 and zeros * 2 > 0.8 * len(head) else None
