"""The local Kafka keeps its promises to those who test against it."""

from collections.abc import Callable

import pytest
import services as local
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError
from services import Kafka, KafkaOptions, Listener

pytestmark = pytest.mark.kafka


def test_records_survive_kill_9_and_a_pause_of_the_broker(
    start_kafka: Callable[..., Kafka],
) -> None:
    broker = start_kafka()
    address = broker.address
    admin = KafkaAdminClient(bootstrap_servers=address)
    admin.create_topics([NewTopic("kept", num_partitions=2, replication_factor=1)])
    admin.close()
    producer = KafkaProducer(bootstrap_servers=address, acks="all")
    producer.send("kept", b"before").get(timeout=30)

    broker.kill()
    assert not broker.healthy()
    broker.start()
    assert broker.address == address
    broker.pause()
    assert not broker.healthy()
    broker.resume()
    producer.send("kept", b"after").get(timeout=30)
    producer.close()

    consumer = KafkaConsumer(
        "kept", bootstrap_servers=address, auto_offset_reset="earliest", consumer_timeout_ms=30_000
    )
    seen = []
    for record in consumer:
        seen.append(record.value)
        if len(seen) == 2:
            break
    consumer.close()
    assert sorted(seen) == [b"after", b"before"]


def test_a_scram_listener_lets_in_its_user_and_nobody_else(
    start_kafka: Callable[..., Kafka],
) -> None:
    broker = start_kafka(
        KafkaOptions(
            listeners=(
                Listener("GUARDED", "SASL_PLAINTEXT", {"sasl.enabled.mechanisms": "SCRAM-SHA-512",
                    "scram-sha-512.sasl.jaas.config":
                        "org.apache.kafka.common.security.scram.ScramLoginModule required;"}),
            ),
            scram={"siaga": "rahasia-1"},
        )
    )  # fmt: skip

    def connect(password: str, within_ms: int) -> None:
        KafkaAdminClient(
            bootstrap_servers=broker.listener("GUARDED"),
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism="SCRAM-SHA-512",
            sasl_plain_username="siaga",
            sasl_plain_password=password,
            bootstrap_timeout_ms=within_ms,
        ).close()

    connect("rahasia-1", 20_000)
    with pytest.raises(KafkaError):
        connect("salah", 2_000)
    assert "invalid credentials with SASL mechanism SCRAM-SHA-512" in broker.log.read_text()


def test_starting_twice_keeps_the_broker_and_stopping_ends_only_it(kafka: Kafka) -> None:
    folder = kafka.folder.parent
    again = local.start(["kafka"], folder, ports=local.EPHEMERAL)
    assert again.kafka is not None
    assert again.kafka.process == kafka.process
    assert again.kafka.healthy()
