"""The contract's suite over a server that answers as GitHub's documentation says."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from siaga_github_issues import GitHubIssues, GitHubIssuesSettings

from connectors.contract import Context, Item
from connectors.testkit import HttpConnectorSuite, Server

TOKEN = "ghp_of-the-test"  # noqa: S105  # of this test
FIRST = datetime(2025, 1, 31, 10, tzinfo=UTC)


def issue(number: int, updated: datetime, **values: Any) -> dict[str, Any]:
    return {
        "number": number,
        "title": f"Checkout fails {number}",
        "body": None if number % 3 else "It says 500.",
        "html_url": f"https://github.com/acme/shop/issues/{number}",
        "user": {"login": f"user{number}", "id": number},
        "comments": number,
        "reactions": {"url": "", "total_count": 2, "+1": 2},
        "state": "open",
        "created_at": FIRST.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "updated_at": updated.strftime("%Y-%m-%dT%H:%M:%SZ"),
        **values,
    }


# 120 of one second (an import), which no page holds, and more before and after.
ISSUES = [issue(n, FIRST + timedelta(seconds=min(n, 60) + max(n - 180, 0))) for n in range(1, 241)]


def github(issues: list[dict[str, Any]]) -> Server:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return httpx.Response(401, json={"message": "Bad credentials"})
        asked = request.url.params
        assert request.url.path == "/repos/acme/shop/issues"
        assert (asked["sort"], asked["direction"], asked["state"]) == ("updated", "asc", "all")
        found = [i for i in issues if i["updated_at"] >= asked["since"]]
        found.sort(key=lambda i: (i["updated_at"], i["number"]))
        size = int(asked["per_page"])
        begin = (int(asked["page"]) - 1) * size
        return httpx.Response(200, json=found[begin : begin + size])

    return answer


class TestGitHubIssues(HttpConnectorSuite):
    expected_ids = tuple(str(i["number"]) for i in ISSUES)
    secrets = (TOKEN,)
    environ = {"GITHUB_TOKEN": TOKEN}  # noqa: RUF012  # as the kit declares it

    def connector(self, context: Context) -> GitHubIssues:
        settings = GitHubIssuesSettings(repository="acme/shop", token_env="GITHUB_TOKEN")  # noqa: S106  # a name
        return GitHubIssues(settings, context)

    def server(self) -> Server:
        return github(ISSUES)

    def test_an_edit_comes_again_as_a_revision(self) -> None:
        issues = [issue(1, FIRST), issue(2, FIRST + timedelta(hours=1))]

        async def story() -> list[Item]:
            connector = self.connector(self.context(server=github(issues)))
            first = await connector.fetch(None)
            issues[0] = issue(1, FIRST + timedelta(hours=2), title="Checkout fails for all")
            second = await connector.fetch(first.cursor)
            await connector.close()
            return [i for i in second.items if isinstance(i, Item)]

        [edited] = asyncio.run(story())
        assert (edited.native_id, edited.revision) == ("1", 7200)
        assert edited.text.startswith("Checkout fails for all")
