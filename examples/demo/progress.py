"""Shows that something is going on: a changing line on a terminal, now and then a line in a log."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.status import Status

LOG_SECONDS: Final = 5.0


class Narrator:
    """Tells which step the demo is at, how far it is, and how long it took."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()
        self._status: Status | None = None
        self._logged = 0.0
        self._title = ""
        self._last = ""
        self.seconds: dict[str, float] = {}
        """How long each finished step took."""

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Tell of a step while it runs and when it is done."""
        began = time.monotonic()
        self._title, self._last = title, ""
        self._logged = began
        with self._console.status(title) as self._status:
            if not self._console.is_terminal:
                self._console.print(f"[dim]{self._clock()}[/] {title} …")
            yield
        self.seconds[title] = round(time.monotonic() - began, 1)
        detail = f"  [dim]{self._last}[/]" if self._last else ""
        self._console.print(f"[dim]{self._clock()}[/] [green]✓[/] {title} [dim]{self.seconds[title]} s[/]{detail}")

    def tell(self, detail: str) -> None:
        """Tell how far the present step is."""
        self._last = detail
        if self._status is not None and self._console.is_terminal:
            self._status.update(f"{self._title}: {detail}")
        elif time.monotonic() - self._logged >= LOG_SECONDS:
            self._logged = time.monotonic()
            self._console.print(f"[dim]{self._clock()}   {detail}[/]")

    @property
    def elapsed(self) -> float:
        """Seconds since the demo started."""
        return round(time.monotonic() - self._started, 1)

    def _clock(self) -> str:
        return f"{time.monotonic() - self._started:5.1f} s"
