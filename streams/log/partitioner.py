"""Which partition a key belongs to: the same answer as Kafka's clients, Faust and aiokafka give."""

from functools import lru_cache

_M = 0x5BD1E995
_SEED = 0x9747B28C
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """MurmurHash2 as in `org.apache.kafka.common.utils.Utils.murmur2`, as an unsigned 32-bit int.

    Source: Apache Kafka, clients/src/main/java/org/apache/kafka/common/utils/Utils.java.
    """
    whole = len(data) & ~3
    h = _SEED ^ len(data)
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * _M & _MASK
        h = h * _M & _MASK ^ (k ^ k >> 24) * _M & _MASK
    if whole != len(data):
        h = (h ^ int.from_bytes(data[whole:], "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


@lru_cache(maxsize=65_536)
def partition_of(key: bytes, partitions: int) -> int:
    """Partition of a key among `partitions`; remembered, for keys are brands and repeat."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
