"""The way to run a stack: its settings, its processes, and what it says when something is in the way."""

import importlib
import json
import os
import re
import signal
import socket
import stat
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pydantic_settings import BaseSettings

from deploy.local import compose, environment, processes, tools
from deploy.local.cache import POM, Cache
from deploy.local.console import Progress
from deploy.local.errors import LocalStackError, MissingToolError, PortInUseError, ProcessDiedError
from deploy.local.places import CHECKOUT
from deploy.local.processes import Process
from deploy.local.stack import Stack
from shared import settings

SETTING = re.compile(r"LABELMESH_[A-Z_]+[A-Z]")
OFFSET = 21_000


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    stack = Stack(home=tmp_path / "home", env_file=tmp_path / "env", port_offset=OFFSET, memory=True)
    yield stack
    stack.down()


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Process]:
    process = Process(name="sleeper", home=tmp_path)
    yield process
    process.kill()


def run_python(process: Process, code: str) -> int:
    pid = process.start([sys.executable, "-uc", code], dict(os.environ), "first", process.home)
    until(lambda: "ready" in process.tail())
    return pid


def until(condition, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def a_fake(name: str, folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program of our own before the real one."""
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!{sys.executable}\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


# --- settings


def test_a_new_env_file_is_private_complete_and_has_fresh_secrets(tmp_path):
    one, other = tmp_path / "one" / "env", tmp_path / "other" / "env"

    mine, others = environment.complete(one), environment.complete(other)

    assert stat.S_IMODE(one.stat().st_mode) == 0o600
    assert set(mine) == environment.setting_names()
    assert environment.read(one) == mine
    secrets = [name for name in mine if name.endswith(("_SECRET", "_PEPPER", "_KEY"))]
    assert len(secrets) == 5
    assert all(len(mine[name]) >= 20 and mine[name] != others[name] for name in secrets)


def test_an_old_env_file_gets_what_it_lacks_and_keeps_what_it_has(tmp_path):
    env_file = tmp_path / "env"
    old = environment.complete(env_file, port_offset=300)
    kept = [line for line in env_file.read_text().splitlines() if not line.startswith("LABELMESH_QA_")]
    env_file.write_text("\n".join([*kept, "LABELMESH_LOG_LEVEL=debug"]))  # no newline at the end, as editors do
    env_file.chmod(0o644)

    new = environment.complete(env_file)

    assert new == old | {"LABELMESH_LOG_LEVEL": "debug"}
    assert new["LABELMESH_QA_PORT"] == "18384"
    assert environment.read(env_file) == new
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600


def test_two_settings_with_different_ports_are_refused_by_name(tmp_path):
    env_file = tmp_path / "env"
    environment.complete(env_file)
    env_file.write_text(env_file.read_text().replace("LABELMESH_KAFKA_PORT=19092", "LABELMESH_KAFKA_PORT=19999"))

    with pytest.raises(LocalStackError, match=r"LABELMESH_KAFKA_PORT is 19999, but LABELMESH_KAFKA_BOOTSTRAP is"):
        environment.complete(env_file)


def test_a_line_that_is_no_setting_is_named(tmp_path):
    env_file = tmp_path / "env"
    env_file.write_text("# fine\n\nexport LABELMESH_HOST='::1'\nLABELMESH_QA_PORT 18084\n")

    with pytest.raises(LocalStackError, match="line 4"):
        environment.read(env_file)


def test_looking_at_a_stack_writes_nothing(stack):
    standings = stack.standing()

    assert not stack.env_file.exists()
    assert not stack.home.exists()
    assert {standing.pid for standing in standings} == {None}
    assert standings[0].ports == (19092 + OFFSET, 19093 + OFFSET)


def test_containers_and_plain_processes_know_the_same_settings():
    compose_file = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())

    named = set(SETTING.findall(json.dumps(compose_file)))

    assert named == environment.setting_names()
    for name in environment.SERVICES:
        given = compose_file["services"][name.replace("_", "-")]["environment"]
        assert given == compose_file["x-settings"], name


def test_the_example_shows_every_setting_with_its_default():
    example = environment.read(CHECKOUT / ".env.example")

    shown = {name: value for name, value in example.items() if value != "..."}
    defaults = environment.default_settings()
    assert set(example) == environment.setting_names()
    assert shown == {name: value for name, value in defaults.items() if name in shown}
    assert len(example) - len(shown) == 5


def all_settings() -> list[type[BaseSettings]]:
    own = sorted(path.parent.name for path in CHECKOUT.glob("services/*/settings.py"))
    modules = [settings, *(importlib.import_module(f"services.{name}.settings") for name in own)]
    classes = [value for module in modules for value in vars(module).values() if isinstance(value, type)]
    return [cls for cls in dict.fromkeys(classes) if issubclass(cls, BaseSettings) and cls is not BaseSettings]


def test_the_env_file_has_all_that_the_services_need_to_start(monkeypatch):
    for name in [name for name in os.environ if name.startswith("LABELMESH_")]:
        monkeypatch.delenv(name)
    for name, value in environment.default_settings().items():
        monkeypatch.setenv(name, value)

    read = [cls() for cls in all_settings()]

    assert len(read) > 1


def test_every_service_has_an_extra_for_its_image_and_both_ways_run_one_kafka():
    extras = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    images = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())["services"]

    assert {name.replace("_", "-") for name in environment.SERVICES} <= set(extras)
    version = images["kafka"]["image"].partition(":")[2]
    assert f"<artifactId>kafka_2.13</artifactId>\n          <version>{version}</version>" in POM.read_text()


# --- processes


def test_a_process_is_found_again_and_stopped(sleeper, tmp_path):
    pid = run_python(sleeper, "import time; print('ready'); time.sleep(60)")

    found = Process(name="sleeper", home=tmp_path)

    assert found.pid == pid
    assert found.was_started_with("first")
    assert not found.was_started_with("second")
    assert found.stop()
    assert found.pid is None
    assert not found.stop()


def test_a_process_that_nobody_waits_for_stands_behind_the_others(sleeper):
    pid = sleeper.start(["sleep", "60"], dict(os.environ), "first", sleeper.home, niceness=7)

    assert os.getpriority(os.PRIO_PROCESS, pid) == 7
    group = Path(f"/proc/{pid}/autogroup")
    assert not group.exists() or group.read_text().endswith("nice 7\n")


def test_a_process_that_is_slow_to_stand_back_can_be_found_and_stopped_meanwhile(sleeper, monkeypatch):
    found = []
    monkeypatch.setattr(processes, "stand_back", lambda pid, _: found.append(sleeper.pid == pid))

    sleeper.start(["sleep", "60"], dict(os.environ), "first", sleeper.home, niceness=7)

    assert found == [True]


def test_a_recycled_pid_is_never_touched(sleeper, tmp_path):
    bystander = Process(name="bystander", home=tmp_path / "elsewhere")
    pid = run_python(bystander, "import time; print('ready'); time.sleep(60)")
    sleeper.pid_file.parent.mkdir(parents=True)
    sleeper.pid_file.write_text(json.dumps({"pid": pid, "born": "long ago", "fingerprint": "first"}))

    assert sleeper.pid is None
    assert not sleeper.stop()
    assert not sleeper.kill()

    assert bystander.pid == pid
    bystander.kill()


def test_a_process_that_ignores_sigterm_is_ended_anyway(sleeper):
    ignoring = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready'); time.sleep(60)"
    run_python(sleeper, ignoring)

    sleeper.stop(patience=0.2)

    assert sleeper.pid is None


def test_a_paused_process_lives_and_can_be_stopped(sleeper):
    pid = run_python(sleeper, "import time; print('ready'); time.sleep(60)")

    sleeper.signal(signal.SIGSTOP)

    assert sleeper.pid == pid
    assert sleeper.stop(patience=5)


def test_a_process_that_ended_by_itself_is_not_running(sleeper):
    run_python(sleeper, "print('ready')")

    until(lambda: sleeper.pid is None)

    assert not sleeper.signal(signal.SIGTERM)


# --- the stack

LISTENING_JAVA = """
import socket, sys, time
port = next(int(word) for word in sys.argv if word.isdigit())
server = socket.create_server(("127.0.0.1", port))
time.sleep(60)
"""


def test_a_server_is_started_once_killed_and_started_again(stack, tmp_path, monkeypatch):
    a_fake("java", tmp_path / "bin", LISTENING_JAVA, monkeypatch)

    stack.start("mongo")
    first = stack.pid("mongo")
    stack.start("mongo")
    again = stack.pid("mongo")
    stack.kill("mongo")
    killed = stack.pid("mongo")
    stack.start("mongo")

    assert first is not None
    assert again == first
    assert killed is None
    assert stack.pid("mongo") not in {None, first}
    [mongo] = [standing for standing in stack.standing() if standing.name == "mongo"]
    assert (mongo.ready, mongo.ports) == (True, (27117 + OFFSET,))


def test_a_server_that_dies_at_the_start_shows_the_end_of_its_log(stack, tmp_path, monkeypatch):
    a_fake("java", tmp_path / "bin", "raise SystemExit('the disk is full')", monkeypatch)

    with pytest.raises(
        ProcessDiedError, match=r"(?s)mongo ended while starting.*mongo\.log.*the disk is full"
    ) as error:
        stack.start("mongo")

    assert len(str(error.value).splitlines()) < 30


def test_a_port_in_use_is_named_with_its_setting(stack):
    port = int(stack.settings()["LABELMESH_GATEWAY_PORT"])

    with socket.create_server(("127.0.0.1", port)), pytest.raises(PortInUseError) as error:
        stack.start("gateway")

    assert f"Port {port} (LABELMESH_GATEWAY_PORT) is in use" in str(error.value)
    assert stack.pid("gateway") is None


def test_an_unknown_process_is_told_which_there_are(stack):
    with pytest.raises(LocalStackError, match="task_assignment"):
        stack.kill("redis")


def test_clean_forgets_data_and_settings_and_nothing_else(stack):
    stack.settings()
    for name in ("kafka", "minio", "logs"):
        (stack.home / name).mkdir(parents=True)
    (stack.home / "demo.json").write_text("{}")
    (stack.home / "thesis.txt").write_text("not ours")

    stack.clean()

    assert [path.name for path in stack.home.iterdir()] == ["thesis.txt"]
    assert not stack.env_file.exists()


# --- tools and engines


def test_all_missing_tools_are_named_at_once_with_the_commands_that_install_them(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(MissingToolError) as error:
        Cache(root=tmp_path / "cache").install(Progress())

    lines = str(error.value).splitlines()
    assert [line.split()[0] for line in lines] == ["java", "mvn", "go"]
    assert lines[1] == "mvn is not installed. Install it with: apt-get install maven"


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_442"', 8),
        ('openjdk version "21"', 21),
        ("", 0),
    ],
)
def test_the_version_of_java_is_read(said, version):
    assert tools.java_major_version(said) == version


def test_an_old_java_is_told_apart_from_none(tmp_path, monkeypatch):
    a_fake("java", tmp_path / "bin", "import sys; sys.stderr.write('openjdk version \"11.0.2\"')", monkeypatch)

    with pytest.raises(MissingToolError, match="is version 11, Kafka needs 17"):
        tools.require_java()


@pytest.mark.parametrize(("status", "answers"), [(0, True), (1, False)])
def test_containers_are_used_only_where_an_engine_answers(tmp_path, monkeypatch, status, answers):
    a_fake("docker", tmp_path / "bin", f"raise SystemExit({status})", monkeypatch)

    assert compose.engine_answers() is answers
