"""What the board knows of each sample: packed runs, a partition's in one, and beside them whatever has changed since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

from services.task_assignment.domain.image import Image
from services.task_assignment.domain.kept import Brief, Known
from services.task_assignment.domain.ordered import Entry
from services.task_assignment.domain.packed import Loose, Packed, PackedRun, Snapshot


class Shelf:
    """Samples by the ids of their documents. What is kept beside a run goes before what is in it."""

    def __init__(self) -> None:
        self._beside: dict[str, Loose | Known] = {}
        self._runs: dict[int, PackedRun] = {}
        self._loose: Counter[int] = Counter()
        self._changes: Counter[int] = Counter()
        self._briefs: dict[Brief, Brief] = {}

    def known(self, id_: str) -> Known | None:
        """Return a sample that is being worked on; None of any other."""
        found = self._beside.get(id_)
        return found if isinstance(found, Known) else None

    def find(self, id_: str, partition: int) -> Brief | Known | None:
        """Return what is known of a sample of a partition."""
        found = self._beside.get(id_)
        if found is None:
            return None if (run := self._runs.get(partition)) is None else run.brief(id_)
        return found.brief if isinstance(found, Loose) else found

    def waiting(self, id_: str) -> Brief:
        """Return what is known of a sample that was found in the backlog and that nobody works on.

        Raises:
            KeyError: It is not in the backlog.
        """
        found = self._beside.get(id_)
        if isinstance(found, Loose):
            return found.brief
        for run in self._runs.values():  # there may be many, and a look into this is quick
            if (at := run.ahead.get(id_)) is not None:
                return run.kinds[run.kind[at]]
        raise KeyError(id_)

    def waits_untouched(self, id_: str) -> bool:
        """Return of a sample that was put in the backlog whether it still belongs there."""
        found = self._beside.get(id_)  # whatever changes is kept beside the run that it was in
        return found is None or (isinstance(found, Loose) and found.brief.fresh is not None)

    def keep(self, id_: str, now: Loose | Known) -> None:
        """Keep what is known of a sample now, instead of what was."""
        scope = now.brief.scope if isinstance(now, Loose) else now.scope
        before = self._beside.get(id_)
        if before is None and (run := self._runs.get(scope.partition)) is not None:
            run.supersede(id_)
        self._loose[scope.partition] += isinstance(now, Loose) - isinstance(before, Loose)
        self._changes[scope.partition] += 1
        self._beside[id_] = now

    def shared(self, brief: Brief) -> Brief:
        """Return the one value that is kept for all that are alike."""
        return self._briefs.setdefault(brief, brief)

    def loose(self, partition: int) -> int:
        """Return how many samples could be packed."""
        return self._loose[partition]

    def changes(self, partition: int) -> int:
        """Return how often something has changed in a partition."""
        return self._changes[partition]

    def beside(self, partitions: Collection[int]) -> Iterator[tuple[str, Loose | Known]]:
        """Yield what is known of some partitions beside their runs."""
        for id_, found in self._beside.items():
            if (found.brief.scope if isinstance(found, Loose) else found.scope).partition in partitions:
                yield id_, found

    def run(self, partition: int) -> PackedRun | None:
        """Return a partition's run."""
        return self._runs.get(partition)

    def snapshot(self, partition: int) -> Snapshot:
        """Return what there is to pack."""
        run = self._runs.get(partition)
        loose = {id_: found for id_, found in self.beside({partition}) if isinstance(found, Loose)}
        return Snapshot(run, b"" if run is None else bytes(run.superseded), loose)

    def image(self, partition: int) -> Image:
        """Return all that is known of a partition that has a run, as far as it is not to be read from the store."""
        run = self._runs[partition]
        listed = tuple(id_ for id_, _ in self.beside({partition}))
        return Image(replace(run, superseded=bytearray(run.superseded), ahead={}), listed)

    def put_run(self, partition: int, run: PackedRun) -> None:
        """Keep a run of a partition that has none. What is known beside it already goes before what is in it."""
        for id_, _ in self.beside({partition}):
            run.supersede(id_)
        self._runs[partition] = run
        self._changes[partition] += 1

    def swap(self, partition: int, packed: Packed) -> Callable[[Entry], bool]:
        """Keep a new run instead of the one that it was made of, and of what is in it nothing beside it.

        What has changed since the snapshot stays beside it, and is superseded in it.

        Returns:
            Which entries of the backlog are to be dropped, for the new run brings them.
        """
        old, new = packed.of.run, packed.run
        if old is not None:
            for id_ in old.superseded_since(packed.of.superseded):
                new.supersede(id_)
        went = set()
        for id_ in packed.loose:
            if self._beside.get(id_) is packed.of.loose[id_]:
                del self._beside[id_]
                went.add(id_)
            else:
                new.supersede(id_)
        if len(went) > len(self._beside):
            self._beside = dict(self._beside)  # a dict does not shrink by itself
        self._loose[partition] -= len(went)
        self._runs[partition] = new
        return self._is_gone(went, [] if old is None else [old])

    def remove(self, id_: str) -> None:
        """Forget a sample that is kept beside the run of its partition."""
        gone = self._beside.pop(id_)
        scope = gone.brief.scope if isinstance(gone, Loose) else gone.scope
        self._loose[scope.partition] -= isinstance(gone, Loose)

    def drop(self, partitions: Collection[int]) -> tuple[Callable[[Entry], bool], list[PackedRun]]:
        """Forget partitions.

        Returns:
            Which entries of the backlog are to be dropped, and which runs.
        """
        went = {id_ for id_, _ in self.beside(partitions)}
        self._beside = {id_: found for id_, found in self._beside.items() if id_ not in went}
        runs = [run for partition in partitions if (run := self._runs.pop(partition, None)) is not None]
        self._briefs = {brief: brief for brief in self._briefs if brief.scope.partition not in partitions}
        for partition in partitions:
            self._loose.pop(partition, None)
        return self._is_gone(went, runs), runs

    def _is_gone(self, went: set[str], runs: Collection[PackedRun]) -> Callable[[Entry], bool]:
        def is_gone(entry: Entry) -> bool:
            id_ = entry[1]
            return id_ in went or (id_ not in self._beside and any(run.find(id_) is not None for run in runs))

        return is_gone
