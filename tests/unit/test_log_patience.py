"""Who asks a log that is away waits, says so now and then, and goes on."""

import asyncio
import logging

import pytest

from streams.log import patience
from streams.log.patience import patiently
from streams.log.port import Unavailable


class Away:
    """Unavailable for its first questions; `made` counts what each try makes anew."""

    def __init__(self, refused: int) -> None:
        self.refused = refused
        self.made = 0

    async def ask(self) -> str:
        self.made += 1
        if self.made <= self.refused:
            raise Unavailable("broker away")
        return "here"


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "AGAIN_S", 0.001)


def test_it_is_asked_until_it_answers_and_each_try_begins_anew(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = Away(refused=5)
    assert asyncio.run(patiently(log.ask, who="themes")) == "here"
    assert log.made == 6
    assert len(told(caplog)) == 1
    assert told(caplog)[0].startswith("themes: the log is away (broker away)")


def test_an_outage_that_goes_on_is_said_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "SAID_EVERY_S", 0.0)
    asyncio.run(patiently(Away(refused=3).ask, who="themes"))
    assert len(told(caplog)) == 3


def test_who_has_no_name_leaves_the_saying_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    asyncio.run(patiently(Away(refused=3).ask))
    assert told(caplog) == []


def test_what_is_no_outage_is_not_waited_for() -> None:
    async def broken() -> None:
        raise ValueError("a mistake of ours")

    with pytest.raises(ValueError, match="ours"):
        asyncio.run(patiently(broken, who="themes"))
