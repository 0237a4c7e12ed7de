"""Incidents as annotations: a mark when one opens, changes level and closes, once each."""

import asyncio
import hashlib
import logging
from datetime import datetime
from typing import NamedTuple

from grafana.alerts.rule import Language
from grafana.client import Client, Refused, Unreachable
from streams import codec
from streams.levels import LEVEL_WORDS
from streams.log.decoded import decoded
from streams.log.port import Log
from streams.records import Incident
from streams.topics import INCIDENTS

log = logging.getLogger(__name__)

RETRY_S = 10.0
"""How soon a Grafana that is away is asked again."""

MOST = 10_000
"""Marks asked for at a start; far more than a Grafana keeps for the year that boards show."""

OVER: dict[Language, str] = {"id": "mereda", "en": "over"}


class Mark(NamedTuple):
    """One annotation; `key` is the same each time that it is derived."""

    key: str
    at: datetime
    brand: str
    text: str


def marks(incident: Incident, language: Language) -> list[Mark]:
    """All marks of an incident up to its present state.

    They come from its history, not from single records: a compacted topic, or a time without
    anyone reading it, loses none.
    """
    words, sentence = LEVEL_WORDS[language], incident.sentences.get(language, "")
    found = []
    for i, change in enumerate(incident.history):
        newest = i == len(incident.history) - 1
        text = f"{incident.brand}: {words[change.level]}"
        detail = f". {sentence}" if newest and sentence else ""
        found.append(
            Mark(_key(incident, change.at, change.level), change.at, incident.brand, text + detail)
        )
    if incident.closed_at is not None:
        text = f"{incident.brand}: {OVER[language]}"
        key = _key(incident, incident.closed_at, "closed")
        found.append(Mark(key, incident.closed_at, incident.brand, text))
    return found


def _key(incident: Incident, at: datetime, what: object) -> str:
    return hashlib.sha256(f"{incident.id} {at.timestamp()} {what}".encode()).hexdigest()[:16]


class Annotator:
    """Posts marks that Grafana does not have yet."""

    def __init__(self, client: Client, name: str) -> None:
        self.client = client
        self.name = name
        self._known: set[str] | None = None

    def post(self, new: list[Mark]) -> int:
        """Post those that are missing, and return how many; a mark is posted once."""
        if self._known is None:
            self._known = self._found()
        posted = 0
        for mark in new:
            if mark.key in self._known:
                continue
            tags = [self.name, "incident", mark.brand, f"mark:{mark.key}"]
            when = int(mark.at.timestamp() * 1000)
            self.client.post("/annotations", {"time": when, "tags": tags, "text": mark.text})
            self._known.add(mark.key)
            posted += 1
        return posted

    def _found(self) -> set[str]:
        path = f"/annotations?type=annotation&limit={MOST}&tags={self.name}&tags=incident"
        tags = [tag for each in self.client.get(path) or [] for tag in each["tags"]]
        return {tag.removeprefix("mark:") for tag in tags if tag.startswith("mark:")}


async def follow(
    annotator: Annotator, source: Log, *, run: str, language: Language, forever: bool = True
) -> int:
    """Read incidents and mark them, waiting for a Grafana that is away; return how many."""
    posted = 0
    async for chunk in source.read(INCIDENTS, follow=forever):
        new: list[Mark] = []
        for record in chunk:
            incident = decoded(record, codec.incident, who="annotate")
            if incident is not None and incident.run == run:
                new += marks(incident, language)
        while new:
            try:
                posted += await asyncio.to_thread(annotator.post, new)
            except (Refused, Unreachable) as e:
                log.warning("Incidents are not marked in Grafana yet, trying again: %s", e)
                await asyncio.sleep(RETRY_S)
            else:
                new = []
    return posted
