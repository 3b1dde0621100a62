"""How the local stack tells what it does: a moving line on a terminal, plain lines in a log."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

Tell = Callable[[str], None]


class Progress:
    """Shows one long step at a time, and how long it took."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, soft_wrap=True)

    @contextmanager
    def step(self, title: str) -> Iterator[Tell]:
        """Show a step while the block runs.

        Args:
            title: What happens, in a few words.

        Yields:
            A function that shows a detail of the step, such as the file it is at.
        """
        started = time.monotonic()
        if not self.console.is_terminal:
            self.console.print(escape(f"{title} ..."))
        with self.console.status(escape(title)) as status:

            def tell(detail: str) -> None:
                elapsed = f"{time.monotonic() - started:.0f} s"
                status.update(escape(f"{title} ({elapsed}) {detail[:80]}"))

            yield tell
        self.console.print(escape(f"{title}: done in {time.monotonic() - started:.1f} s"))

    def say(self, line: str) -> None:
        """Print one line.

        Args:
            line: Plain text; markup is not interpreted.
        """
        self.console.print(escape(line))
