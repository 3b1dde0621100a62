"""What task assignment's store promises of the figures of projects, on any database."""

from __future__ import annotations

from services.task_assignment.domain.alarms import Alarm, Alarms
from services.task_assignment.domain.due_book import DueWork
from services.task_assignment.domain.figures import Figures
from services.task_assignment.domain.kept import Scope
from services.task_assignment.domain.pace import Pace
from tests.builders import TENANT
from tests.task_store_rules import KeptTasks


class TaskFiguresRules:
    """Tests; a subclass has a fixture ``kept``."""

    async def test_progress_is_summed_over_the_partitions_that_wrote_it(self, kept: KeptTasks) -> None:
        await kept.store.write_figures({Scope(TENANT, "support", 0): Figures({"samples.open": 2})})
        await kept.store.write_figures(
            {
                Scope(TENANT, "support", 0): Figures({"samples.open": 1, "samples.final": 1}),
                Scope(TENANT, "support", 3): Figures({"samples.open": 4}),
                Scope(TENANT, "other", 3): Figures({"samples.open": 9}),
            }
        )
        await kept.store.write_figures({})

        assert await kept.store.progress(TENANT, "support", 12) == {"samples.open": 5, "samples.final": 1}
        assert await kept.store.progress("globex", "support", 12) == {}

    async def test_figures_are_read_as_they_were_written(self, kept: KeptTasks) -> None:
        scope, elsewhere = Scope(TENANT, "support", 0), Scope("globex", "support", 0)
        pace = Pace(1_000).plus(3, 5_000_000).plus(1, 5_600_000)
        figures = Figures({"slots.first_pass.done": 4}, {"first_pass": pace}, [DueWork("first_pass", 9_000_000, 2, 5)])

        await kept.store.write_figures({scope: figures})

        assert await kept.store.figures([scope, elsewhere]) == {scope: figures}

    async def test_of_two_who_write_alarms_one_has_not_seen_the_others(self, kept: KeptTasks) -> None:
        first = Alarms(
            by_name={"first_pass.due": Alarm(episode=1, is_raised=True)}, untold=[{"kind": "x", "event": {}}]
        )
        _, none_yet = (await kept.store.alarms(["acme/support"]))["acme/support"]

        assert await kept.store.write_alarms("acme/support", first, none_yet)
        assert not await kept.store.write_alarms("acme/support", Alarms(), none_yet)

        assert await kept.store.alarms(["acme/support"]) == {"acme/support": (first, none_yet + 1)}
