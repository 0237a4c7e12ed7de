"""What carries an excess: shares that add up, the first mention, and how organic it looks."""

import random
from collections.abc import Callable

import pytest

from detectors.incidents.evidence import Evidence, Observation
from detectors.incidents.explain import Peak
from detectors.incidents.explanation import Explanation

T0 = 1_767_225_600
MAX_SNAPSHOT = 48 * 1024

PRAISE = (
    "kopi susunya enak, tempatnya nyaman",
    "barista ramah sekali, terima kasih",
    "promo hari ini lumayan murah",
    "nice place to work in the afternoon",
)
GRUMBLE = (
    "antre lama sekali di kasir",
    "meja kotor dan musik terlalu keras",
    "es kopi kurang manis menurutku",
)
OUTAGE = (
    "saldo hilang setelah isi ulang, tolong dicek",
    "kok saldo hilang padahal belum belanja {n}",
    "aplikasi bilang gagal tapi saldo hilang {n} ribu",
    "saldo hilang dua kali minggu ini, kecewa",
    "barusan saldo hilang, layanan tidak menjawab",
)


def mention(
    rng: random.Random, at_s: float, text: str, *, bad: bool, **more: object
) -> Observation:
    values: dict[str, object] = {
        "id": f"forum:{at_s:.3f}-{rng.randrange(10**9)}",
        "at_s": at_s,
        "source": rng.choice(("forum", "news", "reviews")),
        "author": f"user{rng.randrange(10**6)}",
        "text": text.format(n=rng.randrange(100)),
        "sentiment": "negative" if bad else "positive",
        "negative": 0.9 if bad else 0.1,
        "topics": ("service",) if bad else (),
        "reach": 1.0 + rng.random() * 50,
    }
    values.update(more)
    return Observation(**values)  # type: ignore[arg-type] # a test's shorthand


def ordinary(evidence: Evidence, rng: random.Random, minutes: range) -> None:
    for m in minutes:
        start_s = T0 + 60 * m
        for _ in range(rng.randrange(4)):
            bad = rng.random() < 0.2
            text = rng.choice(GRUMBLE if bad else PRAISE)
            evidence.observe(mention(rng, start_s + rng.random() * 60, text, bad=bad))
        evidence.advance(start_s)


def outage(
    evidence: Evidence, rng: random.Random, minutes: range, per_minute: int = 6, **more: object
) -> None:
    for m in minutes:
        start_s = T0 + 60 * m
        for _ in range(per_minute):
            values = {
                "source": "forum" if rng.random() < 0.7 else "news",
                "topics": ("refund",),
                **more,
            }
            text = str(values.pop("text", rng.choice(OUTAGE)))
            at_s = start_s + rng.random() * 60
            evidence.observe(mention(rng, at_s, text, bad=True, **values))
        evidence.advance(start_s)


def crisis(**more: object) -> tuple[Evidence, Explanation]:
    rng = random.Random(7)
    evidence = Evidence()
    ordinary(evidence, rng, range(600))
    outage(evidence, rng, range(600, 615), **more)
    return evidence, ask(evidence)


def ask(evidence: Evidence) -> Explanation:
    return evidence.explain(
        signal="negative",
        onset_s=T0 + 600 * 60,
        observed=81.0,
        expected=6.0,
        peak=Peak(6.0, 0.4, 3.0, 7.0),
        until_s=T0 + 615 * 60,
    )


def test_the_shares_of_an_excess_name_what_was_injected_and_add_up() -> None:
    _, told = crisis()
    assert told.channels["forum"] == pytest.approx(0.7, abs=0.1)
    assert told.topics["refund"] > 0.9
    assert max(told.phrases, key=lambda k: told.phrases[k]) == "saldo hilang"
    assert told.phrases["saldo hilang"] > 0.8
    for table in (told.channels, told.topics, told.phrases, told.authors, told.clusters):
        assert sum(table.values()) == pytest.approx(1.0, abs=0.01) or not table


def test_the_first_mention_is_of_the_surge_and_close_to_its_onset() -> None:
    _, told = crisis()
    assert told.first is not None
    assert "saldo hilang" in told.first.text
    assert 0 <= told.first.at_s - (T0 + 600 * 60) < 120


def test_many_different_people_raise_no_flag() -> None:
    _, told = crisis(per_minute=4)
    assert "few_authors" not in told.flags
    assert "synchronised" not in told.flags


def test_one_account_that_writes_most_is_named_and_taken_off() -> None:
    _, told = crisis(author="ribut")
    assert told.authors["ribut"] > 0.9
    assert "few_authors" in told.flags
    assert told.without is not None
    assert (told.without.kind, told.without.key) == ("author", "ribut")
    assert told.without.observed < 0.2 * told.observed
    assert told.without.score is not None
    assert told.without.score < 1.0


def test_copies_of_one_text_form_a_cluster() -> None:
    text = "JANGAN BELANJA DI SINI uang saya tidak kembali {n}"
    _, told = crisis(text=text)
    assert "near_duplicates" in told.flags
    assert told.organic.near_duplicate_share > 0.9
    assert max(told.clusters.values()) > 0.9


def test_scripts_that_post_in_the_same_seconds_are_flagged() -> None:
    rng = random.Random(3)
    evidence = Evidence()
    ordinary(evidence, rng, range(30))
    for m in range(30, 36):
        start_s = T0 + 60 * m
        for i in range(12):
            evidence.observe(mention(rng, start_s + 0.2 * i, rng.choice(OUTAGE), bad=True))
        evidence.advance(start_s)
    told = evidence.explain(signal="negative", onset_s=T0 + 30 * 60, observed=70.0, expected=2.0)
    assert "synchronised" in told.flags


@pytest.mark.parametrize(
    ("days", "share", "flagged"),
    [
        (lambda i: 3 if i % 4 < 2 else 900, 0.5, True),
        (lambda i: 0 if i % 2 else 3, 1.0, True),
        (lambda _: 900, 0.0, False),
        (None, None, False),
    ],
)
def test_accounts_made_for_the_occasion_are_flagged_where_their_age_is_known(
    days: Callable[[int], int] | None, share: float | None, flagged: bool
) -> None:
    rng = random.Random(4)
    evidence = Evidence()
    ordinary(evidence, rng, range(30))
    for i in range(90):
        at_s = T0 + 1800 + 2.0 * i
        # Every author writes twice; a source may tell the age of an account once only.
        known = {"account_days": days(i), "author": f"akun{i // 2}"} if days else {}
        evidence.observe(mention(rng, at_s, rng.choice(OUTAGE), bad=True, **known))
    evidence.advance(T0 + 34 * 60)
    told = evidence.explain(signal="negative", onset_s=T0 + 1800, observed=60.0, expected=1.0)
    assert told.organic.young_accounts == pytest.approx(share, abs=0.2)
    assert ("young_accounts" in told.flags) == flagged


def test_the_furthest_spreading_complaint_is_quoted() -> None:
    rng = random.Random(5)
    evidence = Evidence()
    ordinary(evidence, rng, range(60))
    far = mention(rng, T0 + 3610.0, "viral: saldo hilang", bad=True, reach=250_000.0)
    evidence.observe(far)
    evidence.advance(T0 + 3600)
    told = evidence.explain(signal="velocity", onset_s=T0 + 3600, observed=250_000.0, expected=50.0)
    assert told.spreading[0].id == far.id
    assert told.without is not None
    assert told.without.kind == "post"


def test_restoring_in_the_middle_of_a_minute_changes_nothing() -> None:
    rng_a, rng_b = random.Random(11), random.Random(11)
    a, b = Evidence(), Evidence()
    ordinary(a, rng_a, range(500))
    ordinary(b, rng_b, range(500))
    half = mention(rng_a, T0 + 500 * 60 + 5.0, OUTAGE[0], bad=True)
    a.observe(half)
    b.observe(half)
    b = Evidence.restore(b.snapshot())
    rng_b.setstate(rng_a.getstate())
    outage(a, rng_a, range(500, 515))
    outage(b, rng_b, range(500, 515))
    assert a.snapshot() == b.snapshot()
    assert ask(a) == ask(b)


@pytest.mark.parametrize("per_minute", [3, 400])
def test_a_snapshot_is_small_whatever_comes(per_minute: int) -> None:
    rng = random.Random(1)
    evidence = Evidence()
    letters = "abcdefghijklmnopqrstuvwxyz0123456789 "
    for m in range(120):
        for i in range(per_minute if m > 60 else 3):
            noise = "".join(rng.choices(letters, k=300 if i < 40 else 20))
            observation = mention(
                rng,
                T0 + 60 * m + i % 60,
                noise + "😀",
                bad=i % 2 == 0,
                author="".join(rng.choices(letters, k=80)),
                url="https://example.org/" + "".join(rng.choices(letters, k=100)),
            )
            evidence.observe(observation)
        assert len(evidence.snapshot()) <= MAX_SNAPSHOT
        evidence.advance(T0 + 60 * m)
    assert len(evidence.snapshot()) <= MAX_SNAPSHOT


def test_an_ordinary_brand_has_a_snapshot_of_a_few_kilobytes() -> None:
    evidence, _ = crisis()
    assert len(evidence.snapshot()) <= 16 * 1024


def test_hours_of_mentions_before_the_first_minute_closes_are_bounded() -> None:
    rng = random.Random(2)
    evidence = Evidence()
    for m in range(2000):
        evidence.observe(mention(rng, T0 + 60 * m, rng.choice(GRUMBLE), bad=True))
    assert len(evidence.snapshot()) <= MAX_SNAPSHOT


def test_a_damaged_snapshot_says_so() -> None:
    with pytest.raises(ValueError, match="damaged"):
        Evidence.restore(b"\x01nonsense")
    with pytest.raises(ValueError, match="upgrade"):
        Evidence.restore(b"\xff")
