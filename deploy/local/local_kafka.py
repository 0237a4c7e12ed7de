"""A real Kafka 4, one node, KRaft: installed by Maven, run by Java, on loopback."""

import re
import shutil
import signal
import socket
import struct
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local_process import (
    LOOPBACK,
    Missing,
    Process,
    cache_dir,
    choose_port,
    installing,
    run,
    wait_until,
)
from local_versions import JAVA_AT_LEAST, KAFKA

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Listener:
    """A further way in, beside the plain one, e.g. `Listener("SECURE", "SASL_SSL", {...})`.

    `properties` become `listener.name.<name>.<key>`, e.g. `{"ssl.keystore.location": ...}`.
    """

    name: str
    protocol: str
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class KafkaOptions:
    """What a test wants to be different from a plain broker."""

    listeners: tuple[Listener, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    """Further broker properties; they win over ours."""
    scram: Mapping[str, str] = field(default_factory=dict)
    """SCRAM-SHA-512 users and passwords, written when the storage is formatted."""
    heap_mb: int = 512


def install() -> Path:
    """Return the folder with Kafka's jars, fetched on first use (54 MB).

    Raises
    ------
    Missing
        Without Java 17 or later; without Maven while the jars are not cached.
    """
    _require_java()
    folder = cache_dir() / f"kafka-{KAFKA}"
    if not folder.exists():
        if shutil.which("mvn") is None:
            raise Missing("Maven (mvn), which fetches Kafka")
        with installing(folder) as scratch:
            if scratch is not None:
                run(
                    [
                        "mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), f"-Dkafka.version={KAFKA}",
                        "dependency:copy-dependencies", f"-DoutputDirectory={scratch / 'lib'}",
                    ],
                    what=f"Kafka {KAFKA}",
                    cwd=scratch,
                )  # fmt: skip
    return folder


def _require_java() -> None:
    java = shutil.which("java")
    told = (
        subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
        if java
        else None
    )
    found = re.search(r'version "(\d+)', told.stderr) if told else None
    if found is None or int(found[1]) < JAVA_AT_LEAST:
        seen = f"found {found[1]}" if found else "found none"
        raise Missing(f"Java {JAVA_AT_LEAST} or later, for Kafka ({seen})")


class Kafka:
    """One broker with its own data folder. `address` stays the same over kill and restart."""

    def __init__(
        self, folder: Path, ports: Mapping[str, int], process: Process | None = None
    ) -> None:
        self.folder = folder
        self.ports = dict(ports)
        self.process = process

    @property
    def address(self) -> str:
        """`host:port` of the plain listener."""
        return self.listener("PLAINTEXT")

    def listener(self, name: str) -> str:
        """`host:port` of a listener by its name."""
        return f"{LOOPBACK}:{self.ports[name]}"

    @property
    def log(self) -> Path:
        """What the broker said."""
        return self.folder.parent / "logs" / "kafka.log"

    @classmethod
    def prepare(
        cls, folder: Path, *, wanted: Mapping[str, int], options: KafkaOptions | None = None
    ) -> "Kafka":
        """Write its properties and format its storage; data that is there already is kept.

        `wanted` are ports by listener name, taken where they are free.
        """
        chosen = options or KafkaOptions()
        folder.mkdir(parents=True, exist_ok=True)
        ports: dict[str, int] = {}
        for name in ("PLAINTEXT", "CONTROLLER", *(listener.name for listener in chosen.listeners)):
            ports[name] = choose_port(wanted.get(name, 0), taken=tuple(ports.values()))
        broker = cls(folder, ports)
        (folder / "heap_mb").write_text(str(chosen.heap_mb))
        (folder / "log4j2.properties").write_text(_LOGGING)
        properties = _properties(folder / "data", ports, chosen)
        text = "\n".join(f"{key}={value}" for key, value in properties.items())
        (folder / "server.properties").write_text(text + "\n")
        if not (folder / "data" / "meta.properties").exists():
            broker._format(chosen)
        return broker

    def _format(self, options: KafkaOptions) -> None:
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        users = [
            part
            for name, password in options.scram.items()
            for part in ("--add-scram", f"SCRAM-SHA-512=[name={name},password={password}]")
        ]
        run(
            # With "=", since an id may begin with a hyphen.
            [*self._java("kafka.tools.StorageTool"), "format", "--standalone",
             f"--cluster-id={cluster}", "-c", str(self.folder / "server.properties"), *users],
            what="formatting Kafka's storage",
            cwd=self.folder,
        )  # fmt: skip

    def _java(self, main: str) -> list[str]:
        heap = (self.folder / "heap_mb").read_text()
        return [
            "java", f"-Xmx{heap}m", "-Xms128m", "-XX:+UseG1GC", "-Djava.awt.headless=true",
            f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}",
            "-cp", f"{install() / 'lib'}/*", main,
        ]  # fmt: skip

    def start(self, *, timeout_s: float = 60) -> None:
        """Start the broker, or leave it alone if it runs, and wait until it takes records."""
        if self.process is None or not self.process.alive():
            command = [*self._java("kafka.Kafka"), str(self.folder / "server.properties")]
            self.process = Process.spawn(command, log=self.log, cwd=self.folder)
        wait_until(
            self.healthy, timeout_s=timeout_s, what="Kafka", process=self.process, log=self.log
        )

    def healthy(self) -> bool:
        """Whether the broker answers and counts itself as a member of its cluster."""
        return _brokers(self.ports["PLAINTEXT"]) > 0

    def stop(self) -> None:
        """End it in order."""
        if self.process is not None:
            self.process.stop(grace_s=20)

    def kill(self) -> None:
        """kill -9: as if the machine had failed."""
        if self.process is not None:
            self.process.kill()

    def pause(self) -> None:
        """SIGSTOP: it hangs, its connections stay open."""
        if self.process is not None:
            self.process.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        if self.process is not None:
            self.process.signal(signal.SIGCONT)

    def restart(self) -> None:
        """Stop it if it runs, and start it again on the same ports and data."""
        self.stop()
        self.start()


def _properties(data: Path, ports: Mapping[str, int], options: KafkaOptions) -> dict[str, str]:
    protocols = {"PLAINTEXT": "PLAINTEXT", "CONTROLLER": "PLAINTEXT"}
    protocols |= {listener.name: listener.protocol for listener in options.listeners}
    extra = {
        f"listener.name.{listener.name.lower()}.{key}": value
        for listener in options.listeners
        for key, value in listener.properties.items()
    }
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.bootstrap.servers": f"{LOOPBACK}:{ports['CONTROLLER']}",
        "controller.listener.names": "CONTROLLER",
        "listeners": ",".join(f"{name}://{LOOPBACK}:{port}" for name, port in ports.items()),
        "listener.security.protocol.map": ",".join(f"{n}:{p}" for n, p in protocols.items()),
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": str(data),
        # One node: everything that Kafka would keep three times is kept once
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "8",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "default.replication.factor": "1",
        "min.insync.replicas": "1",
        "group.initial.rebalance.delay.ms": "0",
        # After kill -9 the controller refuses the same broker until its old session is over (9 s)
        "broker.session.timeout.ms": "4000",
        "broker.heartbeat.interval.ms": "1000",
        # A misspelt topic is an error here, as it should be in production
        "auto.create.topics.enable": "false",
        "log.retention.check.interval.ms": "60000",
        "num.network.threads": "2",
        "num.io.threads": "4",
        "background.threads": "2",
        **extra,
        **options.properties,
    }


def _brokers(port: int, *, timeout_s: float = 1.0) -> int:
    """How many live brokers a Metadata request (version 1) names; 0 if nobody answers."""
    # header: api 3, version 1, correlation 1, client id "siaga"; body: an empty list of topics
    request = struct.pack(">hhih5si", 3, 1, 1, 5, b"siaga", 0)
    try:
        with socket.create_connection((LOOPBACK, port), timeout=timeout_s) as s:
            s.sendall(struct.pack(">i", len(request)) + request)
            reply = s.makefile("rb").read(12)
    except OSError:
        return 0
    # length, correlation id, number of brokers
    return int(struct.unpack(">iii", reply)[2]) if len(reply) == 12 else 0


_LOGGING = """\
status = error
rootLogger.level = info
rootLogger.appenderRefs = out
rootLogger.appenderRef.out.ref = OUT
appender.out.type = Console
appender.out.name = OUT
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %-5p %c{1} %m%n
# The whole configuration, twice at each start, buries what matters
logger.config.name = org.apache.kafka.common.config.AbstractConfig
logger.config.level = warn
logger.state.name = state.change.logger
logger.state.level = warn
"""
