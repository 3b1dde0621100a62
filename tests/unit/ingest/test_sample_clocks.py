"""Where the assets of one sample stand on their common clock."""

from __future__ import annotations

from services.ingest.domain.sample import submit
from shared.events.samples import AssetSource, SampleIngested
from shared.labels.facts import Clock
from tests.builders import CHAT, a_parsed_spec, a_sample_submitted
from tests.fakes import run_step

SPEC = a_parsed_spec()


def test_the_clocks_of_a_sample_are_facts_of_its_assets():
    event = a_sample_submitted(clocks={"chat": Clock(offset=2.5)})

    done = run_step(lambda sample, each: submit(sample, each, SPEC), None, event)

    [ingested] = [each for each in done.emitted if isinstance(each, SampleIngested)]
    assert ingested.assets["chat"].clock == Clock(offset=2.5)


def test_other_clocks_are_other_content():
    def state_after(*events):
        return run_step(lambda sample, each: submit(sample, each, SPEC), None, *events).state

    plain = a_sample_submitted(assets={"chat": AssetSource(text=CHAT)})
    shifted = plain.model_copy(update={"clocks": {"chat": Clock(offset=1.0)}})

    assert state_after(plain).submission_hash != state_after(shifted).submission_hash
    assert state_after(plain).submission_hash == state_after(plain, plain).submission_hash
