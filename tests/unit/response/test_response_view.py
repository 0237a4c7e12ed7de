"""The bounded view of the topics."""

from types import SimpleNamespace
from typing import Any

from detectors.anomaly.reading import Reading
from response.page import snapshot
from response.page.view import INCIDENTS_KEPT, MENTIONS_PER_BRAND, RUNS_KEPT, View
from streams.records import Action, ScoredBatch, Tick


def page(view: View, **changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "brand": None,
        "minutes": 360,
        "titles": {"kirana": "Kirana Belanja"},
        "language": "en",
        "now": 1000.0,
        "stale_after_s": 60.0,
    }
    return snapshot.page(view, view.latest(), **(values | changes))


def batch(*mentions: Any, run: str = "live") -> ScoredBatch:
    return ScoredBatch("x", "kirana", mentions, run)


def test_minutes_show_the_band_and_a_repeat_changes_nothing(make: SimpleNamespace) -> None:
    view = View()
    for number in (0, 1, 2, 2, 1):
        view.minute(make.minute(number), 1000.0)
    brand = page(view)["brand"]
    assert brand["title"] == "Kirana Belanja"
    assert brand["volume"] == {
        "observed": [4.0] * 3,
        "expected": [3.0] * 3,
        "upper": [9.0] * 3,
    }
    assert page(view)["brands"][0]["mentions"] == 12
    assert page(view)["clock"] == make.now.timestamp() + 180


def test_minutes_are_bounded(make: SimpleNamespace) -> None:
    view = View(history=60)
    for number in range(200):
        view.minute(make.minute(number), 1000.0)
    assert len(page(view)["brand"]["t"]) == 60


def test_a_long_window_keeps_its_peak(make: SimpleNamespace) -> None:
    import msgspec

    view = View(history=3000)
    for number in range(1440):
        minute = make.minute(number)
        if number == 701:
            peak = msgspec.structs.replace(minute.readings[0], observed=500.0, score=9.0)
            minute = make.minute(number, readings=(peak,))
        view.minute(minute, 1000.0)
    observed = page(view, minutes=1440)["brand"]["volume"]["observed"]
    assert len(observed) <= snapshot.CHART_POINTS
    assert max(observed) == 500.0


def test_minutes_without_mentions_are_put_back_as_quiet(make: SimpleNamespace) -> None:
    import msgspec

    view = View()
    for number in (0, 3):
        view.minute(make.minute(number), 1000.0)
    other = msgspec.structs.replace(make.minute(5), brand="senja")
    view.minute(other, 1000.0)
    brand = page(view, brand="kirana")["brand"]
    assert brand["volume"]["observed"] == [4.0, 0.0, 0.0, 4.0, 0.0, 0.0]
    assert brand["volume"]["upper"] == [9.0] * 6
    assert brand["share"]["observed"] == [0.25, None, None, 0.25, None, None]
    row = next(r for r in page(view)["brands"] if r["name"] == "kirana")
    assert (row["mentions"], row["expected"]) == (8, 18.0)
    # nothing is made up before the first known minute
    assert len(page(view, brand="senja")["brand"]["t"]) == 1


def test_a_brand_that_fell_silent_has_an_empty_hour(make: SimpleNamespace) -> None:
    import msgspec

    view = View()
    view.minute(make.minute(0), 1000.0)
    view.minute(msgspec.structs.replace(make.minute(300), brand="senja"), 1000.0)
    row = next(r for r in page(view)["brands"] if r["name"] == "kirana")
    assert row["mentions"] == 0
    assert row["spark"] == [0] * 120


def test_unknown_is_not_zero(make: SimpleNamespace) -> None:
    view = View()
    view.minute(make.minute(0, readings=()), 1000.0)
    state = page(view)
    assert state["brand"]["volume"]["expected"] == [None]
    assert state["brands"][0]["expected"] is None


def test_mentions_are_bounded_newest_first_and_safe(make: SimpleNamespace) -> None:
    view = View()
    for number in range(100):
        view.scored(batch(make.scored(f"forum:{number}")), 1000.0)
    hostile = make.scored("forum:evil", text="a\u202eb\x00" + "x" * 900, url="javascript:alert(1)")
    view.scored(batch(hostile), 1000.0)
    mentions = page(view)["mentions"]
    assert len(mentions) == MENTIONS_PER_BRAND
    assert mentions[0]["text"].startswith("abxx")
    assert len(mentions[0]["text"]) <= 280
    assert mentions[0]["url"] == ""


def test_an_edit_replaces_and_a_deletion_removes(make: SimpleNamespace) -> None:
    view = View()
    view.scored(batch(make.scored("forum:1"), make.scored("forum:2")), 1000.0)
    view.scored(
        batch(make.scored("forum:1", text="sudah sampai", fate="revision", sentiment="positive")),
        1000.0,
    )
    view.scored(batch(make.scored("forum:2", fate="revision", deleted=True)), 1000.0)
    assert [m["text"] for m in page(view)["mentions"]] == ["sudah sampai"]
    assert page(view)["brands"][0]["waiting"] == 0


def test_a_complaint_waits_until_the_brand_answers_it(make: SimpleNamespace) -> None:
    view = View()
    view.minute(make.minute(10), 1000.0)
    view.scored(batch(make.scored("forum:1"), make.scored("forum:2")), 1000.0)
    assert page(view)["brands"][0]["waiting"] == 2
    view.scored(
        batch(make.scored("forum:9", own=True, in_reply_to="1", sentiment="neutral")), 1000.0
    )
    row = page(view)["brands"][0]
    assert (row["waiting"], row["oldest"]) == (1, make.now.timestamp())


def test_an_older_record_of_an_incident_is_dropped(make: SimpleNamespace) -> None:
    view = View()
    view.incident(make.incident(sequence=4, level=3), 1000.0)
    view.incident(make.incident(sequence=3, level=1), 1000.0)
    assert page(view)["incidents"][0]["level"] == 3


def test_incidents_are_bounded_and_open_ones_stay(make: SimpleNamespace) -> None:
    view = View()
    view.incident(make.incident(), 1000.0)
    for number in range(INCIDENTS_KEPT + 50):
        over = make.incident(id=f"live/senja/{number}", brand="senja", level=0, closed_at=make.now)
        view.incident(over, 1000.0)
    assert len(view.run("live").incidents) == INCIDENTS_KEPT
    assert page(view)["incidents"][0]["brand"] == "kirana"


def test_an_acknowledgement_shows_before_the_worker_has_it(make: SimpleNamespace) -> None:
    view = View()
    incident = make.incident()
    view.incident(incident, 1000.0)
    done = Action(id="a", kind="ack", incident=incident.id, brand="kirana", who="sari", at=make.now)
    view.action(done, 1000.0)
    view.action(done, 1000.0)
    shown = page(view)["incidents"][0]
    assert shown["acknowledged_by"] == "sari"
    assert len(shown["notes"]) == 1


def test_silence_is_stale_and_the_end_of_a_replay_is_not(make: SimpleNamespace) -> None:
    view = View()
    view.minute(make.minute(0, run="demo"), 1000.0)
    assert page(view, now=1059.0)["stale_s"] is None
    assert page(view, now=1100.0)["stale_s"] == 100.0
    view.tick(Tick("file", make.now, make.now, "demo", ended=True), 1000.0)
    state = page(view, now=1100.0)
    assert (state["stale_s"], state["ended"]) == (None, True)


def test_runs_do_not_mix_and_are_bounded(make: SimpleNamespace) -> None:
    view = View()
    view.minute(make.minute(0), 1000.0)
    for number in range(RUNS_KEPT + 3):
        view.minute(make.minute(number, run=f"replay-{number}"), 1001.0 + number)
    assert len(view.runs) == RUNS_KEPT
    assert "live" in view.runs
    assert len(view.run("live").brands["kirana"].points) == 1
    assert view.latest() is view.run("live")


def test_an_empty_view_says_so() -> None:
    view = View()
    assert page(view)["run"] is None


def test_a_limit_is_never_shown_below_what_is_expected(make: SimpleNamespace) -> None:
    view = View()
    surge = Reading("volume", 29.0, 3.2, 0.0, 6.5)
    view.minute(make.minute(0, readings=(surge,)), 1000.0)
    assert page(view)["brand"]["volume"]["upper"] == [3.2]
