"""Whether an answer may be taken, asked in the same way of what comes by HTTP and of what tools publish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.gateway.context import refuse
from services.gateway.facts import TaskFacts
from shared.catalog import ProjectVersion
from shared.events.origin import Origin, taxonomy_versions, validation_of
from shared.labels.answer import check_answer
from shared.labels.verdicts import RuleVerdict, blocking_faults, evaluate_rules


def checked_answer(
    version: ProjectVersion, facts: TaskFacts, fields: Mapping[str, Any], languages: Sequence[str] = ()
) -> tuple[dict[str, Any], list[RuleVerdict]]:
    """Return an answer's canonical fields and what the rules say of them.

    Args:
        version: The project version that the answer is judged by.
        facts: What is known of its sample.
        fields: Values by field name, as they came.
        languages: BCP 47 tags that messages of rules are wanted in, the most wanted first.

    Raises:
        InvalidBodyError: Something is wrong; it holds every fault of every field, or all that blocking rules mark.
    """
    found = check_answer(version.spec, facts.assets, fields)
    refuse(found.faults, "The answer")
    verdicts = evaluate_rules(
        version.spec,
        facts.assets,
        found.fields,
        metadata=facts.metadata,
        project_version=version.number,
        languages=languages,
    )
    refuse(blocking_faults(verdicts, found.fields, fields), "The answer")
    return dict(found.fields), verdicts


def origin_of(version: ProjectVersion, facts: TaskFacts, verdicts: Sequence[RuleVerdict], **known: Any) -> Origin:
    """Return where an answer that was checked comes from.

    Args:
        version: The project version that it was judged by.
        facts: What is known of its sample.
        verdicts: What the rules said of it.
        known: What only its way here tells: ``channel``, ``role``, ``started_at``, ``client``.
    """
    return Origin(
        guideline_version=version.guideline_version,
        taxonomy_versions=taxonomy_versions(version.spec),
        validation=validation_of(verdicts),
        language=facts.language,
        **known,
    )
