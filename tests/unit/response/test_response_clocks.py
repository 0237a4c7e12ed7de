"""What counts as unanswered, and when a first response is overdue."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from response.clocks import AGES, HORIZON_S, Complaints, due_at, first_word, overdue
from response.follow import since
from response.incidents import action
from response.waiting import Waiting, serve
from streams.codec import encode
from streams.log.port import Entry
from streams.records import LevelChange, Mention, Scored, ScoredBatch
from streams.registry import REGISTRY
from streams.topics import INCIDENTS, SCORED

MINUTES = {2: 60, 3: 15}


def reply(make: SimpleNamespace, to: str, minutes: float, **more: object) -> Scored:
    at = make.now + timedelta(minutes=minutes)
    return make.scored(f"forum:own{to}{minutes}", own=True, in_reply_to=to, published_at=at, **more)


def test_a_complaint_waits_until_the_brand_replies_and_the_time_is_told_once(
    make: SimpleNamespace,
) -> None:
    complaints = Complaints()
    complaints.scored(make.scored("forum:1"))
    now = make.now.timestamp() + 600
    assert complaints.unanswered(now) == (1, make.now.timestamp())
    assert complaints.response_times(now) == []
    complaints.scored(reply(make, "1", 20))
    assert complaints.response_times(now) == [1200.0]
    assert complaints.unanswered(now) == (0, None)
    # The second reply, the same record again, and an edit of what was answered are nothing new
    complaints.scored(reply(make, "1", 30))
    complaints.scored(make.scored("forum:1"))
    complaints.scored(make.scored("forum:1", fate="revision"))
    assert complaints.response_times(now) == [1200.0]
    assert complaints.unanswered(now) == (0, None)


def test_a_reply_that_comes_before_its_complaint_answers_it(make: SimpleNamespace) -> None:
    complaints = Complaints()
    complaints.scored(reply(make, "forum:1", 5))
    complaints.scored(make.scored("forum:1"))
    assert complaints.response_times(make.now.timestamp()) == [300.0]
    assert complaints.unanswered(make.now.timestamp()) == (0, None)


def test_the_times_are_those_of_the_last_days_replies_within_a_day(make: SimpleNamespace) -> None:
    complaints, hour = Complaints(), 60
    for name, asked, minutes in (("a", 0, 5), ("b", -23 * hour, 0), ("c", -25 * hour, 0)):
        at = make.now + timedelta(minutes=asked)
        complaints.scored(make.scored(f"forum:{name}", published_at=at))
        complaints.scored(reply(make, name, minutes))
    statement = make.scored("forum:own", own=True, published_at=make.now)
    complaints.scored(statement)
    now = make.now.timestamp()
    assert complaints.response_times(now) == [300.0, 23 * 3600.0]
    assert complaints.response_times(now + HORIZON_S + 60) == [300.0]
    assert complaints.response_times(now + HORIZON_S + 300) == []


def test_spam_praise_own_words_and_deleted_complaints_expect_no_answer(
    make: SimpleNamespace,
) -> None:
    complaints = Complaints()
    complaints.scored(make.scored("forum:1", sentiment="positive"))
    complaints.scored(make.scored("forum:2", own=True))
    spam = make.scored("forum:3")
    for flag in ("spam", "giveaway", "repost"):
        complaints.scored(
            Scored(
                mention=spam.mention, sentiment="negative", probabilities=(1, 0, 0), flags=(flag,)
            )
        )
    complaints.scored(make.scored("forum:4"))
    complaints.scored(make.scored("forum:4", deleted=True))
    complaints.scored(make.scored("forum:5"))
    complaints.scored(make.scored("forum:5", fate="revision", sentiment="neutral"))
    assert complaints.unanswered(make.now.timestamp() + 1) == (0, None)


def test_after_a_day_a_complaint_has_no_clock_and_ages_add_up(make: SimpleNamespace) -> None:
    complaints = Complaints()
    for i, minutes in enumerate((1, 30, 100, 600, 1439, 1441)):
        at = make.now - timedelta(minutes=minutes)
        complaints.scored(make.scored(f"forum:{i}", published_at=at))
    now = make.now.timestamp()
    assert complaints.by_age(now) == {"15m": 1, "1h": 1, "4h": 1, "24h": 2}
    assert complaints.unanswered(now)[0] == 5
    complaints.forget(now)
    assert len(complaints.waiting) == 5


@given(st.lists(st.floats(-2 * HORIZON_S, 2 * HORIZON_S), max_size=30), st.floats(0, HORIZON_S))
def test_ages_always_add_up_to_what_is_unanswered(offsets: list[float], later: float) -> None:
    complaints, base = Complaints(), 1_800_000_000.0
    for i, offset in enumerate(offsets):
        complaints.waiting[str(i)] = base + offset
    by_age = complaints.by_age(base + later)
    assert list(by_age) == [label for label, _ in AGES]
    assert sum(by_age.values()) == complaints.unanswered(base + later)[0]


def test_only_words_about_what_happened_since_the_onset_are_a_first_response(
    make: SimpleNamespace,
) -> None:
    incident, complaints = make.incident(), Complaints()
    old = make.now - timedelta(hours=3)
    complaints.scored(make.scored("forum:old", published_at=old))
    complaints.scored(reply(make, "old", 1))
    assert complaints.first_response(incident) is None
    complaints.scored(make.scored("forum:new", published_at=make.now))
    complaints.scored(reply(make, "new", 12))
    assert complaints.first_response(incident) == make.now.timestamp() + 720


def test_a_statement_or_a_persons_word_stops_the_clock_too(make: SimpleNamespace) -> None:
    incident, complaints = make.incident(), Complaints()
    said = action(incident, "replied", "sari", "cli", now=make.now + timedelta(minutes=9))
    note = action(incident, "note", "sari", "cli", now=make.now, text="x")
    assert first_word(incident, complaints, [note]) is None
    assert first_word(incident, None, [note, said]) == make.now.timestamp() + 540
    at = make.now + timedelta(minutes=4)
    complaints.scored(make.scored("forum:own", own=True, published_at=at))
    assert first_word(incident, complaints, [said]) == make.now.timestamp() + 240


def test_the_earliest_deadline_of_the_levels_reached_counts(make: SimpleNamespace) -> None:
    def after(minutes: float) -> datetime:
        return make.now + timedelta(minutes=minutes)

    history = (LevelChange(1, make.now), LevelChange(2, after(5)), LevelChange(3, after(20)))
    rising = make.incident(level=3, history=history)
    assert due_at(rising, MINUTES) == after(35).timestamp()
    fallen = make.incident(level=2, history=(*history, LevelChange(2, after(30))))
    assert due_at(fallen, MINUTES) == after(35).timestamp()
    watch = make.incident(level=1, history=history[:1])
    assert due_at(watch, MINUTES) is None
    assert not overdue(rising, None, MINUTES, now=after(34).timestamp())
    assert overdue(rising, None, MINUTES, now=after(35).timestamp())
    assert not overdue(rising, after(34).timestamp(), MINUTES, now=after(99).timestamp())
    assert not overdue(watch, None, MINUTES, now=after(9999).timestamp())


def families(waiting: Waiting) -> dict[str, dict[tuple[str, ...], float]]:
    return {
        family.name: {tuple(s.labels.values()): s.value for s in family.samples}
        for family in waiting.collect()
    }


def test_metrics_follow_the_records_and_are_silent_until_the_log_is_read(
    make: SimpleNamespace, tmp_path: Path
) -> None:
    settings = make.settings("[oncall.first_response_minutes]\ncrisis = 10\n", tmp_path)
    clock = [make.now.timestamp() + 540]
    waiting = Waiting(settings, lambda: clock[0])
    batch = ScoredBatch("live/t/0/1", "kirana", (make.scored("forum:1"), make.scored("forum:2")))
    waiting.scored(batch)
    waiting.scored(ScoredBatch("x", "kirana", (make.scored("forum:9"),), run="replay"))
    waiting.scored(ScoredBatch("y", "stranger", (make.scored("forum:9"),)))
    waiting.incident(make.incident(), clock[0])
    drill = make.incident(id="drill-1/senja/1", brand="senja", run="drill-1", level=2)
    waiting.incident(drill, clock[0])
    assert families(waiting) == {}

    waiting.missing.clear()
    found = families(waiting)
    assert found["siaga_unanswered_complaints"] == {
        ("kirana", "15m"): 2, ("kirana", "1h"): 0, ("kirana", "4h"): 0, ("kirana", "24h"): 0,
    }  # fmt: skip
    assert found["siaga_oldest_unanswered_timestamp_seconds"] == {("kirana",): make.now.timestamp()}
    assert found["siaga_response_overdue"] == {("kirana", "3"): 0}
    assert found["siaga_drill_level"] == {("senja", "no"): 2}
    wide = make.incident(id="drill-management-1/senja/1", brand="senja", run="drill-management-1")
    waiting.incident(wide, clock[0])
    found = families(waiting)
    assert found["siaga_drill_level"] == {("senja", "no"): 2, ("senja", "yes"): 3}
    waiting.incident(replace(wide, closed_at=make.now, sequence=9), clock[0])

    clock[0] += 120
    assert families(waiting)["siaga_response_overdue"] == {("kirana", "3"): 1}
    now = make.now + timedelta(minutes=11)
    waiting.action(action(make.incident(), "replied", "sari", "cli", now=now))
    assert families(waiting)["siaga_response_overdue"] == {("kirana", "3"): 0}
    assert families(waiting)["siaga_incident_acknowledged"] == {("kirana",): 0}
    waiting.action(action(make.incident(), "ack", "sari", "cli", now=now))
    assert families(waiting)["siaga_incident_acknowledged"] == {("kirana",): 1}
    waiting.incident(make.incident(sequence=3, snoozed_until=now), clock[0])
    assert families(waiting)["siaga_incident_snoozed_until_timestamp_seconds"] == {
        ("kirana",): now.timestamp()
    }
    waiting.action(action(make.incident(), "close", "sari", "cli", now=now))
    assert families(waiting)["siaga_response_overdue"] == {}
    clock[0] += 25 * 3600
    waiting.tidy()
    waiting.incident(make.incident(sequence=4, closed_at=now, change="closed"), clock[0])
    found = families(waiting)
    assert not any(found.pop("siaga_first_response_seconds").values())
    assert not any(found.values())


def test_history_is_read_from_the_time_asked_and_not_from_the_beginning(
    make: SimpleNamespace,
) -> None:
    async def run() -> None:
        log = make.log()
        for i in range(5000):
            await log.append([Entry(SCORED, b"k", b"{}", 0, timestamp_ms=i * 1000)])
        await log.append([Entry(INCIDENTS, b"k", b"{}", 1)])
        found = await since(log, SCORED, 4_000_000, 20_000)
        # Early enough, and not the whole topic
        assert 0 < found[0] <= 4000
        assert (await since(log, SCORED, 0, 100))[0] == 4900
        assert (await since(log, SCORED, 0, 20_000))[0] == 0

    asyncio.run(run())


def test_the_service_rebuilds_its_state_from_the_log(make: SimpleNamespace, tmp_path: Path) -> None:
    async def run() -> None:
        log, settings = make.log(), make.settings("", tmp_path)
        published = datetime.now(make.now.tzinfo) - timedelta(minutes=3)
        mention = Mention(
            id="forum:1", source="forum", published_at=published, collected_at=published
        )
        batch = ScoredBatch(
            "live/t/0/1",
            "kirana",
            (Scored(mention=mention, sentiment="negative", probabilities=(1, 0, 0)),),
        )
        await log.append([Entry(SCORED, b"kirana", encode(batch))])
        await log.append([make.entry(make.incident(level=2))])
        task = asyncio.create_task(serve(settings, log))
        labels = {"brand": "kirana", "age": "15m"}
        await _until("siaga_unanswered_complaints", 1, labels)
        # What happened long ago on the wall's clock is overdue by now
        late = {"brand": "kirana", "level": "2"}
        assert REGISTRY.get_sample_value("siaga_response_overdue", late) == 1
        own = Mention(
            id="forum:2", source="forum", own=True, in_reply_to="1",
            published_at=published + timedelta(seconds=90), collected_at=published,
        )  # fmt: skip
        batch = ScoredBatch(
            "live/t/0/2",
            "kirana",
            (Scored(mention=own, sentiment="neutral", probabilities=(0, 1, 0)),),
        )
        await log.append([Entry(SCORED, b"kirana", encode(batch))])
        await _until("siaga_first_response_seconds_sum", 90)
        assert REGISTRY.get_sample_value("siaga_response_overdue", late) == 0
        await _end(task)
        # A second reply while the service is away
        asked, said = replace(mention, id="forum:3"), replace(own, id="forum:4", in_reply_to="3")
        missed = (
            Scored(mention=asked, sentiment="negative", probabilities=(1, 0, 0)),
            Scored(mention=said, sentiment="neutral", probabilities=(0, 1, 0)),
        )
        await log.append(
            [Entry(SCORED, b"kirana", encode(ScoredBatch("live/t/0/3", "kirana", missed)))]
        )
        task = asyncio.create_task(serve(settings, log))
        await _until("siaga_first_response_seconds_count", 2)
        bucket = "siaga_first_response_seconds_bucket"
        assert REGISTRY.get_sample_value(bucket, {"le": "60.0"}) == 0
        assert REGISTRY.get_sample_value(bucket, {"le": "300.0"}) == 2
        await _end(task)

    asyncio.run(asyncio.wait_for(run(), 20))


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _until(metric: str, value: float, labels: dict[str, str] | None = None) -> None:
    while REGISTRY.get_sample_value(metric, labels) != value:  # noqa: ASYNC110 (no event to await)
        await asyncio.sleep(0.01)
