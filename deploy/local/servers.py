"""Kafka, MinIO and the MongoDB stand-in as plain processes: how each is prepared, started and found ready."""

import os
import socket
import struct
import subprocess
import urllib.error
import urllib.request
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local.cache import HERE, Cache
from deploy.local.errors import LocalStackError

MEDIA_TOPIC = "media.uploaded.v1"
SERVERS = ("kafka", "mongo", "minio")


@dataclass(frozen=True)
class Plan:
    """How to run one process of a stack."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    ports: tuple[str, ...]
    """The settings whose ports it listens on."""
    is_ready: Callable[[], bool]
    prepare: Callable[[], None] = lambda: None
    """What has to be there before it starts."""
    patience: float = 60.0
    """Seconds until it has to be ready."""
    niceness: int = 0
    """How far it stands behind others where the processor is short."""


MONGO_PATIENCE = 600.0
"""Seconds; the stand-in reads all of its log when it starts, and 4 GB of it took more than a minute."""
ON_FEW_CORES = ("-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError")
"""How Java runs here: other collectors work beside the program, on cores that the rest of the stack needs."""


def plan_kafka(home: Path, settings: Mapping[str, str], cache: Cache) -> Plan:
    """Kafka in KRaft mode, one node; its storage is formatted at the first start.

    Args:
        home: The folder of the stack.
        settings: What `.env` says.
        cache: Where the jars are.

    Returns:
        How to run it.
    """
    data, jars = home / "kafka", f"{cache.jars('kafka')}/*"
    port, controller = int(settings["LABELMESH_KAFKA_PORT"]), settings["LABELMESH_KAFKA_CONTROLLER_PORT"]
    properties = data / "server.properties"

    def prepare() -> None:
        data.mkdir(parents=True, exist_ok=True)
        properties.write_text(_kafka_properties(data / "log", port, controller, settings["LABELMESH_PARTITIONS"]))
        if not (data / "log" / "meta.properties").exists():
            _format_storage(jars, properties)

    logging = f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}"
    memory = ("-Xms256m", "-Xmx512m", *ON_FEW_CORES)
    return Plan(
        name="kafka",
        command=("java", *memory, "-Djava.awt.headless=true", logging, "-cp", jars, "kafka.Kafka", str(properties)),
        environment=dict(os.environ),
        ports=("LABELMESH_KAFKA_PORT", "LABELMESH_KAFKA_CONTROLLER_PORT"),
        is_ready=lambda: kafka_answers(port),
        prepare=prepare,
    )


def plan_mongo(home: Path, settings: Mapping[str, str], cache: Cache, memory: bool) -> Plan:
    """The stand-in for MongoDB, with its data in a folder or in one that is removed at the end.

    Args:
        home: The folder of the stack.
        settings: What `.env` says.
        cache: Where the jars are.
        memory: Keep nothing on disk.

    Returns:
        How to run it.
    """
    port = settings["LABELMESH_MONGO_PORT"]
    data = home / "mongo"
    classpath = os.pathsep.join([f"{cache.jars('mongo')}/*", str(cache.classes)])
    quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"
    keep = "--memory" if memory else str(data / "log")
    heap = ("-Xms128m", "-Xmx1g", *ON_FEW_CORES)
    return Plan(
        name="mongo",
        command=("java", *heap, quiet, "-cp", classpath, "LocalMongo", port, keep),
        environment=dict(os.environ),
        ports=("LABELMESH_MONGO_PORT",),
        is_ready=lambda: port_answers(int(port)),
        prepare=lambda: _require_log(data),
        patience=MONGO_PATIENCE,
    )


def _require_log(data: Path) -> None:
    """Refuse data of before, which the stand-in of now would pass over in silence."""
    if (former := data / "documents.mv").exists():
        raise LocalStackError(
            f"{former} was written by an earlier version of the MongoDB stand-in, which this one cannot read. "
            "`make clean` forgets all data of this stack; then `make up` begins anew."
        )
    data.mkdir(parents=True, exist_ok=True)


def plan_minio(home: Path, settings: Mapping[str, str], cache: Cache) -> Plan:
    """MinIO on one folder, which tells Kafka of every upload.

    A notification that Kafka cannot take (it is away, or the topic is not made yet) waits in a folder and is sent later.

    Args:
        home: The folder of the stack.
        settings: What `.env` says.
        cache: Where the binary is.

    Returns:
        How to run it.
    """
    data, queue = home / "minio", home / "minio-notifications"

    def prepare() -> None:
        for folder in (data, queue):
            folder.mkdir(parents=True, exist_ok=True)

    endpoint = f"127.0.0.1:{settings['LABELMESH_MINIO_PORT']}"
    environment = {
        "MINIO_ROOT_USER": settings["LABELMESH_MINIO_ACCESS_KEY"],
        "MINIO_ROOT_PASSWORD": settings["LABELMESH_MINIO_SECRET_KEY"],
        "MINIO_BROWSER": "off",
        "MINIO_UPDATE": "off",
        "MINIO_API_CORS_ALLOW_ORIGIN": settings["LABELMESH_ALLOWED_ORIGINS"],
        "MINIO_NOTIFY_KAFKA_ENABLE_LABELMESH": "on",
        "MINIO_NOTIFY_KAFKA_BROKERS_LABELMESH": settings["LABELMESH_KAFKA_BOOTSTRAP"],
        "MINIO_NOTIFY_KAFKA_TOPIC_LABELMESH": MEDIA_TOPIC,
        "MINIO_NOTIFY_KAFKA_QUEUE_DIR_LABELMESH": str(queue),
    }
    return Plan(
        name="minio",
        command=(str(cache.minio), "server", "--address", endpoint, str(data)),
        environment=dict(os.environ) | environment,
        ports=("LABELMESH_MINIO_PORT",),
        is_ready=lambda: http_answers(f"http://{endpoint}/minio/health/ready"),
        prepare=prepare,
    )


def port_answers(port: int) -> bool:
    """Whether something on this machine accepts connections.

    Args:
        port: A TCP port of 127.0.0.1.
    """
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def http_answers(url: str) -> bool:
    """Whether a URL answers with a success.

    Args:
        url: An http address.
    """
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - our own http address
            return bool(response.status < 400)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def kafka_answers(port: int) -> bool:
    """Whether a broker answers an ApiVersions request, the first that any client sends.

    Args:
        port: A TCP port of 127.0.0.1.

    Source: Kafka protocol guide, request header v1 and ApiVersions v0: key 18, version 0, correlation id, client id.
    """
    request = struct.pack(">hhih5s", 18, 0, 1, 5, b"probe")
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = connection.recv(10)
    except OSError:
        return False
    return len(answer) == 10 and struct.unpack(">iih", answer)[2] == 0


def _kafka_properties(logs: Path, port: int, controller: str, partitions: str) -> str:
    properties = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "log.dirs": str(logs),
        "num.partitions": partitions,
        "auto.create.topics.enable": "false",
        "log.retention.hours": "336",
        "group.initial.rebalance.delay.ms": "200",
        # One node, and a machine with little memory: each partition maps its index files.
        "offsets.topic.num.partitions": "12",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.num.partitions": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "log.index.size.max.bytes": "1048576",
        "log.cleaner.dedupe.buffer.size": "16777216",
    }
    return "".join(f"{name}={value}\n" for name, value in properties.items())


def _format_storage(jars: str, properties: Path) -> None:
    cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    tool = ("kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "--config", str(properties))
    said = subprocess.run(["java", "-cp", jars, *tool], capture_output=True, text=True, check=False)
    if said.returncode:
        raise LocalStackError(f"Kafka's storage could not be formatted:\n\n{said.stdout}{said.stderr}")
