"""How a project's work is organized: its stages, who gets which work, when people agree, until when it should be done.

Every default is what happens where a spec says nothing. What is made by ``declared`` is kept and nothing acts on it
yet: its description says so, and the check of a spec that sets it warns.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from shared.labels.faults import Fault, listed, quoted, under
from shared.labels.pii.model import PII_KINDS, PiiAction, PiiKind
from shared.labels.values import TIME_PATTERN, Count, Flag, Frozen, Name, Number, Prose

Share = Annotated[Number, Field(ge=0, le=1)]
Hours = Annotated[Number, Field(gt=0, le=10_000)]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: Final[tuple[Weekday, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
TimeOfDay = Annotated[str, Field(pattern=TIME_PATTERN)]

WITHOUT_FORCE: Final = "Declared only: nothing acts on it yet."
PREFERRED_AQLS: Final = (0.01, 0.015, 0.025, 0.04, 0.065, 0.1, 0.15, 0.25, 0.4, 0.65, 1.0, 1.5, 2.5, 4.0, 6.5, 10.0)
"""Percent nonconforming. Source: ISO 2859-1:1999, table 1: the preferred values up to 10."""


def declared(default: Any, description: str) -> Any:
    """Return a field that a spec may set although nothing acts on it yet; its description and the check say so.

    Args:
        default: What happens now, so that a spec that leaves it alone says the truth.
        description: What it will mean. Put bounds into the annotation.
    """
    return Field(default, description=f"{description} {WITHOUT_FORCE}", json_schema_extra={"without_force": True})


class Policy(Frozen):
    """Settings that belong together."""

    def faults(self) -> list[Fault]:
        """Find contradictions between the settings, with pointers into the policy."""
        return []


def without_force(policy: Policy) -> Iterator[tuple[str, str]]:
    """Find what a policy sets and nothing acts on.

    Yields:
        The JSON pointer within the policy, and what the setting means.
    """
    for name, field in type(policy).model_fields.items():
        value = getattr(policy, name)
        extra = field.json_schema_extra
        if isinstance(extra, dict) and extra.get("without_force"):
            if value != field.get_default():
                yield f"/{name}", (field.description or name).removesuffix(WITHOUT_FORCE).strip()
        elif isinstance(value, Policy):
            yield from ((f"/{name}{pointer}", meaning) for pointer, meaning in without_force(value))


class QualityPolicy(Policy):
    """How many annotators a sample needs, and when they agree."""

    overlap: Annotated[Count, Field(ge=1, le=50)] = Field(3, description="Distinct annotators a sample needs at first.")
    max_overlap: Annotated[Count, Field(ge=1, le=50)] = Field(
        default_factory=lambda known: known.get("overlap", 3),
        description="Distinct annotators a sample may get; by default `overlap`, so that disagreement goes to adjudication.",
    )
    quorum: Annotated[Number, Field(gt=0.5, le=1)] = Field(
        0.6, description="Share of equal labels that settles a field."
    )
    confident: Annotated[Number, Field(gt=0.5, lt=1)] | None = declared(
        None, "A sample is done, with however few answers, when the posterior of each required field is above this bar."
    )
    gold_share: Share = declared(0.0, "Share of claimed tasks that are gold tasks, whose answer is known.")

    def faults(self) -> list[Fault]:
        """Find a budget that is spent before it starts."""
        if self.overlap <= self.max_overlap:
            return []
        message = f"max_overlap is {self.max_overlap}, less than overlap {self.overlap}; raise it or drop it."
        return [Fault(pointer="/max_overlap", code="out-of-range", message=message)]


class AuditPolicy(Policy):
    """How lots of finished samples are inspected before they are accepted (ISO 2859-1)."""

    aql: Annotated[Number, Field(gt=0, le=10)] = Field(
        1.0, description="Acceptance quality limit: the worst tolerable share of wrong samples, in percent."
    )
    level: Literal["S-1", "S-2", "S-3", "S-4", "I", "II", "III"] = Field("II", description="Inspection level.")
    lot_size: Annotated[Count, Field(ge=2, le=500_000)] = Field(500, description="Finished samples in a lot.")

    def faults(self) -> list[Fault]:
        """Find a limit that the standard has no plan for."""
        if self.aql in PREFERRED_AQLS:
            return []
        known = ", ".join(f"{aql:g}" for aql in PREFERRED_AQLS)
        message = f"aql is {self.aql:g}, and ISO 2859-1 has plans for: {known}."
        return [Fault(pointer="/aql", code="unknown-value", message=message)]


class Workflow(Policy):
    """The stages a sample passes after its first answers."""

    peer_review: Share = Field(0.0, description="Share of samples whose consensus a reviewer looks at.")
    senior_qa: Share = declared(0.0, "Share of samples whose label a senior looks at after everybody else.")
    audit: AuditPolicy | None = declared(None, "Inspection of finished samples in lots; none by default.")
    adjudication: Flag = declared(
        True, "What annotators cannot settle goes to an adjudicator; without it the best supported values stand."
    )
    lease_seconds: Annotated[Count, Field(ge=5, le=86_400)] = Field(
        600, description="How long a claimed task is held without a heartbeat."
    )
    max_lease_seconds: Annotated[Count, Field(ge=5, le=2_592_000)] | None = Field(
        None,
        description="How long heartbeats can keep a task in all, from the claim on; without it, as long as they come.",
    )

    def faults(self) -> list[Fault]:
        """Find a limit below what a lease has anyway, and an audit without a plan."""
        faults = [] if self.audit is None else under("/audit", self.audit.faults())
        if self.max_lease_seconds is not None and self.max_lease_seconds < self.lease_seconds:
            message = f"max_lease_seconds is less than lease_seconds ({self.lease_seconds}); raise it or drop it."
            faults.append(Fault(pointer="/max_lease_seconds", code="out-of-range", message=message))
        return faults


class SkipPolicy(Policy):
    """What happens to a task that an annotator skips; they themselves do not get it again at once."""

    then: Literal["requeue", "return_later"] = Field(
        "requeue",
        description="requeue: the task goes to others alone. return_later: to others at once, and after a pause to "
        "whoever skipped it, too.",
    )
    return_after_seconds: Annotated[Count, Field(ge=1, le=2_592_000)] = Field(
        3_600, description="How long `return_later` waits."
    )
    remove_after: Annotated[Count, Field(ge=1, le=50)] | None = Field(
        None, description="Skips by different annotators after which the task is taken out and reported as contested."
    )


class DiversityPolicy(Policy):
    """Labels of one sample come from different groups of people."""

    by: Literal["team", "region"] = Field("team", description="The attribute of annotators that makes a group.")
    max_share: Annotated[Number, Field(gt=0, le=1)] = Field(
        0.5, description="The largest share of a sample's `overlap` that one group may give."
    )


class WorkingHours(Policy):
    """When the project gives out work."""

    zone: Annotated[Prose, Field(max_length=64)] = Field("UTC", description="IANA time zone.")
    days: tuple[Weekday, ...] = Field(WEEKDAYS, min_length=1, max_length=7)
    start: TimeOfDay = Field("00:00", description="Local time from which work is given out.")
    end: TimeOfDay = Field("23:59", description="Local time until which it is; earlier than `start`: of the next day.")

    def faults(self) -> list[Fault]:
        """Find a zone that is not known, a day named twice, and a day without hours."""
        faults = []
        try:
            ZoneInfo(self.zone)
        except (ValueError, OSError, LookupError):
            message = f"{quoted(self.zone)} is not an IANA time zone; name one such as Europe/Berlin."
            faults.append(Fault(pointer="/zone", code="unknown-value", message=message))
        if len(set(self.days)) < len(self.days):
            message = f"days names a day twice: {listed(self.days)}; name each once."
            faults.append(Fault(pointer="/days", code="duplicate", message=message))
        if self.start == self.end:
            message = f"start and end are both {self.start}, so no work is ever given out; choose two times."
            faults.append(Fault(pointer="/end", code="out-of-range", message=message))
        return faults


class AssignmentPolicy(Policy):
    """Who gets which work."""

    order: Literal["depth_first", "breadth_first"] = Field(
        "depth_first",
        description="depth_first: samples that others have begun come first, then those of higher priority. "
        "breadth_first: those of higher priority come first, and of one priority those that nobody has begun.",
    )
    random_within: Annotated[Count, Field(le=1_000)] = Field(
        0,
        description="Each claim gets one at random of so many tasks of one priority that come next, so that nobody has "
        "the easy ones to themselves; 0 and 1: the next one.",
    )
    skills: Mapping[Name, Annotated[Count, Field(ge=1, le=10)]] = Field(
        {}, description="Skills an annotator must have, each with its lowest level."
    )
    max_held: Annotated[Count, Field(ge=1, le=100)] | None = Field(
        None,
        description="Live leases of this project that one annotator holds at most, besides the bound of their profile; exact.",
    )
    max_per_day: Annotated[Count, Field(ge=1)] | None = Field(
        None, description="Answers of one annotator in a day (UTC) in this project; may be overshot by what is held."
    )
    max_in_project: Annotated[Count, Field(ge=1)] | None = Field(
        None, description="Answers of one annotator in this project; may be overshot by what is held."
    )
    max_share: Annotated[Number, Field(gt=0, le=1)] | None = Field(
        None,
        description="Largest share of the project's samples that one annotator answers; may be overshot by what is held.",
    )
    diversity: DiversityPolicy | None = Field(
        None, description="Labels of one sample come from different groups of people."
    )
    working_hours: WorkingHours | None = Field(None, description="When work is given out; always, by default.")
    skip: SkipPolicy = SkipPolicy()

    def faults(self) -> list[Fault]:
        """Find hours in which nobody works."""
        return [] if self.working_hours is None else under("/working_hours", self.working_hours.faults())


class PiiPolicy(Policy):
    """What becomes of personal data in texts, records, metadata and predictions."""

    action: PiiAction = Field(
        description="mask: each of its characters becomes █ before anything is stored or told. "
        "flag: the sample says what stands where. reject: the sample is refused with `pii-found`."
    )
    kinds: tuple[PiiKind, ...] = Field(PII_KINDS, min_length=1, max_length=20, description="What is looked for.")
    regions: tuple[Annotated[str, Field(pattern="^[A-Z]{2}$")], ...] = Field(
        (),
        max_length=10,
        description="ISO 3166-1 codes: whose phone numbers without a country code and whose plain identity numbers are "
        "looked for too.",
    )

    def faults(self) -> list[Fault]:
        """Find regions that no telephone plan knows."""
        from phonenumbers import SUPPORTED_REGIONS  # of 20 MB, and few projects name regions

        return [
            Fault(
                pointer=f"/regions/{position}",
                code="unknown-value",
                message=f"{quoted(region)} is no ISO 3166-1 code of a country with phone numbers; name one such as DE.",
            )
            for position, region in enumerate(self.regions)
            if region not in SUPPORTED_REGIONS
        ]


MOST_DIFFERING_BITS: Final = 4
"""So far apart may the perceptual hashes of two images be that are still found to look alike."""


class IntakePolicy(Policy):
    """What samples are taken in."""

    duplicates: Literal["allow", "link", "reject"] = Field(
        "allow",
        description="A sample whose assets are byte for byte those of another: allow: it is one more sample. "
        "link: it is kept without tasks and names the first one. reject: it is refused.",
    )
    near_duplicates: Annotated[Count, Field(le=MOST_DIFFERING_BITS)] | None = Field(
        MOST_DIFFERING_BITS,
        description="An image is flagged whose perceptual hash differs from that of an earlier sample's image in at most "
        "so many of its 64 bits; null: nothing is looked for. Flagged samples are labeled all the same.",
    )
    detect_language: Flag = Field(
        False,
        description="Whether the language of texts inside samples is detected, as that of text files always is. "
        "It costs 0.2 ms or more of ingest's CPU a text.",
    )
    pii: PiiPolicy | None = Field(
        None, description="Whether personal data is looked for, and what then becomes of it; it is not, by default."
    )

    def faults(self) -> list[Fault]:
        """Find what is wrong with the policy on personal data."""
        return [] if self.pii is None else under("/pii", self.pii.faults())


class Sla(Policy):
    """Until when a sample should have its label of record, and what happens as that time comes near."""

    hours: Hours | None = Field(
        None,
        description="From ingestion to the label of record, for samples that come without a due date of their own.",
    )
    warn_hours: Hours | None = Field(
        None, description="A warning is told as soon as open work is due within so many hours; see `sla.at_risk.v1`."
    )
    near_hours: Hours = Field(24.0, description="Work that is due within so many hours is near.")
    urgent_hours: Hours = Field(4.0, description="Work that is due within so many hours is urgent.")
    rise: Annotated[Count, Field(le=1_000_000)] = Field(
        10,
        description="What near work gains in priority; urgent work gains twice, overdue work three times as much. 0: no work rises.",
    )
    open_to: tuple[Literal["reviewer", "adjudicator"], ...] = Field(
        (),
        max_length=2,
        description="While the first pass is at risk or late, people of these roles are given its work, too.",
    )

    def faults(self) -> list[Fault]:
        """Find a warning that would come before the sample, and work that would be urgent before it is near."""
        faults = []
        if self.hours is not None and self.warn_hours is not None and self.warn_hours >= self.hours:
            message = f"warn_hours is {self.warn_hours:g}, not less than hours ({self.hours:g}); lower it."
            faults.append(Fault(pointer="/warn_hours", code="out-of-range", message=message))
        if self.urgent_hours > self.near_hours:
            message = f"urgent_hours is {self.urgent_hours:g}, more than near_hours ({self.near_hours:g}); lower it."
            faults.append(Fault(pointer="/urgent_hours", code="out-of-range", message=message))
        return faults
