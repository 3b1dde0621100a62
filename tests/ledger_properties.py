"""What holds of the fold on any store. The fake and the real database pass the same tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared import packing
from shared.errors import LeaseLostError
from shared.events import Event
from shared.events.tasks import AnnotationCounted, TaskCreated
from shared.ledger import SEEN_EVENTS, Delivery, Ledger, Position, Step
from tests.builders import TENANT, a_sample_ingested, an_annotation_submitted
from tests.fakes import CrashError, FaultyStore, Fuse, RecordingPublisher, deliver
from tests.ledger_world import FORGED, SAMPLES, Counted, Fact, KeptStore, Turn, World, clean_pass, count, key

facts = st.builds(Fact, st.sampled_from(SAMPLES), st.sampled_from(["answer", "answer", "forged"]), st.integers(0, 4))
arrivals = st.builds(Fact, st.sampled_from(SAMPLES), st.just("ingested"), st.just(0))
histories = st.lists(facts | arrivals, max_size=14)
plans = st.lists(
    st.builds(Turn, st.integers(0, 3), st.integers(1, 4), st.integers(1, 5), st.booleans()), min_size=1, max_size=4
)
deaths = st.lists(st.integers(0, 30), max_size=4)

any_history = settings(
    deadline=None,
    # One database serves all examples: each takes a store of its own from the factory.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)


async def kept_causes(store: KeptStore, id_: str, lane: str) -> list[str]:
    """Return what led to the events that a document keeps, of one lane."""
    documents, _ = await store.kept()
    return [kept["cause"] for kept in documents[id_]["outbox"] if kept["lane"] == lane]


class LedgerProperties:
    """Inherit, and give a fixture ``new_store``: a factory of empty stores."""

    @pytest.fixture(autouse=True, params=[packing.LARGE_BYTES, 400], ids=["small events", "large events"])
    def _what_is_large(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
        """Do everything once with events that stand in their documents, once with most of them beside."""
        monkeypatch.setattr(packing, "LARGE_BYTES", request.param)

    @any_history
    @given(history=histories, plan=plans)
    async def test_any_batches_in_any_order_of_partitions_give_what_one_clean_pass_gives(
        self, new_store: Callable[[], KeptStore], history: list[Fact], plan: list[Turn]
    ) -> None:
        world = World.of(new_store(), history)

        await world.live(plan)

        assert await world.outcome() == await clean_pass(history)
        assert await world.missing_and_orphaned() == (set(), set())

    @any_history
    @given(history=histories, plan=plans, deaths=deaths)
    async def test_a_process_that_dies_anywhere_loses_nothing_and_doubles_nothing(
        self, new_store: Callable[[], KeptStore], history: list[Fact], plan: list[Turn], deaths: list[int]
    ) -> None:
        world = World.of(new_store(), history)

        await world.live_again_and_again(plan, deaths)

        assert await world.outcome() == await clean_pass(history)
        missing, _ = await world.missing_and_orphaned()
        assert not missing

    @any_history
    @given(history=histories, plan=plans)
    async def test_folding_everything_once_more_changes_no_state_and_announces_nothing_unknown(
        self, new_store: Callable[[], KeptStore], history: list[Fact], plan: list[Turn]
    ) -> None:
        world = World.of(new_store(), history)
        await world.live(plan)
        world.committed.clear()

        await world.live(plan)

        assert await world.outcome() == await clean_pass(history)

    @any_history
    @given(history=histories, plans=st.tuples(plans, plans), naps=st.lists(st.integers(0, 3), min_size=1, max_size=8))
    async def test_two_processes_that_both_believe_to_own_the_log_count_each_event_once(
        self, new_store: Callable[[], KeptStore], history: list[Fact], plans: tuple[list[Turn], ...], naps: list[int]
    ) -> None:
        world = World.of(new_store(), history)
        left = iter(naps * 100)

        async def nap() -> None:
            for _ in range(next(left, 0)):
                await asyncio.sleep(0)

        await asyncio.gather(*(world.live(plan, between=nap) for plan in plans))

        assert await world.outcome() == await clean_pass(history)
        missing, _ = await world.missing_and_orphaned()
        assert not missing

    @pytest.mark.parametrize("blows_at", range(20))
    async def test_there_is_no_step_between_which_a_crash_does_harm(
        self, new_store: Callable[[], KeptStore], blows_at: int
    ) -> None:
        answers = [Fact(sample, "answer", number) for sample in SAMPLES for number in (0, 1)]
        forged = [Fact("north", "forged", 0), Fact("north", "answer", 2)]
        history = [answers[0], *(Fact(sample, "ingested", 0) for sample in SAMPLES), *answers, *forged]
        world = World.of(new_store(), history)
        everything = [Turn(lanes=4, records=100)]

        with pytest.raises(CrashError):
            await world.live(everything, Fuse(blows_at))
        await world.live(everything)

        assert await world.outcome() == await clean_pass(history)

    async def test_a_claim_between_load_and_write_makes_the_fold_load_again(
        self, new_store: Callable[[], KeptStore]
    ) -> None:
        store, publisher = new_store(), RecordingPublisher()
        ingested = a_sample_ingested()
        await Ledger(store, publisher, Counted).fold(deliver([ingested]), count, key)
        claims = iter([1, 2, 3])

        async def claim() -> None:
            if next(claims, None):
                found = (await store.load([key(ingested)]))[key(ingested)]
                claimed = found | {"revision": found["revision"] + 1, "tenant_id": "claimed"}
                assert await store.replace([claimed]) == set()

        ledger = Ledger(FaultyStore(store, between=claim), publisher, Counted)
        answer = an_annotation_submitted()
        await ledger.fold(deliver([answer]), count, key)

        documents, _ = await store.kept()
        assert documents[key(answer)]["revision"] == 5
        assert documents[key(answer)]["state"]["answers"] == [answer.event_id]
        assert len(publisher.of(AnnotationCounted)) == 1

    async def test_only_the_losers_of_a_bulk_are_folded_again(self, new_store: Callable[[], KeptStore]) -> None:
        store, publisher = new_store(), RecordingPublisher()
        first, second = (a_sample_ingested(external_id=name) for name in ("first", "second"))
        folded: list[str] = []
        rival = iter([True])

        async def interfere() -> None:
            if next(rival, False):
                await Ledger(store, publisher, Counted).fold(deliver([first], partition=1), count, key)

        def watched(state: Counted | None, event: Any) -> Step[Counted]:
            folded.append(event.external_id)
            return count(state, event)

        ledger = Ledger(FaultyStore(store, between=interfere), publisher, Counted)
        await ledger.fold(deliver([first, second]), watched, key)

        assert folded == ["first", "second"]  # the rival had applied the first: it is seen, not folded
        assert {event.sample_id for event in publisher.of(TaskCreated)} == {first.sample_id, second.sample_id}

    async def test_an_answer_that_overtook_its_sample_waits_and_counts_once(
        self, new_store: Callable[[], KeptStore]
    ) -> None:
        store, publisher = new_store(), RecordingPublisher()
        ledger = Ledger(store, publisher, Counted)
        answer = an_annotation_submitted(appended_at_ms=1_795_507_000_000, traceparent="00-ab-cd-01")
        early, late = deliver([answer]), deliver([a_sample_ingested()])

        await ledger.fold(early, count, key)
        waited = await ledger.read([key(answer)])
        for batch in (late, early, late, deliver([answer], start_offset=1)):
            await ledger.fold(batch, count, key)

        assert waited == {}
        assert (await ledger.read([key(answer)]))[key(answer)].answers == (answer.event_id,)
        assert {event.traceparent for event in publisher.of(AnnotationCounted)} == {"00-ab-cd-01"}

    async def test_what_waits_keeps_what_its_reader_had_added(self, new_store: Callable[[], KeptStore]) -> None:
        stamps: list[tuple[int, int, int]] = []

        def note(state: Counted | None, event: Any) -> Step[Counted]:
            if isinstance(event, type(answer)) and state is not None and state.ingested:
                stamps.append((event.appended_at_ms, event.log_partition, event.log_offset))
            return count(state, event)

        answer = an_annotation_submitted(appended_at_ms=1_795_507_000_000)
        ledger = Ledger(new_store(), RecordingPublisher(), Counted)
        await ledger.fold(deliver([answer], partition=3, start_offset=7), note, key)
        await ledger.fold(deliver([a_sample_ingested()]), note, key)

        assert stamps == [(1_795_507_000_000, 3, 7)]

    async def test_a_refused_event_becomes_a_dead_letter_and_the_rest_goes_on(
        self, new_store: Callable[[], KeptStore]
    ) -> None:
        ledger = Ledger(new_store(), RecordingPublisher(), Counted)
        forged, honest = an_annotation_submitted(lease_id=FORGED), an_annotation_submitted()

        [letter] = await ledger.fold(deliver([a_sample_ingested(), forged, honest]), count, key)

        assert (letter.delivery.event, letter.error) == (deliver([forged], start_offset=0)[0].event, "lease-lost")
        assert letter.detail == "The lease is forged; claim the task again."
        assert (await ledger.read([key(honest)]))[key(honest)].answers == (honest.event_id,)

    async def test_a_dead_letter_whose_burial_was_missed_is_told_again_by_the_redelivery(
        self, new_store: Callable[[], KeptStore]
    ) -> None:
        store = new_store()
        waiting, forged, honest = (an_annotation_submitted(lease_id=id_) for id_ in (FORGED, FORGED, "lease-1"))
        batch = [*deliver([waiting]), *deliver([a_sample_ingested()]), *deliver([forged, honest], start_offset=1)]
        told = await Ledger(store, RecordingPublisher(), Counted).fold(batch, count, key)

        again = await Ledger(store, RecordingPublisher(), Counted).fold(batch, count, key)

        assert [letter.delivery.event.event_id for letter in again] == [waiting.event_id, forged.event_id]
        assert again == told

    @pytest.mark.parametrize("overtook", [True, False])
    async def test_a_dead_letter_counts_when_it_is_replayed_and_the_reason_is_gone(
        self, new_store: Callable[[], KeptStore], overtook: bool
    ) -> None:
        ledger = Ledger(new_store(), RecordingPublisher(), Counted)
        answer, ingested = an_annotation_submitted(lease_id=FORGED), a_sample_ingested()
        history = [answer, ingested] if overtook else [ingested, answer]
        await ledger.fold(deliver(history, topic="any.v1"), count, key)

        def mended(state: Counted | None, event: Event) -> Step[Counted]:
            return count(state, event.model_copy(update={"lease_id": "lease-1"}))

        assert not await ledger.fold(deliver([answer], topic="any.v1", start_offset=2), mended, key)

        assert (await ledger.read([key(answer)]))[key(answer)].answers == (answer.event_id,)

    async def test_what_was_emitted_is_kept_until_its_offset_is_committed(
        self, new_store: Callable[[], KeptStore]
    ) -> None:
        store = new_store()
        first, second, third = (an_annotation_submitted(annotator_id=who) for who in ("ana", "bo", "chi"))
        lane = Position(first.topic, 0, 0).lane
        batches = [(deliver([a_sample_ingested()]), {}), (deliver([first, second]), {})]
        for batch, committed in [*batches, (deliver([third], start_offset=2), {lane: 1})]:
            process = Ledger(store, RecordingPublisher(), Counted)  # it knows nothing of what others announced
            await process.fold(batch, count, key, committed)

        assert await kept_causes(store, key(first), lane) == [second.event_id, third.event_id]

    async def test_what_a_process_has_announced_itself_leaves_with_its_next_write(
        self, new_store: Callable[[], KeptStore]
    ) -> None:
        store, publisher = new_store(), RecordingPublisher()
        ledger = Ledger(store, publisher, Counted)
        first, second = (an_annotation_submitted(annotator_id=who) for who in ("ana", "bo"))
        lane = Position(first.topic, 0, 0).lane
        await ledger.fold(deliver([a_sample_ingested()]), count, key)
        await ledger.fold(deliver([first]), count, key)
        after_the_first = await kept_causes(store, key(first), lane)

        await ledger.fold(deliver([second], start_offset=1), count, key)

        assert after_the_first == [first.event_id]
        assert await kept_causes(store, key(first), lane) == [second.event_id]
        assert len(publisher.of(AnnotationCounted)) == 2

    async def test_what_was_not_acknowledged_stays_and_is_announced_by_the_next_try(
        self, new_store: Callable[[], KeptStore]
    ) -> None:
        publisher, silences = RecordingPublisher(), iter([True, False])

        async def publish(events: Sequence[Event]) -> None:
            if next(silences):
                raise TimeoutError("the broker says nothing")
            await publisher(events)

        ledger = Ledger(new_store(), publish, Counted)
        batch = deliver([a_sample_ingested()])
        with pytest.raises(TimeoutError):
            await ledger.fold(batch, count, key)

        await ledger.fold(batch, count, key)

        assert [type(event) for event in publisher.events] == [TaskCreated]

    async def test_a_remembered_document_is_not_read_again(self, new_store: Callable[[], KeptStore]) -> None:
        loads = Fuse()
        ledger = Ledger(FaultyStore(new_store(), loads), RecordingPublisher(), Counted)
        await ledger.fold(deliver([a_sample_ingested()]), count, key)
        answers = [an_annotation_submitted(annotator_id=who) for who in ("ana", "bo")]

        for offset, answer in enumerate(answers):
            await ledger.fold(deliver([answer], start_offset=offset), count, key)

        assert loads.passed.count("before load") == 1
        assert (await ledger.read([key(answers[0])]))[key(answers[0])].answers == tuple(a.event_id for a in answers)

    async def test_a_refusal_by_an_outdated_memory_is_asked_again(self, new_store: Callable[[], KeptStore]) -> None:
        store = new_store()
        ledger, other = (Ledger(store, RecordingPublisher(), Counted) for _ in range(2))

        def only_the_second(state: Counted | None, event: Any) -> Step[Counted]:
            if state is None or not state.answers:
                raise LeaseLostError("The first answer is missing.")
            return count(state, event)

        first, second = (an_annotation_submitted(annotator_id=who) for who in ("ana", "bo"))
        await ledger.fold(deliver([a_sample_ingested()]), count, key)
        await other.fold(deliver([first]), count, key)

        assert await ledger.fold(deliver([second], start_offset=1), only_the_second, key) == []

        assert (await ledger.read([key(first)]))[key(first)].answers == (first.event_id, second.event_id)

    @any_history
    @given(history=histories, plan=plans, turns=st.lists(st.booleans(), min_size=1, max_size=8))
    async def test_two_processes_that_take_over_from_each_other_give_what_one_clean_pass_gives(
        self, new_store: Callable[[], KeptStore], history: list[Fact], plan: list[Turn], turns: list[bool]
    ) -> None:
        world = World.of(new_store(), history)

        await world.live_in_turns(plan, turns)

        assert await world.outcome() == await clean_pass(history)
        assert await world.missing_and_orphaned() == (set(), set())

    async def test_a_redelivery_announces_again_the_same_event_under_the_same_id(
        self, new_store: Callable[[], KeptStore]
    ) -> None:
        store, batch = new_store(), deliver([a_sample_ingested()])
        died = RecordingPublisher(Fuse(0))
        with pytest.raises(CrashError):
            await Ledger(store, died, Counted).fold(batch, count, key)

        first, second = RecordingPublisher(), RecordingPublisher()
        await Ledger(store, first, Counted).fold(batch, count, key)
        await Ledger(store, second, Counted).fold(batch, count, key)

        assert died.events == []
        assert first.events == second.events != []

    async def test_a_large_event_stands_beside_its_document_as_long_as_it_may_be_announced_again(
        self, new_store: Callable[[], KeptStore], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(packing, "LARGE_BYTES", 10_000)
        store, publisher = new_store(), RecordingPublisher()
        large = an_annotation_submitted(fields={"note": {"text": "x" * 20_000}})
        lane = Position(large.topic, 0, 0).lane

        async def fold(batch: list[Delivery], committed: dict[str, int] | None = None) -> None:
            await Ledger(store, publisher, Counted).fold(batch, count, key, committed or {})

        await fold(deliver([large]))  # it waits for its sample
        while_waiting = await store.kept_apart()
        await fold(deliver([a_sample_ingested()]))
        await fold(deliver([an_annotation_submitted()], start_offset=1), {lane: 1})
        uncommitted, (documents, _) = await store.kept_apart(), await store.kept()
        await fold(deliver([an_annotation_submitted()], start_offset=2), {"sample_ingested_v1:0": 1, lane: 2})

        assert next(event.fields for event in publisher.of(AnnotationCounted)) == large.fields
        assert (len(while_waiting), len(uncommitted)) == (1, 1)
        assert while_waiting != uncommitted
        assert len(repr(documents[key(large)])) < 10_000
        assert await store.kept_apart() == set()

    async def test_bodies_are_there_before_any_document_that_names_them(
        self, new_store: Callable[[], KeptStore]
    ) -> None:
        store = new_store()
        answer = an_annotation_submitted()
        await Ledger(store, RecordingPublisher(), Counted).fold(deliver([a_sample_ingested()]), count, key)
        orphaned = Fuse(2)  # it blows after the load and the body, before the document or a large event

        with pytest.raises(CrashError):
            ledger = Ledger(FaultyStore(store, orphaned), RecordingPublisher(), Counted)
            await ledger.fold(deliver([answer]), count, key)

        documents, bodies = await store.kept()
        assert orphaned.passed[:2] == ["before load", "before a body"]
        assert answer.event_id in bodies
        assert documents[key(answer)]["state"]["answers"] == []

    async def test_a_body_is_written_once_and_stays_as_it_is(self, new_store: Callable[[], KeptStore]) -> None:
        store = new_store()
        batch = [*deliver([a_sample_ingested()]), *deliver([an_annotation_submitted()])]

        for _ in range(2):
            await Ledger(store, RecordingPublisher(), Counted).fold(batch, count, key)

        _, bodies = await store.kept()
        assert [body["fields"] for body in bodies.values()] == [{"intent": "refund"}]

    async def test_a_document_remembers_a_bounded_number_of_events(self, new_store: Callable[[], KeptStore]) -> None:
        store = new_store()
        ledger = Ledger(store, RecordingPublisher(), Counted)
        many = [an_annotation_submitted() for _ in range(SEEN_EVENTS + 50)]
        await ledger.fold(deliver([a_sample_ingested()]), count, key)

        await ledger.fold(deliver(many), count, key)
        await ledger.fold(deliver(many), count, key)

        documents, _ = await store.kept()
        document = documents[key(many[0])]
        assert document["seen"] == [event.event_id for event in many[-SEEN_EVENTS:]]
        assert document["state"]["answers"] == [event.event_id for event in many]

    async def test_a_document_carries_its_tenant_for_the_queries_beside_the_fold(
        self, new_store: Callable[[], KeptStore]
    ) -> None:
        store = new_store()

        await Ledger(store, RecordingPublisher(), Counted).fold(deliver([a_sample_ingested()]), count, key)

        [document] = (await store.kept())[0].values()
        assert document["tenant_id"] == TENANT

    async def test_states_are_told_of_once_they_are_written(self, new_store: Callable[[], KeptStore]) -> None:
        told: list[dict[str, Any]] = []
        ledger = Ledger(new_store(), RecordingPublisher(), Counted, on_saved=lambda saved: told.append(dict(saved)))
        ingested = a_sample_ingested()

        await ledger.fold(deliver([ingested]), count, key)
        await ledger.fold(deliver([ingested]), count, key)

        assert [(saved.state.ingested, saved.revision) for each in told for saved in each.values()] == [(True, 1)]

    async def test_states_that_a_redelivery_did_not_change_are_told_of_too(
        self, new_store: Callable[[], KeptStore]
    ) -> None:
        store, ingested = new_store(), a_sample_ingested()
        await Ledger(store, RecordingPublisher(), Counted).fold(deliver([ingested]), count, key)
        told: list[dict[str, Any]] = []

        def note(states: Any) -> None:
            told.append(dict(states))

        ledger = Ledger(store, RecordingPublisher(), Counted, on_unchanged=note)
        for _ in range(2):  # the second time it is remembered
            await ledger.fold(deliver([ingested]), count, key)

        assert [(saved.state.ingested, saved.revision) for each in told for saved in each.values()] == [(True, 1)] * 2

    async def test_steps_that_run_beside_the_event_loop_do_the_same(self, new_store: Callable[[], KeptStore]) -> None:
        publisher = RecordingPublisher()
        ledger = Ledger(new_store(), publisher, Counted, in_thread=True)
        forged = an_annotation_submitted(lease_id=FORGED)

        dead = await ledger.fold(deliver([a_sample_ingested(), forged]), count, key)

        assert [letter.error for letter in dead] == [LeaseLostError.slug()]
        assert len(publisher.of(TaskCreated)) == 1
