"""Calls to the YouTube Data API within a day's budget, and what its refusals mean.

https://developers.google.com/youtube/v3/docs/errors
"""

import httpx
import msgspec

from connectors import metrics
from connectors.contract import Context, Fatal, Retryable
from connectors.http import Answer, ask, client
from connectors.sources.youtube.quota import Spent, granted, until_midnight_s

DAILY = frozenset({"quotaExceeded", "dailyLimitExceeded"})
BRIEF = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "processingFailure"})
GONE = frozenset({"commentsDisabled", "videoNotFound", "channelNotFound", "parentCommentNotFound"})
STALE = frozenset({"invalidPageToken"})


class Api:
    """The API of one project.

    Parameters
    ----------
    context
        Clock, secrets, transport.
    url, key_env, allow_private
        As in the settings.
    daily_units, daily_searches
        The budget of a Pacific day; never exceeded.
    """

    def __init__(
        self,
        context: Context,
        *,
        url: str,
        key_env: str,
        daily_units: int,
        daily_searches: int,
        allow_private: bool,
    ) -> None:
        self._context = context
        self._url = url
        self._key_env = key_env
        self._units = daily_units
        self._searches = daily_searches
        self._allow_private = allow_private
        self._http: httpx.AsyncClient | None = None
        self.spent = Spent()

    def remember(self, spent: Spent) -> None:
        """Take over what a cursor says was spent: a restart is no new day."""
        now = self._context.now()
        self.spent = self.spent.on(now).or_more(spent.on(now))
        self._show()

    def may_begin(self) -> bool:
        """Whether another round is within what the day grants by now.

        Raises
        ------
        Retryable
            If all of it is spent: until midnight Pacific time.
        """
        if self.spent.units >= self._units:
            raise self._exhausted()
        return self.spent.units < granted(self._units, self._context.now())

    def may_search(self) -> bool:
        """Whether a search is left."""
        return self.spent.searches < self._searches

    async def ask(
        self, path: str, params: dict[str, str | int], *, units: int = 0, searches: int = 0
    ) -> tuple[Answer | None, str]:
        """Call; return the answer, or None and why this target has none.

        Raises
        ------
        Retryable, Fatal
            As for all requests, and by the reasons that the API documents.
        """
        if self.spent.units + units > self._units:
            raise self._exhausted()
        self.spent = self.spent.plus(units=units, searches=searches)
        self._show()
        answer = await ask(
            self._client(),
            f"{self._url}/{path}",
            params=params,
            accept=(400, 403, 404),
            now=self._context.now,
        )
        if answer.status < 400:
            return answer, ""
        reason = _reason(answer)
        if reason in DAILY:
            if searches:
                self.spent = self.spent.plus(searches=self._searches)
                return None, reason
            self.spent = self.spent.plus(units=self._units)
            self._show()
            raise self._exhausted()
        if reason in BRIEF:
            raise Retryable(f"YouTube asks us to slow down ({reason})")
        if reason in GONE or reason in STALE:
            return None, reason
        raise Fatal(
            f"YouTube refuses the request ({answer.status}, {reason[:60] or 'no reason'}): check "
            f"the key in {self._key_env} and that YouTube Data API v3 is enabled for it"
        )

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            # As a header, so that no address in any log holds the key; and no redirect gets it.
            key = {"X-Goog-Api-Key": self._context.secret(self._key_env)}
            self._http = client(self._context, allow_private=self._allow_private, headers=key)
            self._http.follow_redirects = False
        return self._http

    def _exhausted(self) -> Retryable:
        return Retryable(
            f"the day's quota is spent ({self._units} units); it is new at midnight Pacific time: "
            "read fewer targets, raise poll_s, or ask Google for more",
            after_s=until_midnight_s(self._context.now()),
        )

    def _show(self) -> None:
        left = max(self._units - self.spent.units, 0)
        metrics.QUOTA_LEFT.labels(self._context.name).set(left)


class _Cause(msgspec.Struct, frozen=True):
    reason: str = ""


class _Refusal(msgspec.Struct, frozen=True):
    errors: tuple[_Cause, ...] = ()
    details: tuple[_Cause, ...] = ()


class _Refused(msgspec.Struct, frozen=True):
    error: _Refusal = _Refusal()


def _reason(answer: Answer) -> str:
    """Return the reason of a refusal; what a body says beside it is not told further."""
    try:
        error = answer.json(_Refused).error
    except Retryable:
        return ""
    named = [c.reason for c in (*error.errors, *error.details) if c.reason]
    return next((r for r in named if r.isascii() and r.replace("_", "").isalnum()), "")
