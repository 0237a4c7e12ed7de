"""How far a source has come in time: never back, and never a guess."""

from datetime import UTC, datetime, timedelta

from connectors.contract import Page, SourceSettings
from connectors.ingest.progress import Progress

T0 = datetime(2025, 1, 1, tzinfo=UTC)


def progress(watermark: datetime | None = None) -> Progress:
    return Progress("s", SourceSettings(type="script", run="r", lateness_s=30), watermark)


def test_a_watermark_never_goes_back() -> None:
    at = progress(T0)
    at.move(Page((), None, watermark=T0 - timedelta(hours=1)), asked_at=T0)
    assert at.watermark == T0
    at.move(Page((), None), asked_at=T0 + timedelta(minutes=1))
    assert at.watermark == T0 + timedelta(seconds=30)


def test_a_page_that_is_not_the_last_says_nothing_of_what_is_still_to_come() -> None:
    at = progress()
    at.move(Page((), None, more=True), asked_at=T0)
    assert at.watermark is None
    assert at.lag_s(now=T0) is None


def test_nothing_is_told_before_the_first_page_unless_the_source_is_blind() -> None:
    at = progress()
    assert at.tick(now=T0, healthy=True) is None
    told = at.tick(now=T0, healthy=False, blind=True)
    assert told is not None
    assert (told.watermark, told.healthy) == (T0 - timedelta(seconds=30), False)


def test_the_end_is_ahead_of_the_last_mention_on_watermark_and_clock() -> None:
    at = progress(T0)
    at.end(T0, ahead=timedelta(minutes=5))
    told = at.tick(now=T0, healthy=True, ended=True)
    assert told is not None
    assert told.watermark == told.clock == T0 + timedelta(minutes=5)
