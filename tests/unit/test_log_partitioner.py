"""One key, one partition: ours, kafka-python's and aiokafka's answers are the same."""

from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2 as kafka_murmur2

from streams.log.partitioner import murmur2, partition_of


@given(st.binary(max_size=300))
def test_murmur2_is_that_of_kafka_python(data: bytes) -> None:
    assert murmur2(data) == kafka_murmur2(data) & 0xFFFFFFFF


@given(st.binary(max_size=80), st.integers(1, 64))
def test_partition_is_that_of_aiokafka_which_faust_uses(key: bytes, partitions: int) -> None:
    every = list(range(partitions))
    assert partition_of(key, partitions) == DefaultPartitioner()(key, every, every)


def test_known_values_of_the_java_client() -> None:
    # From UtilsTest.testMurmur2 of Apache Kafka.
    cases = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536}
    for data, signed in cases.items():
        assert murmur2(data) == signed & 0xFFFFFFFF
