"""`mastodon`: hashtag and public timelines of one server, polled; most servers ask for no key.

What it sees: public posts that the server knows, and edits within the overlap. It is not told of
deletions: `mastodon-stream` is. Documentation read: https://docs.joinmastodon.org/methods/timelines/
"""

from datetime import datetime
from typing import ClassVar, Literal

from connectors.contract import Context, Page, SourceSettings
from connectors.sources.mastodon.statuses import id_at
from connectors.sources.mastodon.timelines import (
    MastodonSettings,
    Place,
    Spot,
    Timelines,
)


class PollSettings(MastodonSettings):
    """`type = "mastodon"`."""

    type: Literal["mastodon"] = "mastodon"
    poll_s: float = 60.0


class MastodonConnector:
    """Polls; the cursor holds the newest id of each timeline and how far its round has come."""

    Settings: ClassVar[type[SourceSettings]] = PollSettings

    def __init__(self, settings: PollSettings, context: Context) -> None:
        self._timelines = Timelines(settings, context)
        self._keys = settings.timelines()

    async def fetch(self, cursor: str | None) -> Page:
        """Return the next page of the timeline whose turn it is."""
        return await self._timelines.page(Place.read(cursor))

    def cursor_at(self, time: datetime) -> str | None:
        """Return the cursor after which statuses of a time and later follow."""
        return Place({k: Spot(at=id_at(time)) for k in self._keys}).written()

    async def close(self) -> None:
        """Close the connections."""
        await self._timelines.close()
