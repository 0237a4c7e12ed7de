"""`github_issues`: the issues and pull requests of a GitHub repository. No cost.

Documentation: docs.github.com/en/rest/issues/issues#list-repository-issues (API 2022-11-28).
`since` is inclusive and by the second, and times repeat, so the last second is always read again
and what was seen of it is left out. An edit moves `updated_at`: it comes again as a revision.
Comments are no part of this list, and it does not show deletions.
"""

from datetime import UTC, datetime
from typing import ClassVar, Literal

import msgspec
from pydantic import Field

from connectors.contract import Context, Engagement, Fatal, Item, Page, SourceSettings
from connectors.http import ask, client

PER_PAGE = 100
"""The most that the API gives at once."""


class GitHubIssuesSettings(SourceSettings):
    """Keys of the `[sources.NAME]` table."""

    type: Literal["github_issues"] = "github_issues"
    repository: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    brand: str | None = None
    """All issues are about this brand; otherwise their texts are matched."""
    token_env: str | None = None
    """Name of the environment variable that holds a token; None: as a guest."""
    url: str = "https://api.github.com"
    allow_private: bool = False
    """The server is a GitHub Enterprise of your own network."""
    poll_s: float = Field(default=120.0, ge=10, le=86_400)
    lateness_s: float = Field(default=120.0, ge=0, le=86_400)


class User(msgspec.Struct):
    login: str


class Reactions(msgspec.Struct, frozen=True):
    total_count: int = 0


class Issue(msgspec.Struct):
    number: int
    title: str
    created_at: datetime
    updated_at: datetime
    html_url: str = ""
    body: str | None = None
    user: User | None = None  # a deleted account
    comments: int = 0
    reactions: Reactions = Reactions()


class Cursor(msgspec.Struct, frozen=True):
    """The newest `updated_at` that was seen, and all numbers that were seen of that second."""

    since: datetime
    seen: tuple[int, ...] = ()


class GitHubIssues:
    """Asks for what was updated since the cursor, the oldest first."""

    Settings: ClassVar[type[SourceSettings]] = GitHubIssuesSettings

    def __init__(self, settings: GitHubIssuesSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._http = client(context, allow_private=settings.allow_private)

    async def fetch(self, cursor: str | None) -> Page:
        """Return the next issues in the order of their last change."""
        at = _decode(cursor)
        headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        if self._settings.token_env:
            headers["Authorization"] = f"Bearer {self._context.secret(self._settings.token_env)}"
        answer = await ask(
            self._http,
            f"{self._settings.url}/repos/{self._settings.repository}/issues",
            params={
                "state": "all",
                "sort": "updated",
                "direction": "asc",
                "since": at.since.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "per_page": PER_PAGE,
                # More issues of one second than a page holds: the next page of that second.
                "page": 1 + len(at.seen) // PER_PAGE,
            },
            headers=headers,
            now=self._context.now,
        )
        found = answer.json(list[Issue])
        fresh = [i for i in found if i.updated_at > at.since or i.number not in at.seen]
        if not fresh:
            return Page((), cursor)
        last = max(i.updated_at for i in fresh)
        seen = {i.number for i in found if i.updated_at == last}
        if last == at.since:
            seen |= set(at.seen)
        following = msgspec.json.encode(Cursor(last, tuple(sorted(seen)))).decode()
        return Page(tuple(map(self._item, fresh)), following, more=len(found) == PER_PAGE)

    def cursor_at(self, time: datetime) -> str | None:
        """Return the cursor from which issues that changed at a time or later follow."""
        return msgspec.json.encode(Cursor(time.astimezone(UTC).replace(microsecond=0))).decode()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def _item(self, issue: Issue) -> Item:
        return Item(
            native_id=str(issue.number),
            published_at=issue.created_at,
            revision=int((issue.updated_at - issue.created_at).total_seconds()),
            text=f"{issue.title}\n{issue.body or ''}".strip(),
            author=issue.user.login if issue.user else "",
            url=issue.html_url,
            kind="issue",
            engagement=Engagement(likes=issue.reactions.total_count, replies=issue.comments),
            brand=self._settings.brand or "",
        )


def _decode(cursor: str | None) -> Cursor:
    if cursor is None:
        return Cursor(datetime(2000, 1, 1, tzinfo=UTC))
    try:
        return msgspec.json.decode(cursor, type=Cursor)
    except msgspec.DecodeError as e:
        raise Fatal("the saved cursor is not of this source: siaga connector reset NAME") from e
