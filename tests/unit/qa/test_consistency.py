"""How samples keep the rules: counted once per sample, however often and in whatever order it is told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.qa.consistency import Counters, create_consistency_router
from services.qa.domain.consistency import added, changes_between
from shared.events.quality import ConsistencyMeasured
from shared.ids import recheck_job_of, sample_id_of
from shared.labels.verdicts import RuleVerdict
from tests.asking import asking
from tests.builders import PROJECT, TENANT, a_label_checked, a_parsed_spec, a_project_spec, a_project_versioned
from tests.builders import a_catalog as the_catalog
from tests.unit.qa.qa_under_test import QaUnderTest, answers

RULE = {"id": "no-refunds", "expression": "fields.intent != 'refund'", "message": "No refunds."}
SPEC = a_project_spec(rules=[RULE])
DIGEST = a_parsed_spec(rules=[RULE]).rules[0].digest


def a_verdict(passed: bool | None, **changes: Any) -> RuleVerdict:
    known = {"rule_id": "no-refunds", "severity": "warn", "passed": passed, "rule_hash": DIGEST, "project_version": 1}
    return RuleVerdict(**(known | changes))


class Worst:
    def __init__(self, qa: QaUnderTest) -> None:
        self._qa = qa

    async def least_consistent(self, tenant_id: str, project_id: str, limit: int) -> list[tuple[str, float]]:
        states = [state for key, state in self._qa.sample_documents.states.items() if key.startswith(f"{tenant_id}/")]
        found = [(each["sample_id"], each["consistency"]) for each in states if (each["consistency"] or 1.0) < 1.0]
        found += [(each["sample_id"], 0.0) for each in states if each["consistency"] == 0.0]
        return sorted(found, key=lambda pair: (pair[1], pair[0]))[:limit]


async def settle(qa: QaUnderTest) -> None:
    """Let QA read what it has told its own counters."""
    told = {each.event_id: each for each in qa.announced.of(ConsistencyMeasured)}
    await qa.receive(*told.values())


async def report(qa: QaUnderTest, *versions: Any, **caller: Any) -> Any:
    catalog = await the_catalog(*(versions or (a_project_versioned(spec=SPEC),)))
    parts = (create_consistency_router, Worst(qa), Counters(qa.consistency, 12), catalog)
    async with asking(*parts, **caller) as client:
        answer = await client.get(f"/projects/{PROJECT}/consistency")
    return answer.json() if answer.status_code == 200 else answer.status_code


async def test_answers_and_labels_are_counted_apart_with_intervals():
    qa = await QaUnderTest.of(SPEC)
    await qa.receive(*answers({"ana": "refund", "bo": "refund"}, verdicts=[a_verdict(False)]))
    await qa.receive(*answers({"ana": "other"}, external_id="s-2", verdicts=[a_verdict(True)]))
    await qa.receive(a_label_checked(verdicts=[a_verdict(False)]))
    await settle(qa)

    told = await report(qa)

    [rule] = told["rules"]
    assert (rule["rule_id"], rule["rule_hash"], rule["severity"], rule["is_current"]) == (
        "no-refunds",
        DIGEST,
        "warn",
        True,
    )
    assert (rule["answers"]["passed"], rule["answers"]["failed"], rule["answers"]["n"]) == (1, 2, 3)
    assert rule["answers"]["score"] == pytest.approx(1 / 3)
    assert rule["answers"]["low"] < 1 / 3 < rule["answers"]["high"]
    assert (rule["labels"]["n"], rule["labels"]["score"]) == (1, 0.0)
    assert told["labels"]["n"] == 1
    sample_1, sample_2 = sample_id_of(TENANT, PROJECT, "sample-1"), sample_id_of(TENANT, PROJECT, "s-2")
    assert told["least_consistent"] == [{"sample_id": sample_1, "consistency": 0.0}]
    assert sample_2 not in str(told["least_consistent"])


async def test_an_answer_that_is_changed_takes_the_place_of_the_one_before():
    qa = await QaUnderTest.of(SPEC)
    await qa.receive(*answers({"ana": "refund"}, verdicts=[a_verdict(False)]))
    await qa.receive(*answers({"ana": "other"}, revision=2, verdicts=[a_verdict(True)]))
    await settle(qa)

    [rule] = (await report(qa))["rules"]

    assert (rule["answers"]["passed"], rule["answers"]["failed"]) == (1, 0)


async def test_everything_told_again_counts_once():
    qa = await QaUnderTest.of(SPEC)
    await qa.receive(
        *answers({"ana": "refund"}, verdicts=[a_verdict(False)]), a_label_checked(verdicts=[a_verdict(False)])
    )
    await settle(qa)
    before = await report(qa)

    await qa.receive_all_again()

    assert await report(qa) == before


async def test_what_a_changed_rule_says_takes_the_place_of_what_it_said_before():
    changed = RULE | {"severity": "block"}
    versions = [a_project_versioned(spec=SPEC), a_project_versioned(spec=a_project_spec(rules=[changed]), version=2)]
    digest = a_parsed_spec(rules=[changed]).rules[0].digest
    qa = await QaUnderTest.of(SPEC)
    await qa.receive(a_label_checked(verdicts=[a_verdict(False)]))
    again = a_verdict(True, severity="block", rule_hash=digest, project_version=2)
    await qa.receive(a_label_checked(verdicts=[again], project_version=2))
    await settle(qa)

    told = await report(qa, *versions)

    [rule] = told["rules"]
    assert (rule["rule_hash"], rule["labels"]["passed"], rule["labels"]["failed"]) == (digest, 1, 0)
    assert told["recheck_job"] == recheck_job_of(TENANT, PROJECT, 2)
    assert (await report(qa, versions[0]))["recheck_job"] is None


async def test_an_older_word_on_a_label_changes_nothing():
    qa = await QaUnderTest.of(SPEC)
    await qa.receive(a_label_checked(revision=2, verdicts=[a_verdict(True)]))
    await qa.receive(a_label_checked(revision=1, verdicts=[a_verdict(False)]))
    await settle(qa)

    [rule] = (await report(qa))["rules"]

    assert (rule["labels"]["passed"], rule["labels"]["failed"]) == (1, 0)


async def test_a_rule_that_cannot_be_run_is_shown_to_those_who_can_mend_it():
    qa = await QaUnderTest.of(SPEC)
    broken = a_verdict(None, error="Rule no-refunds could not be run. It looks at 'x'.")
    await qa.receive(*answers({"ana": "refund"}, verdicts=[broken, a_verdict(None, rule_id="other", rule_hash="h")]))
    await settle(qa)

    rule, other = (await report(qa))["rules"]

    assert (rule["answers"]["errors"], rule["answers"]["not_applied"], rule["answers"]["score"]) == (1, 0, None)
    assert rule["error"] == broken.error
    assert (other["answers"]["not_applied"], other["is_current"], other["severity"]) == (1, False, None)


async def test_figures_about_rules_are_for_those_who_run_the_project():
    qa = await QaUnderTest.of(SPEC)

    assert await report(qa, roles=("annotator",)) == 403
    assert await report(qa, tenant="globex") == 404
    assert await report(qa, projects=("other",)) == 403


COUNTS = st.dictionaries(
    st.sampled_from(["a@1", "a@2", "b@1"]),
    st.dictionaries(st.sampled_from(["answers_passed", "label_failed"]), st.integers(1, 5), min_size=1),
)


@given(before=COUNTS, after=COUNTS)
def test_what_changed_added_to_what_was_is_what_is(before: Any, after: Any):
    assert added([before, changes_between(before, after)]) == after
