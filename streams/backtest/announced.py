"""Announced events for a backtest: the file that `siaga event list --json` prints."""

from pathlib import Path

import msgspec

from detectors.incidents.announced import EVERY_BRAND
from streams import codec
from streams.backtest.history import CannotRead, History
from streams.records import Event

_events = codec.Reader(msgspec.json.Decoder(list[Event]))


def read_events(path: Path, history: History) -> list[Event]:
    """Events of a file, in the order of time.

    Raises
    ------
    CannotRead
        If it is no such file, or an event names a brand that is not in the history.
    """
    try:
        events = _events.decode(path.read_bytes())
    except msgspec.DecodeError as e:
        msg = f"{path}: {e}; it has to be what `siaga event list --json` prints"
        raise CannotRead(msg) from e
    for event in events:
        if event.brand != EVERY_BRAND and event.brand not in history.brands:
            known = ", ".join(sorted(history.brands))
            msg = f"{path}: event {event.id} is of {event.brand!r}; the history has: {known}"
            raise CannotRead(msg)
    return sorted(events, key=lambda e: (e.start, e.id))
