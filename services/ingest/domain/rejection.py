"""Why a file cannot become a sample's asset."""

from __future__ import annotations

from shared.errors import LabelmeshError


class MediaRejectedError(LabelmeshError):
    """A file is not what its slot asks for, or cannot be read to its end.

    Attributes:
        code: Stable kebab-case name of the reason (``truncated``, ``wrong-type``); clients may switch on it.
        detail: One sentence for a person: what is wrong with the file and what to do next.
    """

    status, title = 422, "The file cannot be used"

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
