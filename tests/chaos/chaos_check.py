"""Reads the topics with a bare client and compares them with the known input; no product code."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chaos_input import Expected
from kafka import KafkaConsumer, TopicPartition

Json = dict[str, Any]


@dataclass
class Outputs:
    """What a round left in the topics, repeats dropped."""

    scored: dict[str, Json] = field(default_factory=dict)
    minutes: dict[str, Json] = field(default_factory=dict)
    incidents: dict[str, Json] = field(default_factory=dict)
    dead: dict[str, Json] = field(default_factory=dict)
    repeats: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def records(address: str, topic: str) -> Iterator[bytes]:
    """All values of a topic as it is now."""
    consumer = KafkaConsumer(bootstrap_servers=address, group_id=None, enable_auto_commit=False)
    try:
        tps = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(tps)
        consumer.seek_to_beginning(*tps)
        ends = consumer.end_offsets(tps)
        while any(consumer.position(tp) < ends[tp] for tp in tps):
            for batch in consumer.poll(timeout_ms=1000).values():
                yield from (r.value for r in batch if r.value is not None)
    finally:
        consumer.close()


def read(address: str, prefix: str) -> Outputs:
    """Read the output topics and drop repeats; a repeat that says something else is a problem."""
    out = Outputs()
    _gather(out, "scored", records(address, f"{prefix}siaga.scored.v1"), _by_id, _scored_part)
    _gather(out, "minutes", records(address, f"{prefix}siaga.minutes.v1"), _by_id, _counts)
    _gather(out, "incidents", records(address, f"{prefix}siaga.incidents.v1"), _by_change, _level)
    _gather(out, "dead", records(address, f"{prefix}siaga.dead.v1"), _by_id, _original)
    return out


def _gather(
    out: Outputs,
    kind: str,
    values: Iterator[bytes],
    name_of: Callable[[Json], str],
    essence: Callable[[Json], Hashable],
) -> None:
    found: dict[str, Json] = getattr(out, kind)
    for value in values:
        record = json.loads(value)
        name = name_of(record)
        if name not in found:
            found[name] = record
            continue
        out.repeats[kind] += 1
        if essence(found[name]) != essence(record):
            out.problems.append(f"{kind} {name} came twice with different contents")


def _by_id(record: Json) -> str:
    return str(record["id"])


def _by_change(record: Json) -> str:
    return f"{record['id']}#{record.get('sequence', 0)}"


def _scored_part(record: Json) -> Hashable:
    return tuple((m["mention"]["id"], m["sentiment"], m.get("fate")) for m in record["mentions"])


def _counts(record: Json) -> Hashable:
    return json.dumps(record["counts"], sort_keys=True)


def _level(record: Json) -> Hashable:
    return (record["level"], record["peak"], record["onset"], record.get("change"))


def _original(record: Json) -> Hashable:
    return (record["reason"], record["sha256"], record["origin"])


def minute_of(stamp: str) -> int:
    """Start of the minute of an RFC 3339 time, in epoch seconds."""
    return int(datetime.fromisoformat(stamp).timestamp() // 60) * 60


def compare(out: Outputs, expected: Mapping[str, Expected], planted: tuple[int, int]) -> list[str]:
    """Problems of a round; none is what is wanted.

    Parameters
    ----------
    expected
        By run.
    planted
        Dead letters and good mentions that bad records in the mentions topic must lead to.
    """
    problems = list(out.problems)
    once: Counter[tuple[str, str, str]] = Counter()
    counted: dict[str, Counter[tuple[str, int]]] = defaultdict(Counter)
    negative: dict[str, Counter[tuple[str, int]]] = defaultdict(Counter)
    late_negative: dict[str, Counter[tuple[str, int]]] = defaultdict(Counter)
    late: dict[str, Counter[tuple[str, int]]] = defaultdict(Counter)
    models = set()
    for batch in out.scored.values():
        run, brand = batch.get("run", "live"), batch["brand"]
        for one in batch["mentions"]:
            mention = one["mention"]
            once[run, brand, mention["id"]] += 1
            at = (brand, minute_of(mention["published_at"]))
            counted[run][at] += 1
            models.add(one["model"])
            is_late = one.get("fate", "on_time") == "late"
            late[run][at] += is_late
            if one["sentiment"] == "negative":
                negative[run][at] += 1
                late_negative[run][at] += is_late
    for key, count in once.items():
        if count > 1:
            problems.append(f"{'/'.join(key)} was scored {count} times under different ids")
    if len(models) != 1:
        problems.append(f"{len(models)} model versions: {sorted(models)}")
    closed: dict[str, Counter[tuple[str, int]]] = defaultdict(Counter)
    closed_negative: dict[str, Counter[tuple[str, int]]] = defaultdict(Counter)
    for minute in out.minutes.values():
        at = (minute["brand"], minute_of(minute["start"]))
        closed[minute["run"]][at] += minute["counts"].get("mentions", 0)
        closed_negative[minute["run"]][at] += minute["counts"].get("negative", 0)
    for run, wanted in expected.items():
        problems += _differences(f"{run}: scored", counted[run], wanted.minutes)
        problems += _differences(f"{run}: minutes + late", closed[run] + late[run], wanted.minutes)
        problems += _differences(
            f"{run}: negatives", closed_negative[run] + late_negative[run], +negative[run]
        )
    problems += _dead_letters(out, expected, planted)
    if sum(counted["planted"].values()) != planted[1]:
        problems.append(f"planted: {sum(counted['planted'].values())} mentions, not {planted[1]}")
    problems += _sequences(out)
    return problems


def _dead_letters(
    out: Outputs, expected: Mapping[str, Expected], planted: tuple[int, int]
) -> list[str]:
    problems = []
    for run, wanted in expected.items():
        found = {
            letter["origin"].rpartition("/")[2]
            for letter in out.dead.values()
            if letter["stage"] == "door" and letter.get("run") == run
        }
        if found != wanted.dead:
            problems.append(
                f"{run}: {len(found)} dead letters of {len(wanted.dead)}: "
                f"{sorted(found ^ wanted.dead)[:5]}"
            )
    decoded = sum(letter["stage"] == "decode" for letter in out.dead.values())
    if decoded != planted[0]:
        problems.append(f"planted: {decoded} dead letters, not {planted[0]}")
    return problems


def _sequences(out: Outputs) -> list[str]:
    told: dict[str, set[int]] = defaultdict(set)
    for record in out.incidents.values():
        told[record["id"]].add(record.get("sequence", 0))
    return [
        f"incident {name} lacks changes: {sorted(found)}"
        for name, found in told.items()
        if found != set(range(min(found), max(found) + 1))
    ]


def _differences(
    what: str, found: Counter[tuple[str, int]], wanted: Counter[tuple[str, int]]
) -> list[str]:
    wrong = {at: (found[at], wanted[at]) for at in found | wanted if found[at] != wanted[at]}
    if not wrong:
        return []
    more = sum(max(0, f - w) for f, w in wrong.values())
    less = sum(max(0, w - f) for f, w in wrong.values())
    return [f"{what}: {len(wrong)} minutes differ (+{more} -{less}): {list(wrong.items())[:3]}"]


def incidents(out: Outputs) -> list[tuple[str, str, int, str]]:
    """Run, brand, peak level and onset minute of every incident."""
    peaks: dict[str, tuple[str, str, int, str]] = {}
    for record in out.incidents.values():
        known = peaks.get(record["id"])
        peak = max(record["peak"], known[2] if known else 0)
        peaks[record["id"]] = (record.get("run", "live"), record["brand"], peak, record["onset"])
    return sorted(peaks.values())


def negatives(out: Outputs) -> Counter[tuple[str, str, int]]:
    """Negative mentions by run, brand and event minute."""
    found: Counter[tuple[str, str, int]] = Counter()
    for batch in out.scored.values():
        for one in batch["mentions"]:
            if one["sentiment"] == "negative":
                at = minute_of(one["mention"]["published_at"])
                found[batch.get("run", "live"), batch["brand"], at] += 1
    return found
