"""Real processes on a real Kafka: an outage, and TLS with SCRAM through the whole pipeline."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from chain import free_port, mentions_by_brand, samples, siaga, siaga_once, wait_for
from kafka import KafkaAdminClient
from services import Kafka, KafkaOptions
from tls import certificate, guarded

AWAY_S = float(os.environ.get("SIAGA_OUTAGE_S", "12"))
"""Longer than the session time-out of 10 s; SIAGA_OUTAGE_S=60 makes it the minute of issue 4."""

HEADER = "id,created_at,author,text,brand\n"


def rows(first: int, count: int) -> str:
    """Rows of one brand."""
    return "".join(
        f"r{n},2026-03-02T06:{n // 60 % 60:02}:{n % 60:02}Z,orang{n},halo angin {n},angin\n"
        for n in range(first, first + count)
    )


def home(folder: Path, log: str, more: str = "") -> int:
    """Write a configuration; return its metrics port."""
    folder.mkdir()
    port = free_port()
    (folder / "siaga.toml").write_text(
        f'[brands.angin]\nnames = ["angin"]\n[metrics]\nport = {port}\n[log]\nkind = "kafka"\n'
        f"partitions = 2\n{log}\n{more}"
    )
    return port


@pytest.mark.kafka
@pytest.mark.timeout(400)
def test_while_kafka_is_away_all_wait_and_then_go_on_with_nothing_lost(
    tmp_path: Path, start_kafka: Callable[..., Kafka]
) -> None:
    broker = start_kafka()
    data = tmp_path / "rows.csv"
    data.write_text(HEADER + rows(0, 200))
    log = f'bootstrap = ["{broker.address}"]'
    source = f"""[sources.rows]
type = "file"
run = "live"
path = "{data}"
follow = true
"""
    worker_port = home(tmp_path / "worker", log)
    source_port = home(tmp_path / "source", log, source)

    def counted(total: int) -> bool:
        return mentions_by_brand(worker_port) == {"angin": total}

    def up(value: float) -> bool:
        found = [samples(port, "siaga_log_up").get((), -1.0) for port in (worker_port, source_port)]
        return found == [value, value]

    with (
        siaga(tmp_path / "worker", "worker", name="worker") as worker,
        siaga(tmp_path / "source", "connect", name="connect") as connect,
    ):
        running = [worker, connect]
        wait_for("the first rows", lambda: counted(200), timeout_s=90, running=running)
        broker.kill()
        gone = time.monotonic()
        with data.open("a") as file:
            file.write(rows(200, 5_000))
        wait_for("both to say that Kafka is away", lambda: up(0), timeout_s=60, running=running)
        time.sleep(max(0.0, gone + AWAY_S - time.monotonic()))
        fetched = samples(source_port, "siaga_connector_fetched_total")
        assert 0 < max(fetched.values()) < 5_000, "it went on fetching"
        broker.start()
        wait_for("all rows", lambda: counted(5_200), timeout_s=120, running=running)
        wait_for("both to say that it is back", lambda: up(1), timeout_s=60, running=running)
    for name in ("worker/worker.log", "source/connect.log"):
        told = (tmp_path / name).read_text().splitlines()
        assert sum("cannot be used" in line for line in told) == 1, told
        assert len(told) < 60, "a flood of lines"


@pytest.mark.kafka
@pytest.mark.timeout(200)
def test_a_worker_that_starts_while_kafka_is_away_waits_for_it(
    tmp_path: Path, start_kafka: Callable[..., Kafka]
) -> None:
    broker = start_kafka()
    broker.kill()
    home(tmp_path / "worker", f'bootstrap = ["{broker.address}"]')
    told = tmp_path / "worker" / "worker.log"
    away = "cannot be used"
    with siaga(tmp_path / "worker", "worker", name="worker") as worker:
        wait_for("the word", lambda: away in told.read_text(), timeout_s=60, running=[worker])
        broker.start()
        wait_for("Kafka", lambda: owns(told), timeout_s=90, running=[worker])
    assert told.read_text().count(away) == 1


@pytest.mark.kafka
@pytest.mark.timeout(200)
def test_a_worker_that_stops_leaves_its_group_at_once(tmp_path: Path, kafka: Kafka) -> None:
    """Its member is static: without `leave_at_stop` nobody gets its partitions for a session."""
    log = f'bootstrap = ["{kafka.address}"]\nprefix = "leave."'
    home(tmp_path / "worker", log, '[worker]\nid = "leaver"')
    told = tmp_path / "worker" / "worker.log"
    admin = KafkaAdminClient(bootstrap_servers=kafka.address)

    def members() -> int:
        (group,) = admin.describe_groups(["leave.leaver"]).values()
        return len(group["members"])

    try:
        with siaga(tmp_path / "worker", "worker", name="worker") as worker:
            wait_for("partitions", lambda: owns(told), timeout_s=60, running=[worker])
            assert members() == 1
        assert members() == 0
    finally:
        admin.close()


def owns(told: Path) -> bool:
    """Whether a worker's own lines say that it has its partitions."""
    return "This worker owns 2 partitions" in told.read_text()


@pytest.mark.kafka
@pytest.mark.timeout(300)
def test_the_whole_pipeline_works_over_tls_and_scram(
    tmp_path: Path, start_kafka: Callable[..., Kafka], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, ca = certificate(tmp_path)
    options: KafkaOptions = guarded(store, "siaga", "rahasia-1")
    broker = start_kafka(options)
    monkeypatch.setenv("SIAGA_TEST_PASSWORD", "rahasia-1")
    data = tmp_path / "rows.csv"
    data.write_text(HEADER + rows(0, 500))
    port = home(
        tmp_path / "home",
        f"""bootstrap = ["{broker.listener("GUARDED")}"]
security = "SASL_SSL"
sasl_mechanism = "SCRAM-SHA-512"
username = "siaga"
password_env = "SIAGA_TEST_PASSWORD"
ca_file = "{ca}"
""",
    )
    with siaga(tmp_path / "home", "worker", name="worker") as worker:
        siaga_once(tmp_path / "home", "replay", str(data), "--run", "live", timeout_s=120)
        wait_for(
            "all rows",
            lambda: mentions_by_brand(port) == {"angin": 500},
            timeout_s=90,
            running=[worker],
        )
