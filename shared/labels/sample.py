"""Checks a sample as it is submitted: what goes into the slots of a project."""

import unicodedata
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from shared.labels.canonical import canonical_json
from shared.labels.facts import TIMED, AssetFacts, Clock, Modality
from shared.labels.faults import MAX_FAULTS, Fault, bounded, listed, pointer_of, quoted, suggestion, under
from shared.labels.json_schema import record_faults
from shared.labels.json_values import check_json
from shared.labels.kinds.ranking import MAX_CANDIDATES
from shared.labels.kinds.turns import MAX_TURNS, count_turns
from shared.labels.languages import is_of
from shared.labels.spec import MAX_TEXT_CHARS, AssetSpec, ProjectSpec
from shared.labels.text_details import text_details
from shared.labels.values import has_lone_surrogate

MAX_RECORD_BYTES = 256 * 1024
MAX_ID_CHARS = 200
MAX_URI_CHARS = 2000
MOST_COUNTED = 20_000
"""Code points of a text that came inside a sample and holds characters that join, beyond which its graphemes are not
counted: 20 ms of the loop on which all samples come in."""

DECLARABLE = (
    "media_type",
    "size",
    "sha256",
    "text_length",
    "width",
    "height",
    "duration",
    "sample_rate",
    "channels",
    "frames",
    "frame_rate",
    "rows",
)
"""What a sender may state of an asset, to be held against what is found."""
_BESIDE = frozenset({"language", "facts", "etag"})
"""What may stand in a source beside the source itself."""

_SOURCES: Mapping[Modality, tuple[str, ...]] = {
    "text": ("text", "upload", "uri"),
    "image": ("upload", "uri"),
    "audio": ("upload", "uri"),
    "video": ("upload", "uri"),
    "sensor": ("upload", "uri"),
    "document": ("upload", "uri"),
    "record": ("record",),
}


def check_sample(spec: ProjectSpec, assets: Mapping[str, object], language: str | None = None) -> list[Fault]:
    """Check a submitted sample's assets against the project's slots.

    Args:
        spec: The project version the sample is submitted under.
        assets: By slot, one source each: ``{"upload": id}``, ``{"text": "..."}`` or ``{"record": {...}}``.
        language: BCP 47; None where the sample does not say.

    Returns:
        Every fault, with pointers below ``/assets``, or at ``/language`` for a language that a slot does not take. What an upload holds is checked when it is ingested.
    """
    if not isinstance(assets, Mapping):
        message = f"assets must be an object of sources by slot, not {quoted(assets)}."
        return [Fault(pointer="/assets", code="wrong-type", message=message)]
    faults = [
        _fault((slot,), "missing-asset", f"The asset {quoted(slot)} ({asset.modality}) is required; add it.")
        for slot, asset in spec.assets.items()
        if asset.required and slot not in assets
    ]
    used = _uses_of_records(spec)
    for slot, source in assets.items():
        if len(faults) > MAX_FAULTS:  # nobody reads more, and each takes time to tell
            break
        if slot not in spec.assets:
            message = f"{quoted(slot)} is not an asset of this project; {suggestion(slot, spec.assets)}"
            faults.append(_fault((slot,), "unknown-asset", message))
        else:
            faults.extend(_source_faults(slot, spec.assets[slot], source, used.get(slot, frozenset())))
            own = source.get("language") if isinstance(source, Mapping) else None
            faults.extend(_language_faults(slot, spec.assets[slot], language, own))
    return bounded(faults)


def schema_violations(spec: ProjectSpec, assets: Mapping[str, Any]) -> list[Fault]:
    """Hold the records of a sound sample against the schemas of their slots.

    Args:
        spec: The project version the sample is submitted under.
        assets: By slot, sources that ``check_sample`` found sound; as they were sent, for a masked address is none.

    Returns:
        All that breaks a rule, with pointers below ``/assets``.
    """
    faults: list[Fault] = []
    for slot, source in assets.items():
        asset = spec.assets[slot]
        if asset.json_schema is not None and "record" in source:
            found = record_faults(asset.json_schema, asset.validator, source["record"])
            faults += under(pointer_of(("assets", slot, "record")), found)
    return bounded(faults)


def clock_faults(spec: ProjectSpec, clocks: Mapping[str, Clock]) -> list[Fault]:
    """Check the clocks that a sample gives for its assets.

    Args:
        spec: The project version the sample is submitted under.
        clocks: By slot, as they came.

    Returns:
        A fault, with a pointer below ``/clocks``, per slot that is unknown or whose labels have no times.
    """
    faults = []
    for slot in sorted(clocks):
        pointer = pointer_of(("clocks", slot))
        if slot not in spec.assets:
            message = f"{quoted(slot)} is not an asset of this project; {suggestion(slot, spec.assets)}"
            faults.append(Fault(pointer=pointer, code="unknown-asset", message=message))
        elif spec.assets[slot].modality not in TIMED:
            message = f"A clock means nothing for {quoted(slot)}, which is {spec.assets[slot].modality}; leave it out."
            faults.append(Fault(pointer=pointer, code="contradiction", message=message))
    return bounded(faults)


def inline_facts(asset: AssetSpec, source: Mapping[str, Any]) -> AssetFacts | None:
    """Measure an asset that came inside the sample.

    Args:
        asset: The slot's spec.
        source: A source that ``check_sample`` found sound.

    Returns:
        The facts of a text (normalized to NFC, which spans count on, with its length in code points and the
        details that take next to no time) or of a record
        (with the ids of its candidates and its number of turns); None for uploads, whose facts ingest measures.
    """
    if "text" in source:
        text = normalized_text(source["text"])
        stored = text.encode("utf-8")
        return AssetFacts(
            modality=asset.modality,
            media_type="text/plain; charset=utf-8",
            size=len(stored),
            sha256=sha256(stored).hexdigest(),
            text=text,
            text_length=len(text),
            turns=count_turns(text),
            details=text_details(source["text"], text, most=MOST_COUNTED),
        )
    if "record" in source:
        record = check_json(source["record"]).value
        stored = canonical_json(record)
        return AssetFacts(
            modality=asset.modality,
            media_type="application/json",
            size=len(stored),
            sha256=sha256(stored).hexdigest(),
            record=record,
            candidates=_candidate_ids(record.get("candidates")),
            turns=count_turns(record),
        )
    return None


def normalized_text(text: str) -> str:
    """Bring a text asset into the form that is stored and that spans count on.

    Args:
        text: Unicode text without lone surrogates.

    Returns:
        The text in NFC. Line ends stay as they are: what annotators see must be what was given.
    """
    return unicodedata.normalize("NFC", text)


def text_faults(asset: AssetSpec, text: str) -> list[Fault]:
    """Check a text asset, wherever it came from.

    Args:
        asset: The slot's spec.
        text: The text.

    Returns:
        Faults with pointers into the text's source: empty, too long, or no valid Unicode.
    """
    most = MAX_TEXT_CHARS if asset.max_chars is None else asset.max_chars
    if not text.strip():
        return [Fault(pointer="", code="empty", message="The text is empty; there is nothing to label.")]
    if has_lone_surrogate(text) or "\x00" in text:
        message = "The text holds half a character (a lone surrogate) or a NUL; send valid Unicode text."
        return [Fault(pointer="", code="malformed", message=message)]
    # A text four times too long is so in any normalization; normalizing it would cost time for nothing.
    length = len(text) if len(text) > 4 * most else len(normalized_text(text))
    if length > most:
        message = f"The text has {length} characters; this asset takes at most {most}, split the sample."
        return [Fault(pointer="", code="too-long", message=message)]
    return []


def _source_faults(slot: str, asset: AssetSpec, source: object, kinds: frozenset[str]) -> list[Fault]:
    wanted = _SOURCES[asset.modality]
    sources = " or ".join(wanted)
    named = {key: value for key, value in source.items() if key not in _BESIDE} if isinstance(source, Mapping) else {}
    if not isinstance(source, Mapping) or len(named) != 1:
        message = f"{quoted(slot)} must be an object with exactly one source ({sources}), not {quoted(source)}."
        return [_fault((slot,), "wrong-type", message)]
    facts = source.get("facts")
    unknown = [name for name in facts if name not in DECLARABLE] if isinstance(facts, Mapping) else []
    if unknown:
        message = f"{quoted(unknown[0])} is no fact that can be declared; {suggestion(str(unknown[0]), DECLARABLE)}"
        return [_fault((slot, "facts"), "unknown-fact", message)]
    [(kind, given)] = named.items()
    if "etag" in source and not str(given).startswith("s3://"):
        message = "etag says which object of a bucket is meant; leave it out of what has no s3:// address."
        return [_fault((slot, "etag"), "contradiction", message)]
    if kind not in wanted:
        known = kind in {"text", "upload", "record", "uri"}
        code = "wrong-source" if known else "unknown-key"
        message = f"{quoted(slot)} is {asset.modality} and takes {sources}, not {quoted(kind)}."
        return [_fault((slot, kind), code, message)]
    if kind == "record":
        return under(pointer_of(("assets", slot, kind)), _record_faults(given, kinds))
    if not isinstance(given, str):
        return [_fault((slot, kind), "wrong-type", f"{kind} must be a string, not {quoted(given)}.")]
    if kind == "text":
        return under(pointer_of(("assets", slot, kind)), text_faults(asset, given))
    if kind == "uri":
        return under(pointer_of(("assets", slot, kind)), _uri_faults(given))
    if not given or len(given) > MAX_ID_CHARS or not given.isascii() or not given.isprintable():
        message = "upload must be the id that POST /v1/uploads has given."
        return [_fault((slot, kind), "malformed", message)]
    return []


def _uses_of_records(spec: ProjectSpec) -> dict[str, frozenset[str]]:
    """Return the kinds of the fields about each slot: what a record must hold depends on them."""
    kinds: dict[str, set[str]] = {}
    for options in spec.fields.values():
        if options.asset is not None:
            kinds.setdefault(options.asset, set()).add(options.kind)
    return {slot: frozenset(found) for slot, found in kinds.items()}


def _language_faults(slot: str, asset: AssetSpec, of_sample: str | None, own: object) -> list[Fault]:
    language = own if isinstance(own, str) else of_sample
    if language is None or not asset.languages or any(is_of(language, taken) for taken in asset.languages):
        return []
    message = f"{quoted(slot)} takes {listed(asset.languages)}, and it is in {quoted(language)}."
    pointer = "/language" if own is None else pointer_of(("assets", slot, "language"))
    return [Fault(pointer=pointer, code="unknown-language", message=message)]


def _uri_faults(uri: str) -> list[Fault]:
    if len(uri) > MAX_URI_CHARS or not uri.isascii() or not uri.isprintable() or " " in uri:
        message = f"uri must be at most {MAX_URI_CHARS} printable ASCII characters; percent-encode the others."
        return [Fault(pointer="", code="malformed", message=message)]
    if not uri.startswith(("s3://", "https://")):
        message = "uri must begin with s3:// (a registered bucket) or https://; upload the file otherwise."
        return [Fault(pointer="", code="unsupported-source", message=message)]
    return []


def _record_faults(record: object, kinds: frozenset[str]) -> list[Fault]:
    if not isinstance(record, Mapping):
        message = f"A record must be an object, not {quoted(record)}."
        return [Fault(pointer="", code="wrong-type", message=message)]
    kept = check_json(dict(record))
    if kept.faults:
        return kept.faults
    size = len(canonical_json(kept.value))
    if size > MAX_RECORD_BYTES:
        message = f"The record has {size} bytes; at most {MAX_RECORD_BYTES} are allowed."
        return [Fault(pointer="", code="too-long", message=message)]
    # Without a field that needs them, a record may call anything "candidates" or "turns".
    faults = under("/candidates", _candidate_faults(record.get("candidates"))) if "ranking" in kinds else []
    return faults + (under("/turns", _turn_faults(record.get("turns"))) if "turns" in kinds else [])


def _turn_faults(turns: object) -> list[Fault]:
    if not isinstance(turns, Sequence) or isinstance(turns, str):
        message = f'turns must be a list of objects like {{"speaker": "A", "text": "..."}}, not {quoted(turns)}.'
        return [Fault(pointer="", code="wrong-type", message=message)]
    if not 1 <= len(turns) <= MAX_TURNS:
        message = f"There are {len(turns)} turns; a conversation needs 1 to {MAX_TURNS}."
        return [Fault(pointer="", code="out-of-range", message=message)]
    return [
        Fault(pointer=f"/{position}", code="wrong-type", message=f"Turn {position} must be an object.")
        for position, turn in enumerate(turns)
        if not isinstance(turn, Mapping)
    ]


def _candidate_ids(candidates: Any) -> tuple[str, ...] | None:
    if _candidate_faults(candidates):
        return None
    return tuple(candidate["id"] for candidate in candidates)


def _candidate_faults(candidates: object) -> list[Fault]:
    if not isinstance(candidates, Sequence) or isinstance(candidates, str):
        message = f'candidates must be a list of objects like {{"id": "A", "text": "..."}}, not {quoted(candidates)}.'
        return [Fault(pointer="", code="wrong-type", message=message)]
    if not 2 <= len(candidates) <= MAX_CANDIDATES:
        message = f"There are {len(candidates)} candidates; a ranking needs 2 to {MAX_CANDIDATES}."
        return [Fault(pointer="", code="out-of-range", message=message)]
    faults = []
    seen: set[str] = set()
    for position, candidate in enumerate(candidates):
        name = candidate.get("id") if isinstance(candidate, Mapping) else None
        if not isinstance(name, str) or not name or len(name) > MAX_ID_CHARS or not name.isprintable():
            message = f"Candidate {position} needs an id, a string of 1 to {MAX_ID_CHARS} printable characters."
            faults.append(Fault(pointer=f"/{position}/id", code="malformed", message=message))
        elif name in seen:
            message = f"{quoted(name)} names two candidates; give each its own id."
            faults.append(Fault(pointer=f"/{position}/id", code="duplicate", message=message))
        else:
            seen.add(name)
    return faults


def _fault(path: tuple[str, ...], code: str, message: str) -> Fault:
    return Fault(pointer=pointer_of(("assets", *path)), code=code, message=message)
