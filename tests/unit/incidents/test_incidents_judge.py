"""From a minute to the records that people and other services read."""

import random
from datetime import UTC, datetime

from detectors.anomaly.bank import Bank, BankConfig, Features
from detectors.incidents.detection import Detection
from detectors.incidents.evidence import Evidence, Observation
from detectors.incidents.incident import IncidentState
from detectors.incidents.severity import SeverityConfig
from streams import codec
from streams.pipeline.judge import decide, judge
from streams.records import Action, Incident

T0 = 1_767_225_600
CONFIG = SeverityConfig()
DAY = 1440


class Brand:
    """A small shop in front of the judge, minute by minute."""

    def __init__(self, seed: int, *, restart_each: int = 0) -> None:
        self.rng = random.Random(seed)
        self.bank = Bank(BankConfig())
        self.evidence = Evidence()
        self.state: IncidentState | None = None
        self.records: list[Incident] = []
        self.restart_each = restart_each

    def live(self, minutes: range, *, angry: int = 0) -> None:
        for m in minutes:
            self._minute(T0 + 60 * m, angry)
            if self.restart_each and m % self.restart_each == 0 and self.state is not None:
                self.state = IncidentState.restore(self.state.snapshot())
                self.evidence = Evidence.restore(self.evidence.snapshot())

    def _minute(self, start_s: int, angry: int) -> None:
        rng = self.rng
        negative = 0.0
        calm = rng.choice((0, 0, 1, 1, 2))
        for i in range(calm + angry):
            bad = i >= calm or rng.random() < 0.15
            probability = 0.9 if bad else 0.1
            negative += probability
            observation = Observation(
                id=f"forum:{start_s}-{i}",
                at_s=start_s + 60.0 * rng.random(),
                source="forum" if i >= calm else "news",
                author=f"orang{rng.randrange(10**6)}",
                text=f"saldo hilang {rng.randrange(99)} ribu, tolong" if bad else "kopinya enak",
                sentiment="negative" if bad else "positive",
                negative=probability,
                topics=("refund",) if bad else (),
            )
            self.evidence.observe(observation)
        count = calm + angry
        features = Features(
            mentions=count, negative=negative, authors=count, reach=50.0 * count, top_reach=1.0
        )
        detection = Detection(
            brand="kopi",
            start_s=start_s,
            readings=self.bank.score_one(features, start_s=start_s),
            mentions=count,
            negative=negative,
            authors=count,
            reach=50.0 * count,
        )
        self.state, records = judge(
            self.state,
            self.evidence,
            detection,
            brand_title="Kopi Nusa",
            now=datetime.fromtimestamp(start_s + 60, UTC),
            config=CONFIG,
            time_zone="Asia/Jakarta",
        )
        self.records += records
        self.bank.learn_one(features, start_s=start_s)
        self.evidence.advance(start_s)

    def does(self, kind: str, at: int) -> tuple[Incident, ...]:
        assert self.state is not None
        now = datetime.fromtimestamp(T0 + 60 * at, UTC)
        action = Action(
            id=f"{kind}{at}",
            kind=kind,
            incident=self.records[-1].id,
            brand="kopi",
            who="sari",
            at=now,
        )
        self.state, records = decide(
            self.state,
            self.evidence,
            action,
            brand_title="Kopi Nusa",
            now=now,
            config=CONFIG,
            time_zone="Asia/Jakarta",
        )
        return records


def crisis(seed: int = 4, **more: int) -> Brand:
    brand = Brand(seed, **more)
    brand.live(range(2 * DAY))
    quiet = len(brand.records)
    brand.live(range(2 * DAY, 2 * DAY + 30), angry=5)
    brand.live(range(2 * DAY + 30, 2 * DAY + 150))
    assert quiet == 0
    return brand


def test_a_crisis_is_told_from_its_opening_to_its_end_with_evidence() -> None:
    brand = crisis()
    alert = next(r for r in brand.records if r.level >= 2)
    late_minutes = (alert.updated_at.timestamp() - T0) / 60 - 2 * DAY
    assert late_minutes <= 10
    assert alert.topics["refund"] > 0.8
    assert alert.channels["forum"] > 0.8
    assert "saldo hilang" in alert.phrases
    assert alert.first is not None
    assert alert.samples
    assert abs(alert.onset.timestamp() - T0 - 2 * DAY * 60) <= 600
    assert "Kopi Nusa" in alert.sentences["id"]
    assert "negative mentions" in alert.sentences["en"]
    last = brand.records[-1]
    assert (last.change, last.level) == ("closed", 0)
    assert last.closed_at is not None
    assert last.topics, "the last record of a compacted topic is complete"


def test_the_records_survive_the_codec() -> None:
    for record in crisis().records:
        assert codec.incident.decode(codec.encode(record)) == record


def test_a_replay_and_a_restart_each_hour_tell_the_same_story() -> None:
    told = crisis().records
    assert crisis().records == told
    assert crisis(restart_each=61).records == told


def test_an_acknowledgement_keeps_the_evidence() -> None:
    brand = Brand(4)
    brand.live(range(2 * DAY))
    brand.live(range(2 * DAY, 2 * DAY + 15), angry=5)
    (record,) = brand.does("ack", 2 * DAY + 16)
    assert record.change == "acknowledged"
    assert record.acknowledged_by == "sari"
    assert record.sequence == brand.records[-1].sequence + 1
    assert record.phrases == brand.records[-1].phrases
    assert brand.does("note", 2 * DAY + 17) == ()


def test_a_false_alarm_closes_and_is_not_paged_again_by_the_same() -> None:
    brand = Brand(4)
    brand.live(range(2 * DAY))
    brand.live(range(2 * DAY, 2 * DAY + 12), angry=3)
    (record,) = brand.does("false_alarm", 2 * DAY + 12)
    assert (record.change, record.level) == ("false_alarm", 0)
    told = len(brand.records)
    brand.live(range(2 * DAY + 12, 2 * DAY + 22), angry=3)
    assert all(r.level < 2 for r in brand.records[told:])
