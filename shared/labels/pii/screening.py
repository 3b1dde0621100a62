"""A project's policy on personal data, applied to a sample before it goes anywhere."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from shared.labels.faults import Fault, bounded, pointer_of
from shared.labels.json_values import MAX_DEPTH, read_json
from shared.labels.pii.finding import find
from shared.labels.pii.model import MAX_FINDINGS, Effort, PiiFinding, PiiKind, UndecidableError
from shared.labels.policies import PiiPolicy
from shared.labels.sample import normalized_text
from shared.labels.spec import ProjectSpec

MASK: Final = "█"
"""Stands for one character of what was masked: all offsets stay, so labels of the masked text fit the original."""

_NAMES: Final[Mapping[PiiKind, str]] = {
    "email": "an e-mail address",
    "phone": "a phone number",
    "card": "the number of a payment card",
    "iban": "a bank account (IBAN)",
    "ip": "an IP address",
    "national-id": "an identity number",
}
_NOT_SEARCHED: Final = frozenset({"upload", "uri", "line", "outcome", "sample_id"})
"""Of a line: what names things of ours, and where files lie."""
ABOUT_THE_ORIGINAL: Final = frozenset({"size", "sha256"})
"""What a sender may state of a text and is no longer true when it is masked; the hash would give the original away."""


@dataclass(frozen=True)
class Screened:
    """What goes on of a sample, and what was found in it."""

    assets: Mapping[str, Any]
    """Sources by slot."""
    metadata: Any
    predictions: Any
    findings: tuple[PiiFinding, ...] = ()
    faults: list[Fault] = field(default_factory=list)
    """Why the project does not take it; with pointers into the sample."""


@dataclass(frozen=True)
class ScreenedPrediction:
    """What goes on of a prediction that came after its sample, and what was found in it."""

    fields: Any
    prompt: str | None
    findings: tuple[PiiFinding, ...] = ()
    faults: list[Fault] = field(default_factory=list)


def screen_sample(
    spec: ProjectSpec, assets: Mapping[str, Any], metadata: Any, predictions: Any, *, external_id: str = ""
) -> Screened:
    """Search what came inside a sample, and mask, tell or refuse what is found.

    Texts and records are searched as the policy of their slot says, its name, metadata and predictions as the
    project's own.

    Args:
        spec: The project.
        assets: Sources by slot; what an upload holds is searched when it is probed.
        metadata: As submitted.
        predictions: As submitted, or None.
        external_id: The sample's name, which is never masked: two samples could then not be told apart.
    """
    search = _Search()
    try:
        search.name(spec.intake.pii, external_id)
        kept = {slot: search.source(spec.pii_of(slot), slot, source) for slot, source in assets.items()}
        of_project = spec.intake.pii
        metadata = search.value(of_project, metadata, ("metadata",))
        predictions = search.value(of_project, predictions, ("predictions",), with_numbers=False)
    except UndecidableError as error:
        fault = Fault(pointer=pointer_of(search.place), code="pii-undecidable", message=str(error))
        return Screened(assets, metadata, predictions, faults=bounded([*search.faults, fault]))
    return Screened(kept, metadata, predictions, tuple(search.findings[:MAX_FINDINGS]), bounded(search.faults))


def screen_prediction(spec: ProjectSpec, fields: Any, prompt: str | None) -> ScreenedPrediction:
    """Search a prediction that came after its sample, as the project's own policy says.

    Args:
        spec: The project.
        fields: As submitted.
        prompt: What the model was asked, if that is told.
    """
    search, policy = _Search(), spec.intake.pii
    try:
        fields = search.value(policy, fields, ("fields",), with_numbers=False)
        asked = search.value(policy, prompt, ("prompt",))
    except UndecidableError as error:
        fault = Fault(pointer=pointer_of(search.place), code="pii-undecidable", message=str(error))
        return ScreenedPrediction(fields, prompt, faults=bounded([*search.faults, fault]))
    return ScreenedPrediction(fields, asked, tuple(search.findings[:MAX_FINDINGS]), bounded(search.faults))


def screen_text(policy: PiiPolicy, text: str) -> Screened:
    """Search a text that came as a file.

    Args:
        policy: Of its slot.
        text: In NFC.

    Returns:
        The text under ``assets["text"]``, with pointers that begin with ``/text``.

    Raises:
        UndecidableError: It holds too much to look at.
    """
    search = _Search()
    kept = search.text(policy, text, ("text",))
    return Screened({"text": kept}, None, None, tuple(search.findings[:MAX_FINDINGS]), bounded(search.faults))


def masked_slots(spec: ProjectSpec, findings: Iterable[PiiFinding]) -> frozenset[str]:
    """Return the slots whose texts or records are not what was sent, for something in them was masked."""
    found = {finding.pointer.split("/")[2] for finding in findings if finding.is_of_asset}
    return frozenset(slot for slot in found if (policy := spec.pii_of(slot)) is not None and policy.action == "mask")


def hide(spec: ProjectSpec, line: str) -> str | None:
    """Mask all personal data in a line that failed, so that it can be kept for the sender to correct.

    Args:
        spec: The project.
        line: JSON, or what was sent in its place.

    Returns:
        The line; None where it cannot be told what of it is personal. Where the project only flags, or looks for
        nothing, the line stays as it is.
    """
    if not spec.hides_pii:
        return line
    policy = (spec.intake.pii or PiiPolicy(action="mask")).model_copy(update={"action": "mask"})
    try:
        sent = read_json(line)
        kept = _Search(masks_keys=True).value(policy, sent, ())
        if isinstance(sent, dict) and "external_id" in sent and not _hides(spec.intake.pii):
            kept["external_id"] = sent["external_id"]
        return orjson.dumps(kept).decode()
    except UndecidableError:
        return None
    except (orjson.JSONDecodeError, TypeError):
        pass
    try:
        return _Search().text(policy, line, ())
    except UndecidableError:
        return None


class _Search:
    """One walk through a sample, with one budget."""

    def __init__(self, *, masks_keys: bool = False) -> None:
        self._masks_keys = masks_keys
        self.findings: list[PiiFinding] = []
        self.faults: list[Fault] = []
        self.place: tuple[str | int, ...] = ()
        self._effort = Effort()

    def name(self, policy: PiiPolicy | None, external_id: str) -> None:
        """Search the name of a sample; a line that was kept masked may come back with a masked one."""
        if policy is None:
            return
        self.place = ("external_id",)
        found = find(external_id, self._effort, policy.kinds, policy.regions)
        self.findings += [PiiFinding(kind=kind, pointer="/external_id", start=at, end=to) for kind, at, to in found]
        if not _hides(policy):
            return
        if found:
            message = f"The name looks like {_NAMES[found[0][0]]}; name the sample otherwise, then send it again."
            self.faults.append(Fault(pointer="/external_id", code="pii-found", message=message))
        elif MASK in external_id:
            message = "The name was masked when its line was kept; name the sample otherwise, then send it again."
            self.faults.append(Fault(pointer="/external_id", code="masked-name", message=message))

    def source(self, policy: PiiPolicy | None, slot: str, source: Any) -> Any:
        if policy is None or not isinstance(source, Mapping):
            return source
        known = len(self.findings)
        kept = dict(source)
        if isinstance(source.get("text"), str):
            kept["text"] = self.text(policy, normalized_text(source["text"]), ("assets", slot, "text"))
        if "record" in source:
            kept["record"] = self.value(policy, source["record"], ("assets", slot, "record"))
        if policy.action != "mask" or len(self.findings) == known:
            return source
        if isinstance(facts := source.get("facts"), Mapping):
            kept["facts"] = {name: fact for name, fact in facts.items() if name not in ABOUT_THE_ORIGINAL}
        return kept

    def value(
        self, policy: PiiPolicy | None, raw: Any, path: tuple[str | int, ...], *, with_numbers: bool = True
    ) -> Any:
        """Search a JSON value; under ``mask`` a number that is found becomes null."""
        if policy is None or raw is None or isinstance(raw, bool):
            return raw
        if isinstance(raw, str):
            return self.text(policy, raw, path)
        if isinstance(raw, int) and with_numbers and raw >= 10**7:
            return raw if self.text(policy, str(raw), path) == str(raw) else None
        if isinstance(raw, dict | list) and len(path) > 2 * MAX_DEPTH:
            raise UndecidableError(f"The value is nested deeper than {MAX_DEPTH} levels; flatten it.")
        if isinstance(raw, dict):
            return dict(self._item(policy, key, each, path, with_numbers) for key, each in raw.items())
        if isinstance(raw, list):
            return [
                self.value(policy, each, (*path, position), with_numbers=with_numbers)
                for position, each in enumerate(raw)
            ]
        return raw

    def _item(
        self, policy: PiiPolicy, key: str, raw: Any, path: tuple[str | int, ...], with_numbers: bool
    ) -> tuple[str, Any]:
        if key in _NOT_SEARCHED and not path:
            return key, raw
        shown = self._key(policy, key, path)
        kept = self.value(policy, raw, (*path, shown), with_numbers=with_numbers)
        return (shown if self._masks_keys else key), kept

    def text(self, policy: PiiPolicy, text: str, path: tuple[str | int, ...]) -> str:
        """Search a text; under ``mask`` return it masked, so that nothing is found in it again."""
        self.place = path
        while found := find(text, self._effort, policy.kinds, policy.regions):
            pointer = pointer_of(path)
            self.findings += [PiiFinding(kind=kind, pointer=pointer, start=at, end=to) for kind, at, to in found]
            if policy.action == "reject":
                self.faults += [_refused(finding) for finding in self.findings[-len(found) :]]
            if policy.action != "mask":
                return text
            text = _masked(text, found)
        return text

    def _key(self, policy: PiiPolicy, key: str, path: tuple[str | int, ...]) -> str:
        """Return a key as pointers may show it; a key cannot be masked, for it says what the value is."""
        found = find(key, self._effort, policy.kinds, policy.regions)
        if not found:
            return key
        pointer = pointer_of(path)
        self.findings += [PiiFinding(kind=kind, pointer=pointer, start=at, end=to) for kind, at, to in found]
        if policy.action != "flag":
            message = f"A key here looks like {_NAMES[found[0][0]]}; name it otherwise, then send the sample again."
            self.faults.append(Fault(pointer=pointer, code="pii-found", message=message))
        return _masked(key, found)


def _hides(policy: PiiPolicy | None) -> bool:
    return policy is not None and policy.action != "flag"


def _masked(text: str, found: list[tuple[PiiKind, int, int]]) -> str:
    parts, after = [], 0
    for _, start, end in found:
        parts += [text[after:start], MASK * (end - start)]
        after = end
    return "".join([*parts, text[after:]])


def _refused(finding: PiiFinding) -> Fault:
    message = (
        f"Characters {finding.start} to {finding.end} look like {_NAMES[finding.kind]}, and the project takes no "
        "personal data; take it out, then send the sample again."
    )
    return Fault(pointer=finding.pointer, code="pii-found", message=message)
