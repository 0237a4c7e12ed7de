"""Many brands at once have one parent; a few, or the usual few, have none."""

from detectors.incidents.announced import Announced, is_announced
from detectors.incidents.outbreak import (
    Outbreak,
    OutbreakConfig,
    OutbreakState,
    observe,
    pages,
    settle,
)
from streams import codec
from streams.pipeline.judge import outbreak_record

CONFIG = OutbreakConfig()
T0 = 1_767_225_600
BRANDS = tuple(f"b{i:02d}" for i in range(12))


def play(
    minutes: range, levels: dict[str, int], state: OutbreakState | None = None, topic: str = ""
) -> tuple[OutbreakState, list[Outbreak]]:
    state = state or OutbreakState()
    told = []
    for m in minutes:
        at = T0 + 60 * m
        for brand in BRANDS:
            level = levels.get(brand, 0)
            incident = f"live/{brand}/1" if level else ""
            state = observe(
                state, brand=brand, minute_s=at, level=level, incident=incident, topic=topic
            )
        state, change = settle(state, run="live", minute_s=at, config=CONFIG)
        if change is not None:
            told.append(change)
    return state, told


def test_four_brands_that_rise_together_have_a_parent_that_names_them() -> None:
    state, _ = play(range(60), {})
    _, told = play(range(60, 70), dict.fromkeys(BRANDS[:4], 2), state, topic="delivery")
    assert len(told) == 1
    assert told[0].brands == BRANDS[:4]
    assert told[0].id == f"live/*/{T0 + 3600}"
    assert told[0].topics == {"delivery": 1.0}
    assert len(told[0].incidents) == 4
    assert pages(told[0])


def test_two_brands_are_no_outbreak() -> None:
    state, _ = play(range(60), {})
    _, told = play(range(60, 120), dict.fromkeys(BRANDS[:2], 3), state)
    assert told == []


def test_brands_that_are_always_restless_are_no_outbreak() -> None:
    _, told = play(range(2000), dict.fromkeys(BRANDS[:1], 1))
    assert told == []


def test_brands_that_rise_an_hour_apart_are_no_outbreak() -> None:
    state, told = play(range(60), {})
    for n in range(1, 4):
        state, new = play(range(60 * n, 60 * n + 60), dict.fromkeys(BRANDS[:n], 1), state)
        told += new
    assert told == []


def test_its_record_and_sentence_name_the_brands_in_fewer_than_forty_words() -> None:
    state, _ = play(range(60), {})
    _, told = play(range(60, 70), dict.fromkeys(BRANDS, 2), state, topic="delivery")
    titles = {brand: f"Toko Serba Ada Nomor {brand}" for brand in BRANDS}
    record = outbreak_record(told[0], titles=titles, time_zone="Asia/Jakarta")
    assert codec.incident.decode(codec.encode(record)) == record
    assert (record.brand, record.level, len(record.children)) == ("*", 2, 12)
    assert record.sentences["id"].startswith("12 merek sekaligus")
    assert "Toko Serba Ada Nomor b00" in record.sentences["en"]
    assert all(len(text.split()) < 40 for text in record.sentences.values())


def test_it_grows_and_closes_when_most_are_calm() -> None:
    state, _ = play(range(60), {})
    state, a = play(range(60, 70), dict.fromkeys(BRANDS[:4], 1), state)
    state, b = play(range(70, 80), dict.fromkeys(BRANDS[:7], 2), state)
    state, c = play(range(80, 120), {}, state)
    assert [o.change for o in (*a, *b, *c)] == ["opened", "level", "closed"]
    assert [o.sequence for o in (*a, *b, *c)] == [0, 1, 2]
    assert c[0].closed_s is not None
    assert c[0].peak_brands == 7


def test_a_restart_or_a_repeat_changes_nothing() -> None:
    levels = dict.fromkeys(BRANDS[:5], 2)
    whole, told = play(range(90), levels)
    state, first = play(range(45), levels)
    state, again = play(range(45), levels, OutbreakState.restore(state.snapshot()))
    state, second = play(range(45, 90), levels, state)
    assert again == []
    assert (state, first + second) == (whole, told)


def test_an_announced_outage_covers_every_brand_while_it_runs() -> None:
    outage = Announced(id="o", brand="*", start_s=T0, end_s=T0 + 600, kind="outage")
    assert is_announced([outage], "kopi", T0)
    assert not is_announced([outage], "kopi", T0 + 600)
