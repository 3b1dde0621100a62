"""`python -m deploy.local`: the stack as plain processes, for machines without Docker."""

import argparse
import os
import sys
from pathlib import Path

from deploy.local.cache import Cache
from deploy.local.console import Progress
from deploy.local.errors import LocalStackError
from deploy.local.places import PlaceSettings
from deploy.local.report import follow_logs, show_standing
from deploy.local.stack import SERVICES, Stack


def main(arguments: list[str] | None = None) -> int:
    """Run one verb.

    Args:
        arguments: The command line without the program's name; that of this process when None.

    Returns:
        The exit status: 0, or 1 after an error that was explained.
    """
    asked = _parser().parse_args(arguments)
    progress = Progress()
    places = PlaceSettings()
    home = asked.home or places.home
    env_file = home / "env" if asked.home else places.env_file
    stack = Stack(home, env_file, asked.port_offset, asked.memory, progress)
    try:
        _run(asked, stack, progress)
    except LocalStackError as error:
        progress.say(f"\n{error}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _run(asked: argparse.Namespace, stack: Stack, progress: Progress) -> None:
    match asked.verb:
        case "install":
            Cache().install(progress)
        case "servers":
            stack.up(services=())
        case "up":
            stack.up(asked.service or None)
            show_standing(stack, progress)
        case "down":
            stack.down()
        case "clean":
            stack.clean()
        case "status":
            show_standing(stack, progress)
        case "logs":
            follow_logs(stack, asked.service, asked.follow)
        case "env":
            sys.stdout.write("".join(f"{name}={value}\n" for name, value in stack.settings().items()))
        case "run":
            os.execvpe(asked.command[0], asked.command, stack.environment())  # noqa: S606 - the caller's own command


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description=__doc__)
    parser.add_argument("--home", type=Path, help="a stack of its own in this folder, with its settings in HOME/env")
    parser.add_argument("--port-offset", type=int, default=0, help="added to all ports of a new stack")
    parser.add_argument("--memory", action="store_true", help="keep the documents in memory only")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("install", help="fetch and build the servers into the cache")
    verbs.add_parser("servers", help="start Kafka, MongoDB's stand-in and MinIO")
    up = verbs.add_parser("up", help="start the servers and the services")
    up.add_argument("service", nargs="*", choices=[*SERVICES, []], help="only these services")
    verbs.add_parser("down", help="stop everything, keep the data")
    verbs.add_parser("clean", help="stop everything, forget data and settings")
    verbs.add_parser("status", help="what runs, on which ports, and how it is doing")
    logs = verbs.add_parser("logs", help="the last lines of the logs")
    logs.add_argument("service", nargs="*", help="only these processes")
    logs.add_argument("-f", "--follow", action="store_true", help="go on until interrupted")
    verbs.add_parser("env", help="print the settings")
    run = verbs.add_parser("run", help="run a command with the settings in its environment")
    run.add_argument("command", nargs=argparse.REMAINDER)
    return parser


if __name__ == "__main__":
    sys.exit(main())
