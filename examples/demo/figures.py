"""What the report tells: figures that the services gave, and of what was sent only how much it was."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field


class Figures(BaseModel):
    """A part of the report."""

    model_config = ConfigDict(frozen=True)


class Sent(Figures):
    """What the demo sent to a project, to compare with what the services say of it."""

    samples: int
    """Good ones, with a known truth."""
    corrupt: int
    """Samples whose file breaks off."""
    malformed: int
    """Lines that are no JSON."""


class Accuracy(Figures):
    """Mean accuracy against the truth, 0 to 1, of single answers and of labels, over the same samples."""

    samples: int
    single: float = Field(description="Mean over samples of the mean over their annotators.")
    label: float


class FieldFigures(Figures):
    """Agreement and accuracy of one field."""

    field: str
    kind: str
    alpha: float | None = Field(description="Krippendorff's alpha as qa gives it.")
    low: float | None = None
    high: float | None = None
    undefined: str | None = None
    pairwise: float | None = None
    units: int = Field(description="Samples that at least two annotators answered.")
    record: Accuracy = Field(
        description="Of the first dataset: consensus, and what reviewers and adjudicators made of it."
    )
    consensus: Accuracy | None = Field(description="Of those of its samples that the consensus alone decided.")
    second: float | None = Field(None, description="Accuracy of the second dataset, where there is one.")


class RuleFigures(Figures):
    """How answers and labels of record met one rule."""

    rule: str
    severity: str
    passed: int
    warned: int
    labels: int = Field(0, description="Labels of record that the rule applies to.")
    labels_passed: int = Field(0, description="Those of them that meet it.")


class DatasetFigures(Figures):
    """A frozen dataset."""

    dataset_id: str
    tag: str
    samples: int
    decided_by: Mapping[str, int]
    languages: Mapping[str, int]


class ExportFigures(Figures):
    """A file that was made of a dataset and downloaded."""

    format: str
    tag: str
    path: str
    size: int = Field(description="Bytes on disk.")
    promised: int = Field(description="Bytes that versioning wrote.")
    records: int


class ProjectFigures(Figures):
    """All that is told of one project."""

    project: str
    project_id: str
    title: str
    sent: Sent
    lines: int = Field(description="Lines that the import's job counted.")
    ingested: int
    failed_lines: int
    faults: Sequence[str] = Field(description="Why lines failed.")
    states: Mapping[str, int] = Field(description="Samples by state.")
    tasks: Mapping[str, int] = Field(description="By stage.")
    slots: Mapping[str, Mapping[str, int]] = Field(description="By stage and state.")
    leases_expired: int
    annotations: Mapping[str, int] = Field(description="Answers that count, by stage.")
    late: int = Field(description="Answers that came too late and were kept as drafts.")
    reviews: Mapping[str, int] = Field(description="Samples by the verdicts that they were given.")
    decided_by: Mapping[str, int]
    fields: Sequence[FieldFigures]
    rules: Sequence[RuleFigures]
    datasets: Sequence[DatasetFigures]
    exports: Sequence[ExportFigures]

    @property
    def served_again(self) -> int:
        """Expired leases whose slot has been answered by somebody else: all but those still without an answer.

        A slot of the first pass is never dropped, and those who vanish hold no others.
        """
        unanswered = sum(n for state, n in self.slots.get("first_pass", {}).items() if state != "done")
        return max(0, self.leases_expired - unanswered)


class FieldErrors(Figures):
    """How the model does in one field."""

    field: str
    error_rate: float
    judged: int
    erring: int


class FindingFigures(Figures):
    """What the model errs in, and what looking at it gave."""

    finding_id: str
    field: str
    slice: str
    error_rate: float
    samples: int
    state: str
    changed: int
    confirmed: int
    waiting: int


class DiffFigures(Figures):
    """What differs between the first and the second dataset."""

    before: str
    after: str
    changed: int
    reverified: int = Field(description="Looked at again and confirmed.")
    unchanged: int
    fields: Mapping[str, int] = Field(description="Changed samples by field.")
    examples: Sequence[str] = Field(description="Some of the changes in words.")


class ModelFigures(Figures):
    """A model's predictions and what came of them."""

    model: str
    version: str
    sent: int
    accepted: int
    errors: Sequence[FieldErrors]
    findings: Sequence[FindingFigures]
    diff: DiffFigures


class Report(Figures):
    """The whole report but for what was expected of it."""

    run: str
    simulated: str
    seconds: float
    steps: Mapping[str, float] = Field(description="Seconds by step.")
    projects: Sequence[ProjectFigures]
    model: ModelFigures
    addresses: Mapping[str, str]

    def project(self, name: str) -> ProjectFigures:
        """Return the figures of a project by the name of its folder.

        Raises:
            KeyError: There is none.
        """
        for figures in self.projects:
            if figures.project == name:
                return figures
        raise KeyError(f"the report has no project {name!r}")
