"""`google_play`: reviews of the team's own app through the Play Developer API.

Documentation read: https://developers.google.com/android-publisher/reply-to-reviews (the list
begins with what was created or modified last, holds one week, and only reviews with a text),
.../api-ref/rest/v3/reviews/list, and .../quotas (200 requests an hour for reviews).
"""

import logging
from typing import ClassVar, Literal
from urllib.parse import quote

import httpx
import msgspec
from pydantic import Field

from connectors.contract import BadItem, Context, Fatal, Item, Page, Retryable, SourceSettings
from connectors.http import ask, client
from connectors.sources.cursor import LenientCursor
from connectors.sources.google_play.account import ServiceAccount, read_key
from connectors.sources.google_play.reviews import read_review
from connectors.sources.overlap import Overlap, stamp_ms
from streams.settings import Name

logger = logging.getLogger(__name__)

SCOPE = "https://www.googleapis.com/auth/androidpublisher"


class GooglePlaySettings(SourceSettings):
    """`type = "google_play"`."""

    type: Literal["google_play"] = "google_play"
    package: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)+$")
    """The app's package name, such as `com.tokoraya.app`; replies carry it as their author."""
    brand: Name | None = None
    """The brand that the app belongs to; without it the text has to name one."""
    credentials_env: str = "GOOGLE_PLAY_CREDENTIALS"
    """Environment variable with the key of a service account: its JSON, or the path of its file."""
    token_url: str = ""
    """Stands in for the address that the key names."""
    url: str = "https://androidpublisher.googleapis.com"
    overlap_s: float = Field(default=600.0, ge=0)
    """How late a review may be listed after it was written."""
    requests_per_minute: float | None = Field(default=3.0, gt=0, le=100_000)
    """Google allows 200 an hour for an app."""
    poll_s: float = Field(default=300.0, ge=0.05, le=86_400)
    lateness_s: float = Field(default=60.0, ge=0, le=86_400)
    timeout_s: float = Field(default=120.0, gt=0, le=3600)
    allow_private: bool = False


class Place(LenientCursor, frozen=True):
    """The cursor."""

    since_ms: int = 0
    """Stamp of the newest item given out before this round; 0: the whole week is new."""
    high_ms: int = 0
    token: str = ""


class GooglePlayConnector:
    """Reads the list from its newest review on, until it is older than what is known."""

    Settings: ClassVar[type[SourceSettings]] = GooglePlaySettings

    def __init__(self, settings: GooglePlaySettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._overlap = Overlap()
        self._http: httpx.AsyncClient | None = None
        self._account: ServiceAccount | None = None
        self._trusted = False
        """Whether the token was taken at least once."""
        self._warn_of_replies()

    async def fetch(self, cursor: str | None) -> Page:
        """Return one page of the round."""
        place = Place.read(cursor)
        params: dict[str, str | int] = {"maxResults": 100}
        if place.token:
            params["token"] = place.token
        package = quote(self._settings.package, safe="")
        url = f"{self._settings.url}/androidpublisher/v3/applications/{package}/reviews"
        http, account = self._ready()
        answer = await ask(
            http,
            url,
            params=params,
            headers={"Authorization": f"Bearer {await account.token(http)}"},
            accept=(400, 401) if place.token else (401,),
            now=self._context.now,
        )
        if answer.status == 401:
            self._refused(account)
        self._trusted = True
        if answer.status == 400:  # the page's token has ended: begin the round again
            return Page((), Place(place.since_ms, place.high_ms).written(), more=True)
        listing = answer.json(_Listing)
        low_ms = place.since_ms - int(self._settings.overlap_s * 1000)
        items: list[Item | BadItem] = []
        oldest_ms = None
        for raw in listing.reviews:
            read = read_review(
                bytes(raw), package=self._settings.package, brand=self._settings.brand or ""
            )
            items += read.items
            if read.newest_ms:
                oldest_ms = min(read.newest_ms, oldest_ms or read.newest_ms)
        stamps = [stamp_ms(i) for i in items if isinstance(i, Item)]
        high_ms = max([place.high_ms, place.since_ms, *stamps])
        token = listing.pages.next_page_token
        more = bool(token) and oldest_ms is not None and oldest_ms > low_ms
        place = Place(place.since_ms, high_ms, token) if more else Place(high_ms)
        return Page(self._overlap.fresh(items, after_ms=low_ms), place.written(), more=more)

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    def _ready(self) -> tuple[httpx.AsyncClient, ServiceAccount]:
        if self._account is None:
            variable = self._settings.credentials_env
            key = read_key(self._context.secret(variable), variable=variable)
            self._account = ServiceAccount(
                key, SCOPE, token_url=self._settings.token_url, now=self._context.now
            )
        if self._http is None:
            self._http = client(self._context, allow_private=self._settings.allow_private)
            self._http.follow_redirects = False  # an assertion is for Google alone
        return self._http, self._account

    def _refused(self, account: ServiceAccount) -> None:
        """Renew a token that was good before; one that never was is a matter of permissions."""
        account.forget()
        if self._trusted:
            self._trusted = False
            raise Retryable("Google no longer takes our token; fetching a new one", after_s=0.0)
        raise Fatal(
            f"Google refuses the service account for {self._settings.package}: invite it in the "
            "Play Console (Users and permissions) and let it reply to reviews"
        )

    def _warn_of_replies(self) -> None:
        package, brand = self._settings.package, self._settings.brand
        known = self._context.brands.get(brand or "")
        if known is not None and package not in known.own_accounts:
            logger.warning(
                "source %s: add %r to own_accounts of brand %s, or the team's replies to reviews "
                "count as complaints",
                self._context.name,
                package,
                brand,
            )


class _Pages(msgspec.Struct, frozen=True, rename="camel"):
    next_page_token: str = ""


class _Listing(msgspec.Struct, frozen=True, rename={"pages": "tokenPagination"}):
    reviews: tuple[msgspec.Raw, ...] = ()
    """Absent when there are none."""
    pages: _Pages = _Pages()
