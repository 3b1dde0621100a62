"""What the gateway remembers of claimed tasks, so that an answer is checked without another request."""

from typing import Any

from services.gateway.facts import ENTRY_BYTES, FactsCache, read_facts
from tests.builders import TENANT, text_facts


def a_claimed_task(text: str = "the parcel never came") -> dict[str, Any]:
    return {
        "project": "support",
        "project_version": 3,
        "assets": {"ticket": text_facts(text).model_dump(mode="json", exclude_none=True)},
        "sample": {"metadata": {"channel": "mail"}, "language": "en"},
        "fields": [],
    }


def test_what_a_claim_told_is_what_an_answer_is_checked_against():
    facts = FactsCache()

    facts.put(TENANT, "task-1", a_claimed_task())

    known = facts.get(TENANT, "task-1")
    assert known is not None
    assert (known.project_id, known.project_version, known.language) == ("support", 3, "en")
    assert known.assets == {"ticket": text_facts("the parcel never came")}
    assert known.metadata == {"channel": "mail"}


def test_a_claim_and_the_facts_of_a_task_tell_the_same():
    claimed = a_claimed_task()
    told = claimed | claimed.pop("sample")
    by_claim, by_facts = FactsCache(), FactsCache()

    by_claim.put(TENANT, "task-1", a_claimed_task())
    by_facts.put(TENANT, "task-1", told)

    assert by_claim.get(TENANT, "task-1") == by_facts.get(TENANT, "task-1") == read_facts(told)


def test_a_task_is_known_to_its_own_tenant_alone():
    facts = FactsCache()
    facts.put(TENANT, "task-1", a_claimed_task())

    assert facts.get("another", "task-1") is None


def test_the_memory_of_long_texts_is_bounded_as_that_of_many_tasks_is():
    facts = FactsCache(max_bytes=100_000)

    for number in range(50):
        facts.put(TENANT, f"task-{number}", a_claimed_task("word " * 2_000))

    known = [number for number in range(50) if facts.get(TENANT, f"task-{number}") is not None]
    assert known == list(range(50 - len(known), 50))
    assert 5 < len(known) < 10


def test_a_task_that_is_claimed_again_is_not_the_first_to_go_and_counts_once():
    facts = FactsCache(max_bytes=2 * (ENTRY_BYTES + 300))
    facts.put(TENANT, "old", a_claimed_task())
    facts.put(TENANT, "new", a_claimed_task())
    facts.put(TENANT, "old", a_claimed_task())

    facts.put(TENANT, "newest", a_claimed_task())

    assert facts.get(TENANT, "new") is None
    assert facts.get(TENANT, "old") is not None


def test_what_is_larger_than_the_cache_is_not_kept():
    facts = FactsCache(max_bytes=1_000)

    facts.put(TENANT, "task-1", a_claimed_task("word " * 2_000))

    assert facts.get(TENANT, "task-1") is None
