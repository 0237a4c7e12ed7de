"""What only the Kafka log has to promise: topic settings, outages, TLS and SASL."""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import faust
import pytest
from kafka.admin import KafkaAdminClient
from services import Kafka
from tls import certificate, guarded

from streams.log import kafka as kafka_module
from streams.log.kafka import KafkaLog
from streams.log.outage import LOG_UP
from streams.log.port import Entry, Unavailable
from streams.security import faust_options
from streams.service import CannotStart
from streams.settings import LogSettings
from streams.topics import TopicSpec

pytestmark = pytest.mark.kafka


def run(coroutine: Any) -> None:
    """Run to its end, at most a minute."""
    asyncio.run(asyncio.wait_for(coroutine, 60))


def test_topics_get_our_settings_and_not_the_brokers(kafka: Kafka) -> None:
    prefix = f"c{uuid.uuid4().hex[:8]}."

    async def main() -> None:
        log = KafkaLog(
            LogSettings(kind="kafka", bootstrap=(kafka.address,), prefix=prefix, partitions=3)
        )
        await log.ensure([TopicSpec("old", retention_ms=86_400_000), TopicSpec("kept")])
        await log.ensure([TopicSpec("state", compacted=True)])
        assert sorted(await log.topics()) == ["kept", "old", "state"]
        await log.close()

    run(main())
    admin = KafkaAdminClient(bootstrap_servers=kafka.address)
    names = {n: f"{prefix}{n}" for n in ("old", "kept", "state")}
    found = {n: _configs(admin, full) for n, full in names.items()}
    admin.close()
    assert found["old"]["cleanup.policy"] == "delete"
    assert found["old"]["retention.ms"] == "86400000"
    assert found["kept"]["retention.ms"] == "-1"
    assert found["state"]["cleanup.policy"] == "compact"
    assert int(found["state"]["segment.bytes"]) <= 16 << 20
    assert found["state"]["max.compaction.lag.ms"] == "3600000"
    assert {c["max.message.bytes"] for c in found.values()} == {"1048576"}


def _configs(admin: Any, topic: str) -> dict[str, str]:
    from kafka.admin import ConfigResource, ConfigResourceType

    told = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    return {name: str(told_of["value"]) for name, told_of in told["topic"][topic].items()}


def test_an_outage_is_waited_out_told_once_and_loses_nothing(
    start_kafka: Callable[..., Kafka],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kafka_module, "LATE_SECONDS", 1.0)
    broker = start_kafka()
    told = _Told()

    async def main() -> None:
        log = KafkaLog(LogSettings(kind="kafka", bootstrap=(broker.address,), partitions=1))
        await log.ensure([TopicSpec("m")])
        await log.append([Entry("m", b"k", b"0")])
        values: list[bytes | None] = []
        first = asyncio.Event()

        async def follow() -> None:
            async for chunk in log.read("m", follow=True):
                values.extend(r.value for r in chunk)
                if values:
                    first.set()
                if b"2" in values:
                    return

        following = asyncio.create_task(follow())
        await first.wait()
        broker.kill()
        waiting = [asyncio.create_task(log.append([Entry("m", b"k", b"%d" % n)])) for n in (1, 2)]
        await asyncio.sleep(4)
        assert not any(w.done() for w in waiting)
        assert LOG_UP._value.get() == 0
        await asyncio.to_thread(broker.start)
        await asyncio.gather(*waiting)
        await following
        assert values == [b"0", b"1", b"2"]
        assert LOG_UP._value.get() == 1
        await log.close()

    with told.listening():
        run(main())
    assert len(told.lines) == 2, told.lines
    assert "waits and goes on by itself" in told.lines[0]
    assert "is back" in told.lines[1]


class _Told(logging.Handler):
    """What a person at the terminal reads of the log and of kafka-python."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith(("kafka", "streams")):
            self.lines.append(record.getMessage())

    @contextmanager
    def listening(self) -> Iterator[None]:
        """On the root logger, as the terminal's handler is (caplog hears every logger)."""
        logging.getLogger().addHandler(self)
        try:
            yield
        finally:
            logging.getLogger().removeHandler(self)


def test_without_a_broker_the_log_says_so_in_time() -> None:
    async def main() -> None:
        log = KafkaLog(LogSettings(kind="kafka", bootstrap=("127.0.0.1:1",)))
        began = time.monotonic()
        with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1"):
            await log.ends("m")
        assert time.monotonic() - began < 40
        await log.close()

    run(main())


def test_tls_and_scram_reach_kafka_python_and_faust_alike(
    start_kafka: Callable[..., Kafka], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, ca = certificate(tmp_path)
    broker = start_kafka(guarded(store, "siaga", "rahasia-1"))
    monkeypatch.setenv("SIAGA_TEST_PASSWORD", "rahasia-1")
    monkeypatch.setenv("SIAGA_WRONG_PASSWORD", "salah")
    settings = LogSettings(
        kind="kafka",
        bootstrap=(broker.listener("GUARDED"),),
        partitions=1,
        security="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        username="siaga",
        password_env="SIAGA_TEST_PASSWORD",  # noqa: S106 - a variable's name
        ca_file=ca,
    )

    async def main() -> None:
        log = KafkaLog(settings)
        await log.ensure([TopicSpec("m")])
        await log.append([Entry("m", b"k", b"v")])
        assert [r.value async for c in log.read("m") for r in c] == [b"v"]

        app = faust.App(
            "t",
            broker=f"kafka://{settings.bootstrap[0]}",
            store="memory://",
            topic_partitions=1,
            topic_disable_leader=True,
            web_enabled=False,
            stream_recovery_delay=0.0,
            consumer_auto_offset_reset="earliest",
            **faust_options(settings),
        )
        seen: list[bytes] = []

        @app.agent(app.topic("m", key_type=bytes, value_type=bytes, value_serializer="raw"))
        async def note(stream: Any) -> None:
            async for value in stream:
                seen.append(value)  # noqa: PERF401 - seen as they come

        app.finalize()
        await app.start()
        try:
            while not seen:
                if app.crashed:
                    raise app.crash_reason  # type: ignore[misc] # set when crashed
                await asyncio.sleep(0.05)
        finally:
            await app.stop()
        assert seen == [b"v"]
        await log.close()

        wrong = KafkaLog(settings.model_copy(update={"password_env": "SIAGA_WRONG_PASSWORD"}))
        # The broker says why, or just hangs up; either way the person reads where to look.
        with pytest.raises((CannotStart, Unavailable), match="password"):
            await wrong.ends("m")
        await wrong.close()

    run(main())
