from collections.abc import Mapping


class LocalStackError(Exception):
    """Something the person at the keyboard has to change; the message says what and how."""


class MissingToolError(LocalStackError):
    """Programs that the local stack needs are not installed, or too old."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__("\n".join(f"{tool} {problem}" for tool, problem in problems.items()))


class PortInUseError(LocalStackError):
    """Another program already listens where one of ours should."""

    def __init__(self, port: int, setting: str, env_file: str) -> None:
        super().__init__(
            f"Port {port} ({setting}) is in use by another program. Stop that program (`ss -ltnp 'sport = :{port}'` "
            f"names it), or replace {port} by a free port in every line of {env_file} that has it."
        )


class ProcessDiedError(LocalStackError):
    """A process of the stack ended, or was not ready in time; the message ends with the tail of its log."""

    def __init__(self, name: str, happened: str, log: str, tail: str) -> None:
        super().__init__(f"{name} {happened}. The end of {log}:\n\n{tail}\n")
