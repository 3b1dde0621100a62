"""Which way this machine runs the stack: containers where a Docker engine answers, otherwise plain processes.

`python -m deploy.local.engine up|down|clean|status|logs`, behind the Makefile. ``LABELMESH_ENGINE`` (``docker`` or
``local``) decides by hand.
"""

import argparse
import sys
from typing import Literal

from pydantic_settings import BaseSettings, SettingsConfigDict

from deploy.local import tools
from deploy.local.__main__ import main as processes
from deploy.local.compose import ComposeStack, engine_answers
from deploy.local.console import Progress
from deploy.local.errors import LocalStackError
from deploy.local.places import PlaceSettings


class EngineSettings(BaseSettings):
    """How to run the stack: ``LABELMESH_ENGINE``."""

    model_config = SettingsConfigDict(env_prefix="LABELMESH_", frozen=True)

    engine: Literal["auto", "docker", "local"] = "auto"


def main(arguments: list[str] | None = None) -> int:
    """Run one verb with the engine of this machine.

    Args:
        arguments: The command line without the program's name; that of this process when None.

    Returns:
        The exit status: 0, or 1 after an error that was explained.
    """
    parser = argparse.ArgumentParser(prog="python -m deploy.local.engine", description=__doc__)
    parser.add_argument("verb", choices=["up", "down", "clean", "status", "logs"])
    parser.add_argument("--follow", action="store_true", help="logs: go on until interrupted")
    asked = parser.parse_args(arguments)
    progress = Progress()
    try:
        if not _chooses_docker():
            return processes([asked.verb, *(["--follow"] if asked.follow else [])])
        _run_containers(asked.verb, asked.follow, progress)
    except LocalStackError as error:
        progress.say(f"\n{error}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _chooses_docker() -> bool:
    match EngineSettings().engine:
        case "docker":
            tools.require("docker")
            return True
        case "local":
            return False
        case _:
            return engine_answers()


def _run_containers(verb: str, follow: bool, progress: Progress) -> None:
    places = PlaceSettings()
    stack = ComposeStack(places.home, places.env_file, progress)
    match verb:
        case "up":
            stack.up()
            stack.status()
        case "down":
            stack.down()
        case "clean":
            stack.clean()
        case "status":
            stack.status()
        case "logs":
            stack.logs((), follow)


if __name__ == "__main__":
    sys.exit(main())
