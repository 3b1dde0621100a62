"""Figures over many samples: how far annotators agree."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Final

from services.qa.domain.agreement import MAX_PAIRS, AgreementUndefinedError, Distance, alpha_interval, interval
from services.qa.domain.kinds import KINDS
from services.qa.domain.linked_items import with_common_ends
from services.qa.domain.sample import GivenLabel, JudgedSample
from shared.labels.answer import check_value
from shared.labels.kinds import FieldOptions, RelationsOptions

SEED: Final = 2011
"""Same samples, same interval."""
COSTLY: Final = frozenset({"moments", "regions", "segments", "spans", "text", "tracks"})
"""Kinds whose values have to be matched with each other before they have a distance."""
MAX_PAIRS_OF_COSTLY: Final = 2_000


@dataclass(frozen=True)
class FieldAgreement:
    """How far annotators agree on one field."""

    field: str
    kind: str
    alpha: float | None
    """Krippendorff's alpha, at most 1; None where it is not defined."""
    low: float | None
    """Lower end of alpha's 95 % bootstrap interval."""
    high: float | None
    """Upper end of it."""
    undefined: str | None
    """Why there is no alpha."""
    pairwise: float | None
    """Mean over the units of the mean of 1 - distance over the unit's pairs, 0 to 1, not corrected for chance."""
    units: int
    """Samples whose field at least two annotators filled."""
    answers: int
    """Values in these units."""


def agreement_on(
    name: str, fields: Mapping[str, FieldOptions], version: int, samples: Sequence[JudgedSample]
) -> FieldAgreement:
    """Tell how far annotators agree on a field.

    Args:
        name: The field.
        fields: All fields with their options in the project version that the figures are for.
        version: That version's number.
        samples: Any number; answers of another version are left out where these options do not allow them.

    Returns:
        Alpha over the kind's distance, for ratings over its square (an interval scale), and the plain pairwise mean.
        Values of kinds that must be matched first are compared in at most ``MAX_PAIRS_OF_COSTLY`` pairs for
        alpha's expected disagreement, which keeps the standard error of that below 0.012.
    """
    options = fields[name]
    kind = KINDS[options.kind]
    units = [unit for sample in samples if len(unit := _unit(name, fields, version, sample)) > 1]

    def distance(left: Any, right: Any) -> float:
        return kind.distance(left, right, options)

    near = [
        math.fsum(1.0 - distance(a, b) for a, b in combinations(unit, 2)) / math.comb(len(unit), 2) for unit in units
    ]
    found = FieldAgreement(
        field=name,
        kind=options.kind,
        alpha=None,
        low=None,
        high=None,
        undefined=None,
        pairwise=math.fsum(near) / len(near) if near else None,
        units=len(units),
        answers=sum(len(unit) for unit in units),
    )
    metric: Distance[Any] = interval if options.kind == "rating" else distance
    max_pairs = MAX_PAIRS_OF_COSTLY if options.kind in COSTLY else MAX_PAIRS
    try:
        told = alpha_interval(units, metric, SEED, max_pairs=max_pairs)
    except AgreementUndefinedError as error:
        return replace(found, undefined=error.detail)
    return replace(found, alpha=told.alpha, low=told.low, high=told.high)


def _unit(name: str, fields: Mapping[str, FieldOptions], version: int, sample: JudgedSample) -> list[Any]:
    """Return the values of a sample's answers for a field, without empty ones; relations with common names of items."""
    answers = [_known(label, fields, version, {name}) for label in sample.labels]
    if isinstance(fields[name], RelationsOptions):
        answers = [_known(label, fields, version, fields.keys()) for label in sample.labels]
        answers = [{name: value} for value in with_common_ends(name, fields, answers)]
    return [answer[name] for answer in answers if answer.get(name) is not None]


def _known(label: GivenLabel, fields: Mapping[str, FieldOptions], version: int, names: Iterable[str]) -> dict[str, Any]:
    """Return an answer's values as far as the project version allows them; the answer may be older."""
    given = {name: label.fields[name] for name in names if label.fields.get(name) is not None}
    if label.project_version == version:
        return given
    checked = {name: check_value(fields[name], None, value) for name, value in given.items() if name in fields}
    return {name: value for name, (value, faults) in checked.items() if not faults}
