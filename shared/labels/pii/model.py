"""What personal data is looked for, and how a find is told without telling what was found."""

from typing import Final, Literal, get_args

from pydantic import BaseModel, ConfigDict

PiiKind = Literal["email", "phone", "card", "iban", "ip", "national-id"]
PII_KINDS: Final[tuple[PiiKind, ...]] = get_args(PiiKind)
PiiAction = Literal["mask", "flag", "reject"]

MAX_FINDINGS: Final = 200
"""Findings told of one sample; all are masked, however many there are."""


class PiiFinding(BaseModel):
    """Where something stands that looks like personal data; never the data."""

    model_config = ConfigDict(frozen=True)

    kind: PiiKind
    pointer: str
    """JSON pointer (RFC 6901) into the sample: ``/assets/chat/text``, ``/assets/ticket/record/contact``."""
    start: int
    """Code points into the text there, in NFC; as spans count."""
    end: int

    @property
    def is_of_asset(self) -> bool:
        """Whether it stands in an asset, and not in what describes the sample."""
        return self.pointer.startswith("/assets/")


class UndecidableError(ValueError):
    """A sample holds more of what may be numbers of people than is looked at."""


class Effort:
    """How much of one sample may be looked at closely: what strangers send must not hold up everybody else."""

    def __init__(self, units: int = 10_000) -> None:
        """Set the budget.

        Args:
            units: Characters in stretches that may be numbers of people. Measured: 10,000 cost 0.3 s at worst.
        """
        self._left = units

    def spend(self, units: int) -> None:
        """Take from what is left.

        Raises:
            UndecidableError: That much is not left.
        """
        self._left -= units
        if self._left < 0:
            raise UndecidableError(
                "There is too much here that may be phone, card or identity numbers to look at each; split the sample, "
                "or send tables as a sensor series."
            )
