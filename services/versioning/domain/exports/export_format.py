"""What every export format has in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from services.versioning.domain.label_row import DatasetRow
from shared.errors import LabelmeshError
from shared.labels.faults import listed
from shared.labels.kinds import FieldOptions


class ExportRefusedError(LabelmeshError):
    """The dataset cannot be written in this format, or not with these options."""

    status, title = 422, "The export cannot be written"


@dataclass(frozen=True, slots=True)
class ExportContext:
    """What a writer knows beside the rows."""

    dataset_id: str
    fields: Mapping[str, FieldOptions]
    """The options of each field of the project."""
    options: Mapping[str, Any]

    def field_of_kind(self, kind: str) -> str:
        """Return the field that the option ``field`` names, or the project's only one of this kind.

        Raises:
            ExportRefusedError: There is none, or several and no choice between them.
        """
        candidates = sorted(name for name, field in self.fields.items() if field.kind == kind)
        chosen = self.options.get("field")
        if chosen is None and len(candidates) == 1:
            return candidates[0]
        if chosen in candidates:
            return str(chosen)
        if not candidates:
            raise ExportRefusedError(f"The dataset has no field of kind {kind}; choose another format.")
        raise ExportRefusedError(f'Name the field with the option "field"; of kind {kind} are {listed(candidates)}.')


Writer = Callable[[Iterator[DatasetRow], ExportContext, BinaryIO], int]
"""Writes rows, which come sorted by sample id, and returns how many records it wrote. Same rows, same bytes."""


@dataclass(frozen=True, slots=True)
class ExportFormat:
    """One format. The registry holds one of each."""

    name: str
    suffix: str
    media_type: str
    description: str
    write: Writer
    options: Mapping[str, str] = field(default_factory=dict)
    """What each option means."""

    def check(self, options: Mapping[str, Any]) -> None:
        """Check that the options are known.

        Raises:
            ExportRefusedError: Some are not.
        """
        unknown = sorted(set(options) - set(self.options))
        if unknown:
            known = listed(self.options) or "none"
            raise ExportRefusedError(f"{listed(unknown)} is no option of format {self.name}; there are: {known}.")
