"""The work that can be given out, in memory and in order, for the partitions that this replica owns.

Ownership is for speed: what is picked here is only leased when the compare-and-set on the sample's document succeeds.

Of a sample that nobody has touched, and of one on which nothing is left to do, the board keeps no object, for there may
be a million of each: they are packed in a run (``packed``), and while they wait for that, an entry in the backlog and a
value that all samples of the same kind share.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from random import Random
from typing import Any, Final

from services.task_assignment.domain.ages import MINUTE_MS, Ages, Queue, Waiting, free_slots
from services.task_assignment.domain.due_book import DueBook, due_work
from services.task_assignment.domain.eligibility import barred_from, is_diverse, may_take
from services.task_assignment.domain.kept import (
    Brief,
    Fresh,
    Known,
    Scope,
    counted,
    counts_of,
    counts_of_fresh,
    due_work_of,
    fresh_of,
    fresh_of_state,
    is_in_work,
    leases_in,
    made_of,
    task_of,
)
from services.task_assignment.domain.ordered import Entry
from services.task_assignment.domain.packed import Cursor, Loose, Packed, PackedRun, Sums, queue_of
from services.task_assignment.domain.picks import DueLease, DueReturn, Empty, Pick
from services.task_assignment.domain.ready import Place, QueueName, ReadyTasks, Seeker, WhyEmpty, order_of
from services.task_assignment.domain.shelf import Shelf
from services.task_assignment.domain.tally import Tally
from services.task_assignment.domain.tasks import Returning, SampleTasks, task_key
from services.task_assignment.domain.timers import Timers
from shared.ledger import Saved

NO_GROUP: Final[tuple[str | None, int]] = (None, 0)
ON_THE_BOARD: Final = tuple(SampleTasks.model_fields.keys() - {"assets", "metadata", "predictions"})
"""What the board knows of a sample: who may work on it, not what the work is about."""


class Board:
    """Ready queues, ends of leases, and counts, kept in step with the documents."""

    def __init__(self, random: Random | None = None) -> None:
        """Begin with nothing.

        Args:
            random: Chooses, where a project has its tasks chosen at random; one of a known seed makes that repeatable.
        """
        self.shelf = Shelf()
        self._ready = ReadyTasks(self._in_backlog, random or Random())  # noqa: S311 - fair, not secret
        self._ends: Timers[DueLease] = Timers()
        self._returns: Timers[DueReturn] = Timers()
        self.tally = Tally()
        self._ages = Ages()
        self.due: DueBook[Scope] = DueBook()
        self._owned: set[int] = set()
        self._whole: set[int] = set()
        self._unsure: set[int] = set()

    @property
    def owned(self) -> frozenset[int]:
        """The partitions whose samples are served here."""
        return frozenset(self._owned)

    @property
    def whole(self) -> frozenset[int]:
        """The owned partitions of which every sample is known."""
        return frozenset(self._whole)

    @property
    def unsure(self) -> frozenset[int]:
        """The partitions that began from an image and were not compared with the store since."""
        return frozenset(self._unsure)

    @property
    def is_whole(self) -> bool:
        """Whether every sample is known of the partitions that are owned."""
        return self._whole == self._owned

    def own(self, partitions: Iterable[int]) -> None:
        """Begin to keep samples of these partitions."""
        self._owned |= set(partitions)

    def complete(self, partition: int) -> None:
        """Take note that all samples of a partition were loaded."""
        self._whole.add(partition)

    def confirm(self, partition: int) -> None:
        """Take note that a partition was compared with the store."""
        self._unsure.discard(partition)

    def disown(self, partitions: Collection[int]) -> None:
        """Forget the samples of these partitions."""
        gone = set(partitions)
        self._owned -= gone
        self._whole -= gone
        self._unsure -= gone
        for _, known in self.shelf.beside(gone):
            if isinstance(known, Known):
                self._withdraw(known)
        self._ready.forget_backlog(*self.shelf.drop(gone))
        for partition in gone:
            self._ends.forget(partition)
            self._returns.forget(partition)
        self.tally.forget(gone)
        self._ages.forget(gone)
        self.due.forget(lambda scope: scope.partition in gone)

    def load(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Take in samples as their documents stand in the store; ``ON_THE_BOARD`` is enough of their states.

        The same as ``put`` of each, but no object is made of a sample that nobody has touched.
        """
        for document in documents:
            state, revision = document["state"], document["revision"]
            if state is None or state["partition"] not in self._owned:
                continue
            id_ = document["_id"]
            fresh = None if self.shelf.find(id_, state["partition"]) is not None else fresh_of_state(state)
            if fresh is None:
                self.put(SampleTasks.model_validate(state), revision)
            else:
                scope = Scope(state["tenant_id"], state["project_id"], state["partition"])
                self._put_fresh(id_, scope, revision, fresh, state["created_ms"], state.get("due_ms", 0))

    def take_in(self, partition: int, run: PackedRun, sums: Sums) -> None:
        """Take in a run of a partition that came, and what its samples add up to; the newer of what is known stands."""
        outdated: set[str] = set()
        for id_, found in list(self.shelf.beside({partition})):
            at = run.find(id_)
            if at is not None and not self._keep_newer(id_, found, run.kinds[run.kind[at]], run.created_ms[at]):
                outdated.add(id_)
        if outdated:  # their entries tell of an order, or of work, that is not theirs any more
            self._ready.forget_backlog(lambda entry: entry[1] in outdated, [])
        for brief, count in sums.kinds.items():
            self.tally.change(brief.scope, (), tuple((name, count * each) for name, each in brief.counts))
            work = due_work_of(brief)
            self.due.move(brief.scope, (), [w._replace(tasks=count * w.tasks, slots=count * w.slots) for w in work])
        for (brief, minute), count in sums.minutes.items():
            free = {queue: count * slots for queue, slots in free_slots(brief).items()}
            self._ages.change(brief.scope, minute * MINUTE_MS, {}, free)
        self.shelf.put_run(partition, run)
        self._line_up_run(run)
        self._unsure.add(partition)

    def swap(self, partition: int, packed: Packed) -> None:
        """Keep a new run of a partition, unless that has gone, or was packed by another, since the run was begun."""
        old = packed.of.run
        if partition in self._owned and self.shelf.run(partition) is old:
            self._ready.forget_backlog(self.shelf.swap(partition, packed), [] if old is None else [old])
            self._line_up_run(packed.run)

    def put_saved(self, samples: Mapping[str, Saved[SampleTasks]]) -> None:
        """Take in what a fold has written or read."""
        for saved in samples.values():
            self.put(saved.state, saved.revision)

    def put(self, sample: SampleTasks, revision: int, *, even_older: bool = False) -> None:
        """Take in a sample as it stands in the store.

        One that is older than what is known here, or of a partition that is not owned, is passed over.

        Args:
            sample: The sample.
            revision: Its document's.
            even_older: It is taken in also where something newer is known here: that was lost in the store.
        """
        id_ = f"{sample.tenant_id}/{sample.sample_id}"
        before = self.shelf.find(id_, sample.partition)
        is_newer = before is None or revision > before.revision or even_older
        if sample.partition not in self._owned or not is_newer:
            return
        scope = Scope(sample.tenant_id, sample.project_id, sample.partition)
        if before is None and (fresh := fresh_of(sample)) is not None:
            self._put_fresh(id_, scope, revision, fresh, sample.created_ms, sample.due_ms)
            return
        now = Known(sample, revision, counted(sample), due_work(sample))
        self._recount(scope, sample.created_ms, before, now)
        if isinstance(before, Known):
            now.taken, now.places = before.taken, before.places
        self._line_up(id_, now)
        self._note_leases(id_, before, sample)
        self._note_returns(id_, before, sample)
        if is_in_work(sample) or now.taken:
            self.shelf.keep(id_, now)
        else:
            brief = self.shelf.shared(Brief(scope, revision, now.counts, None))
            self.shelf.keep(id_, Loose(brief, sample.created_ms, 0))

    def sample(self, document_id: str) -> SampleTasks:
        """Return a sample that is being worked on as it is known here: as far as ``ON_THE_BOARD``.

        Raises:
            KeyError: It is not known here, or nobody works on it.
        """
        if (known := self.shelf.known(document_id)) is None:
            raise KeyError(document_id)
        return known.sample

    def pick(self, seeker: Seeker, exclude: Collection[str] = ()) -> Pick | Empty:
        """Choose the next slot for somebody, in the order in which each project has its tasks served.

        Depth first: partly filled before untouched, then by priority, then the oldest. Breadth first: by priority, then
        untouched before partly filled. At random: any of the first few of one priority.

        Args:
            seeker: Who asks, and what they may do.
            exclude: Task ids that they are being given at the moment.

        Returns:
            The slot, held back from others until ``done_with``; or why there is none.
        """

        def accepts(entry: Entry) -> bool:
            _, id_, key = entry
            known = self.shelf.known(id_)
            if known is None:
                return not exclude or task_of(entry) not in exclude
            task = known.sample.tasks[key]
            group, most = seeker.groups.get(known.sample.project_id, NO_GROUP)
            return (
                task.task_id not in exclude
                and may_take(known.sample, task, seeker.annotator_id)
                and is_diverse(task, group, most)
            )

        entry, seen = self._ready.first(seeker, accepts)
        if entry is None:
            return Empty("all-done-by-you" if seen else "no-open-tasks", seen)
        _, id_, key = entry
        known = self._opened(entry)
        task = known.sample.tasks[key]
        group = seeker.groups.get(known.sample.project_id, NO_GROUP)[0]
        beside = None if group is None else tuple(task.annotators)
        pick = Pick(id_, key, task.task_id, self._free(known, key)[0], task.stage, group, beside)
        known.taken.add((key, pick.slot))
        self._line_up(id_, known)
        return pick

    def why_empty(self, seeker: Seeker) -> WhyEmpty:
        """Return which filter left nothing of what is open in somebody's tenant."""
        return self._ready.why_empty(seeker)

    def done_with(self, pick: Pick) -> None:
        """Let go of a slot that was picked; whether it was leased stands in the store."""
        if (known := self.shelf.known(pick.document_id)) is not None:
            known.taken.discard((pick.task_key, pick.slot))
            self._line_up(pick.document_id, known)

    def ended(self, partition: int, before_ms: int) -> Iterator[DueLease]:
        """Yield, and forget, the leases of a partition that ended before a time and still stand so in the store."""
        for due in self._ends.before(partition, before_ms):
            if self._stands(due):
                yield due

    def earliest_end(self, partition: int) -> int | None:
        """Return when the next lease of a partition ends, in ms since 1970."""
        return self._ends.earliest(partition)

    def returning(self, partition: int, before_ms: int) -> Iterator[DueReturn]:
        """Yield, and forget, those of a partition who may have a task again that they skipped, and still wait for it."""
        for due in self._returns.before(partition, before_ms):
            known = self.shelf.known(due.document_id)
            task = None if known is None else known.sample.tasks.get(due.task_key)
            if task is not None and Returning(annotator_id=due.annotator_id, at_ms=due.at_ms) in task.returning:
                yield due

    def remember(self, due: DueLease | DueReturn, partition: int) -> None:
        """Put back what has to be tried again."""
        if isinstance(due, DueLease):
            self._ends.note(due, partition)
        else:
            self._returns.note(due, partition)

    def waiting(self) -> dict[Queue, Waiting]:
        """Return, by tenant, project, stage and language, how many slots are free and since when the oldest is."""
        return self._ages.waiting()

    def late(self, now_ms: int) -> int:
        """Return how many leases have ended and are neither answered nor taken back."""
        return sum(self._ends.count_before(partition, now_ms, self._stands) for partition in self._owned)

    def revision(self, document_id: str, partition: int) -> int:
        """Return the revision of a sample of a partition that is known here; 0 where none is."""
        known = self.shelf.find(document_id, partition)
        return 0 if known is None else known.revision

    def _stands(self, due: DueLease) -> bool:
        known = self.shelf.known(due.document_id)
        standing = (due.lease_id, due.expires_ms)
        return known is not None and leases_in(known.sample, due.task_key).get(due.slot) == standing

    def _in_backlog(self, entry: Entry) -> bool:
        return self.shelf.waits_untouched(entry[1])

    def _put_fresh(self, id_: str, scope: Scope, revision: int, fresh: Fresh, created_ms: int, due_ms: int) -> None:
        brief = self.shelf.shared(Brief(scope, revision, counts_of_fresh(fresh), fresh))
        self._recount(scope, created_ms, None, brief)
        self.shelf.keep(id_, Loose(brief, created_ms, due_ms))
        if (name := queue_of(brief, due_ms)) is not None:
            entry = (order_of(fresh.priority, created_ms, due_ms), id_, task_key(fresh.stage, 1))
            self._ready.add_to_backlog(name, entry)

    def _recount(self, scope: Scope, created_ms: int, before: Brief | Known | None, now: Brief | Known | None) -> None:
        self.tally.change(scope, counts_of(before), counts_of(now))
        self._ages.change(scope, created_ms, free_slots(before), free_slots(now))
        self.due.move(scope, due_work_of(before), due_work_of(now))

    def _keep_newer(self, id_: str, found: Loose | Known, in_run: Brief, created_ms: int) -> bool:
        """Take from the sums what the older of two says, and return whether that was the run: else what was found goes."""
        known = found.brief if isinstance(found, Loose) else found
        if known.revision >= in_run.revision:
            self._recount(in_run.scope, created_ms, in_run, None)
            return True
        self._recount(known.scope, created_ms, known, None)
        if isinstance(known, Known):
            self._withdraw(known)
        self.shelf.remove(id_)
        return False

    def _withdraw(self, known: Known) -> None:
        for place in known.places.values():
            self._ready.withdraw(place)

    def _line_up_run(self, run: PackedRun) -> None:
        for name in run.queues:
            self._ready.add_run(name, Cursor(run, name))

    def _opened(self, entry: Entry) -> Known:
        """Return what is kept of a sample that is being worked on, made now if nobody has touched it yet."""
        order, id_, key = entry
        known = self.shelf.known(id_)
        if known is not None:
            return known
        brief = self.shelf.waiting(id_)
        opened = Known(made_of(brief, order, id_, key), brief.revision, brief.counts, due_work_of(brief))
        self.shelf.keep(id_, opened)
        return opened

    def _free(self, known: Known, key: str) -> list[str]:
        return [slot for slot in known.sample.tasks[key].free if (key, slot) not in known.taken]

    def _line_up(self, id_: str, known: Known) -> None:
        """Put each task of a sample where it now belongs in line."""
        for key in known.places.keys() | known.sample.tasks.keys():
            place = self._place(id_, known, key) if key in known.sample.tasks else None
            before = known.places.get(key)
            if place == before:
                continue
            if before is not None:
                self._ready.withdraw(before)
                del known.places[key]
            if place is not None:
                self._ready.put(place)
                known.places[key] = place

    def _place(self, id_: str, known: Known, key: str) -> Place | None:
        sample, task = known.sample, known.sample.tasks[key]
        if not self._free(known, key):
            return None
        begun = any(slot.state != "free" or (key, name) in known.taken for name, slot in task.slots.items())
        level = sample.priority if sample.until_ms else None
        name = QueueName(sample.tenant_id, sample.project_id, task.stage, sample.language or "", level)
        order = order_of(sample.priority, sample.created_ms, sample.until_ms)
        return Place(name, begun, (order, id_, key), barred_from(sample, task))

    def _note_leases(self, id_: str, before: Brief | Known | None, sample: SampleTasks) -> None:
        for key in sample.tasks:
            known_leases = leases_in(before.sample, key) if isinstance(before, Known) else {}
            for slot, (lease_id, expires_ms) in leases_in(sample, key).items():
                if known_leases.get(slot) != (lease_id, expires_ms):
                    self._ends.note(DueLease(expires_ms, id_, key, slot, lease_id), sample.partition)

    def _note_returns(self, id_: str, before: Brief | Known | None, sample: SampleTasks) -> None:
        for key, task in sample.tasks.items():
            was = before.sample.tasks.get(key) if isinstance(before, Known) else None
            for each in task.returning:
                if was is None or each not in was.returning:
                    self._returns.note(DueReturn(each.at_ms, id_, key, each.annotator_id), sample.partition)
