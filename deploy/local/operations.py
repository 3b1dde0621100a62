"""The operator's tool, `ops.cli`, run on a stack."""

import subprocess
import sys
from collections.abc import Mapping

from deploy.local.console import Progress
from deploy.local.errors import LocalStackError
from deploy.local.places import CHECKOUT


def operate(verb: str, title: str, environment: Mapping[str, str], progress: Progress) -> None:
    """Run a verb of the operator's tool and hold its output back.

    Args:
        verb: Such as ``provision``.
        title: What it does, in words.
        environment: The whole environment, with the settings of the stack.
        progress: Where the step is shown.

    Raises:
        LocalStackError: It failed; the message has its output.
    """
    command = [sys.executable, "-m", "ops.cli", verb]
    with progress.step(title):
        said = subprocess.run(command, env=environment, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if said.returncode:
        raise LocalStackError(f"`python -m ops.cli {verb}` failed:\n\n{said.stdout}{said.stderr}")


def show_operations(environment: Mapping[str, str]) -> None:
    """Print what the operator's tool knows of a running stack: lag, dead letters, age of the catalog.

    Args:
        environment: The whole environment, with the settings of the stack.
    """
    sys.stdout.flush()
    subprocess.run([sys.executable, "-m", "ops.cli", "status"], env=environment, cwd=CHECKOUT, check=False)
