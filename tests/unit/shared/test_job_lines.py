"""Lines told of together count as if each had been told of alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.events import Event
from shared.events.imports import ImportLineFinished, ImportLinesFinished
from shared.job_lines import lines_key, on_lines_finished, told_together
from shared.jobs import JobPart, on_line_finished, part_key
from tests.builders import a_sample_ingested, an_import_line_finished
from tests.fakes import as_read

told = st.lists(
    st.tuples(st.integers(1, 2100), st.sampled_from(["created", "unchanged", "replaced", "rejected"])), max_size=30
)


def finished(line: int, outcome: str = "created") -> ImportLineFinished:
    return an_import_line_finished(line=line, outcome=outcome, event_id=f"line-{line}", job_id="job-1")


def counted(events: list[Event]) -> dict[str, tuple[str, dict[str, int]]]:
    parts: dict[str, JobPart] = {}
    for event in map(as_read, events):
        if isinstance(event, ImportLinesFinished):
            step, key = on_lines_finished(parts.get(lines_key(event)), event), lines_key(event)
        else:
            assert isinstance(event, ImportLineFinished)
            step, key = on_line_finished(parts.get(part_key(event)), event), part_key(event)
        assert step.state is not None
        parts[key] = step.state
    return {key: (part.lines, part.outcomes) for key, part in parts.items()}


@given(told=told, again=st.integers(0, 30))
def test_lines_told_of_together_and_in_part_again_count_as_if_each_was_told_of_alone(
    told: list[tuple[int, str]], again: int
) -> None:
    once = {line: finished(line, outcome) for line, outcome in told}
    events: list[Event] = list(once.values())

    assert counted([*told_together(events), *told_together(events[:again])]) == counted(events)


def test_lines_with_faults_and_all_else_are_told_of_alone() -> None:
    failed, ingested = finished(3, "rejected"), a_sample_ingested()

    together = told_together([finished(1), ingested, failed, finished(2)])

    assert together[:2] == [ingested, failed]
    [lines] = together[2:]
    assert isinstance(lines, ImportLinesFinished)
    assert lines.lines == {"created": [1, 2]}


def test_a_line_alone_is_told_of_as_it_is_and_jobs_are_kept_apart() -> None:
    events: list[Event] = [
        finished(1),
        an_import_line_finished(line=1, job_id="job-2"),
        an_import_line_finished(line=1, job_id="job-1", tenant_id="other"),
    ]

    assert told_together(events) == events
