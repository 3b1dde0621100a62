"""Task assignment with a clock that is off: ``python -m bench.skewed 2`` is two seconds ahead."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

from services.task_assignment.main import create_service
from services.task_assignment.settings import TaskAssignmentSettings
from shared.clock import Clock


def skewed_by(seconds: float) -> Clock:
    """Return a clock that is ahead of the true one; behind it, where the number is negative."""
    skew = timedelta(seconds=seconds)
    return lambda: datetime.now(UTC) + skew


if __name__ == "__main__":
    create_service(TaskAssignmentSettings(), skewed_by(float(sys.argv[1]))).run()
