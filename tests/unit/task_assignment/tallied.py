"""What a board counts, all of it."""

from __future__ import annotations

from services.task_assignment.domain.board import Board
from services.task_assignment.domain.kept import Scope


def counts_on(board: Board) -> dict[Scope, dict[str, int]]:
    """Return, per tenant, project and partition, how many samples, tasks and slots are in which state."""
    return {scope: board.tally.of(scope) for scope in board.tally.scopes}
