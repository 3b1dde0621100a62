"""From the labels of one sample to a judgement: what is true, how sure that is, and what to do next."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import blake2b
from itertools import combinations
from typing import Any

from services.qa.domain.kinds import KINDS, Answer, Consensus
from services.qa.domain.linked_items import with_common_ends, without_dangling_ends
from services.qa.domain.skill import UNKNOWN_WEIGHT
from shared.labels.kinds import FieldOptions, RelationsOptions
from shared.labels.spec import ProjectSpec

_ROUNDING = 1e-9  # three fifths of five weights must reach a quorum of 0.6


class Decision(StrEnum):
    """What happens to a sample after its labels were judged."""

    WAIT = "wait"
    """Fewer annotators than the overlap asks for have answered."""
    FINALIZE = "finalize"
    """Every field is settled."""
    EXTEND = "extend"
    """Not settled, and one more annotator may be asked."""
    ADJUDICATE = "adjudicate"
    """Not settled, and nobody more may be asked: an adjudicator decides."""


@dataclass(frozen=True)
class Label:
    """One annotator's answer to a sample, as far as judging needs it."""

    annotation_id: str
    annotator_id: str
    revision: int
    fields: Mapping[str, Any]
    weight: float = UNKNOWN_WEIGHT
    """How much it counts, above 0 (``AnnotatorSkill.weight``)."""
    field_weights: Mapping[str, float] = field(default_factory=dict)
    """The same by field where it is known; it goes before ``weight``."""

    def weight_in(self, name: str) -> float:
        """Return how much the answer counts in the vote on a field."""
        return self.field_weights.get(name, self.weight)


@dataclass(frozen=True)
class FieldJudgement:
    """What the labels say of one field."""

    value: Any
    """The consensus; None where the field is left empty."""
    confidence: float
    """Weighted share of the answers that the value stands for, 0..1; compared with the project's quorum."""
    agreement: float | None
    """Mean pairwise 1 - distance, not corrected for chance, 0..1; None with fewer than two labels."""
    answers: int
    """Labels that fill the field."""
    support: Mapping[str, float] = field(default_factory=dict)
    """Share of the weight behind each part of the value (option, item id, key)."""


@dataclass(frozen=True)
class Judgement:
    """What the labels of one sample say, and what happens next."""

    decision: Decision
    fields: Mapping[str, FieldJudgement]
    annotators: int
    """Different annotators that answered."""
    unsettled: tuple[str, ...] = ()
    """Fields that no quorum has settled, in the order of the spec: neither on a value nor, where that may be, on none."""

    @property
    def consensus(self) -> dict[str, Any]:
        """The label of record that the judgement proposes: values by field, without empty fields."""
        return {name: judged.value for name, judged in self.fields.items() if judged.value is not None}


def judge(spec: ProjectSpec, labels: Sequence[Label], *, budget: int | None = None) -> Judgement:
    """Judge the labels of one sample.

    Args:
        spec: The project version whose fields and quality rules hold.
        labels: Any number, in any order. Of an annotator's labels only the newest counts: the highest revision of the
            last annotation id (ids rise with time).
        budget: How many more labels the sample may be given besides ``max_overlap``; None for no other bound.

    Returns:
        WAIT while fewer than ``overlap`` annotators have answered, FINALIZE when the confidence of every field reaches
        the quorum and none is empty that the values of the others require (``required_if``), EXTEND while
        ``max_overlap`` and budget allow another annotator, else ADJUDICATE. The fields are judged in each case.
    """
    counted = _newest(labels)
    judged = _judge_fields(spec, counted)
    unsure = {name for name, found in judged.items() if found.confidence < spec.quality.quorum - _ROUNDING}
    unsettled = tuple(name for name in judged if name in unsure or _is_lacking(name, spec, judged, counted))
    return Judgement(
        decision=_decide(spec, annotators=len(counted), settled=not unsettled, budget=budget),
        fields=judged,
        annotators=len(counted),
        unsettled=unsettled,
    )


def needs_peer_review(sample_id: str, share: float) -> bool:
    """Tell whether a reviewer looks at a sample's consensus.

    Args:
        sample_id: Decides alone, so that a redelivered event or another replica finds the same answer.
        share: Share of all samples that is reviewed, 0..1.

    Returns:
        True for that share of ids, spread evenly; a sample reviewed at one share is reviewed at any larger one.
    """
    digest = blake2b(sample_id.encode(), digest_size=8, person=b"peer-review").digest()
    return int.from_bytes(digest, "big") < share * 2**64


def _decide(spec: ProjectSpec, *, annotators: int, settled: bool, budget: int | None) -> Decision:
    if annotators < spec.quality.overlap:
        return Decision.WAIT
    if settled:
        return Decision.FINALIZE
    may_ask = annotators < spec.quality.max_overlap and (budget is None or budget > 0)
    return Decision.EXTEND if may_ask else Decision.ADJUDICATE


def _is_lacking(name: str, spec: ProjectSpec, judged: Mapping[str, FieldJudgement], labels: Sequence[Label]) -> bool:
    """Tell whether a field is empty that the values of the others require, though no single answer is so.

    Each field has a majority of its own, by weights of its own. A field about an asset that nobody fills is not
    required where an answer without it was accepted: the sample has no such asset.
    """
    options = spec.fields[name]
    needed = options.required_if
    values = {other: found.value for other, found in judged.items() if found.value is not None}
    if needed is None or name in values or not needed.met_by(values):
        return False
    was_accepted = any(needed.met_by(label.fields) and label.fields.get(name) is None for label in labels)
    return options.asset is None or judged[name].answers > 0 or not was_accepted


def _newest(labels: Sequence[Label]) -> list[Label]:
    """Keep one label of each annotator, by annotator."""
    newest: dict[str, Label] = {}
    for label in labels:
        kept = newest.get(label.annotator_id)
        if kept is None or (kept.annotation_id, kept.revision) < (label.annotation_id, label.revision):
            newest[label.annotator_id] = label
    return [newest[annotator_id] for annotator_id in sorted(newest)]


def _judge_fields(spec: ProjectSpec, labels: Sequence[Label]) -> dict[str, FieldJudgement]:
    """Judge all fields in the order of the spec; relations last, for their ends are items of the others' consensus."""
    judged = {
        name: _judge_field(name, options, labels)
        for name, options in spec.fields.items()
        if not isinstance(options, RelationsOptions)
    }
    values = {name: found.value for name, found in judged.items()}
    for name, options in spec.fields.items():
        if isinstance(options, RelationsOptions):
            _, *related = with_common_ends(name, spec.fields, [values, *(label.fields for label in labels)])
            renamed = [
                replace(label, fields={**label.fields, name: relations})
                for label, relations in zip(labels, related, strict=True)
            ]
            found = _judge_field(name, options, renamed)
            kept = None if found.value is None else without_dangling_ends(found.value, values)
            judged[name] = replace(found, value=kept)
    return {name: judged[name] for name in spec.fields}


def _judge_field(name: str, options: FieldOptions, labels: Sequence[Label]) -> FieldJudgement:
    kind = KINDS[options.kind]
    answers = [Answer(label.annotator_id, label.fields.get(name), label.weight_in(name)) for label in labels]
    filled = [answer for answer in answers if answer.value is not None]
    found = _with_absence(kind.consensus(filled, options), answers, filled, required=options.required)
    near = [1.0 - kind.distance(left.value, right.value, options) for left, right in combinations(answers, 2)]
    return FieldJudgement(
        value=found.value,
        confidence=found.confidence,
        agreement=math.fsum(near) / len(near) if near else None,
        answers=len(filled),
        support=found.support,
    )


def _with_absence(
    found: Consensus, answers: Sequence[Answer], filled: Sequence[Answer], *, required: bool
) -> Consensus:
    """Let labels that leave a field empty vote for that, where the field may be empty.

    An answer without a required field is only accepted when the sample has no such asset, so when nobody fills
    a required field either, there is nothing to fill.
    """
    if not answers:
        return found
    present = math.fsum(answer.weight for answer in filled) / math.fsum(answer.weight for answer in answers)
    if present >= 0.5 or (required and filled):
        return Consensus(found.value, found.confidence * present, found.support)
    return Consensus(None, 1.0 - present)
