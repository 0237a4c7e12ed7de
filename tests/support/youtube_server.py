"""The YouTube Data API as its documentation describes it: resources, pages, costs, refusals.

Written from developers.google.com/youtube/v3: docs/commentThreads/list, docs/comments/list,
docs/search/list, docs/errors and determine_quota_cost.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

KEY = "AIza-fixture-key"


def comment(native_id: str, at: datetime, text: str, **values: Any) -> dict[str, Any]:
    """A `youtube#comment`."""
    made = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    snippet = {
        "channelId": "UC" + "k" * 22,
        "videoId": "vid00000001",
        "textDisplay": text,
        "textOriginal": text,
        "authorDisplayName": "@sari-belanja",
        "authorProfileImageUrl": "https://yt3.example/s.jpg",
        "authorChannelUrl": "http://www.youtube.com/@sari-belanja",
        "authorChannelId": {"value": "UC" + "s" * 22},
        "canRate": True,
        "viewerRating": "none",
        "likeCount": 4,
        "publishedAt": made,
        "updatedAt": made,
        **values,
    }
    return {"kind": "youtube#comment", "etag": "e", "id": native_id, "snippet": snippet}


@dataclass
class Talk:
    """A thread: its first comment and all replies, oldest first."""

    first: dict[str, Any]
    replies: list[dict[str, Any]] = field(default_factory=list)

    def resource(self) -> dict[str, Any]:
        """A `youtube#commentThread`, with at most five of its replies."""
        told = {
            "kind": "youtube#commentThread",
            "id": self.first["id"],
            "snippet": {
                "channelId": "UC" + "k" * 22,
                "videoId": self.first["snippet"]["videoId"],
                "topLevelComment": self.first,
                "canReply": True,
                "totalReplyCount": len(self.replies),
                "isPublic": True,
            },
        }
        if self.replies:
            told["replies"] = {"comments": self.replies[::-1][:5]}
        return told


@dataclass
class YoutubeServer:
    """The API; `talks` by channel or video id."""

    talks: dict[str, list[Talk]] = field(default_factory=dict)
    videos: list[dict[str, Any]] = field(default_factory=list)
    units: int = 10_000
    searches: int = 100
    page: int = 100
    """Smaller than asked for is allowed by the API's contract."""
    tokens: str = "t"
    refuse: tuple[int, str] | None = None
    requests: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        self.requests.append(request)
        given = request.headers.get("x-goog-api-key") or request.url.params.get("key")
        if not given:
            return refusal(403, "forbidden", "The request is missing a valid API key.")
        if given != KEY:
            details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo"}]
            return refusal(400, "badRequest", "API key not valid.", details=details)
        if self.refuse:
            return refusal(*self.refuse, "refused")
        method = request.url.path.rpartition("/")[2]
        if method == "search":
            return self._search(request)
        if self.units < 1:
            return refusal(403, "quotaExceeded", "exceeded your quota", domain="youtube.quota")
        self.units -= 1
        params = request.url.params
        if method == "commentThreads":
            filters = [f for f in ("allThreadsRelatedToChannelId", "id", "videoId") if f in params]
            if len(filters) != 1 or "part" not in params:
                return refusal(400, "missingRequiredParameter", "exactly one filter")
            if params[filters[0]] not in self.talks:
                gone = "videoNotFound" if filters[0] == "videoId" else "channelNotFound"
                return refusal(404, gone, "not found")
            talks = sorted(self.talks[params[filters[0]]], key=_made, reverse=True)
            return self._listed(request, [t.resource() for t in talks])
        if method == "comments":
            every = [t for talks in self.talks.values() for t in talks]
            parent = next((t for t in every if t.first["id"] == params.get("parentId")), None)
            if parent is None:
                return refusal(404, "parentCommentNotFound", "not found")
            return self._listed(request, parent.replies[::-1])
        return httpx.Response(404, text="<html>Not Found</html>")

    def _search(self, request: httpx.Request) -> httpx.Response:
        if self.searches < 1:
            return refusal(403, "quotaExceeded", "exceeded your quota", domain="youtube.quota")
        self.searches -= 1
        params = request.url.params
        after = params.get("publishedAfter", "")
        words = params["q"].lower()
        found = [
            v
            for v in self.videos
            if words in v["snippet"]["title"].lower() and v["snippet"]["publishedAt"] >= after
        ]
        found.sort(key=lambda v: str(v["snippet"]["publishedAt"]), reverse=True)
        return self._listed(request, found)

    def _listed(self, request: httpx.Request, resources: list[dict[str, Any]]) -> httpx.Response:
        params = request.url.params
        size = min(int(params.get("maxResults", 20)), self.page)
        token = params.get("pageToken", f"{self.tokens}0")
        if not token.startswith(self.tokens):
            return refusal(400, "invalidPageToken", "the page token is not valid")
        start = int(token[len(self.tokens) :])
        listing: dict[str, Any] = {
            "kind": "youtube#listResponse",
            "pageInfo": {"totalResults": len(resources), "resultsPerPage": size},
            "items": resources[start : start + size],
        }
        if start + size < len(resources):
            listing["nextPageToken"] = f"{self.tokens}{start + size}"
        return httpx.Response(200, json=listing)


def video(native_id: str, at: datetime, title: str) -> dict[str, Any]:
    """A `youtube#searchResult`."""
    return {
        "kind": "youtube#searchResult",
        "id": {"kind": "youtube#video", "videoId": native_id},
        "snippet": {
            "publishedAt": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "channelId": "UC" + "v" * 22,
            "title": title,
            "description": "ulasan jujur",
            "channelTitle": "Kanal Sari",
        },
    }


def refusal(
    code: int, reason: str, message: str, *, domain: str = "global", details: Any = None
) -> httpx.Response:
    """An error as all Google APIs tell it."""
    error: dict[str, Any] = {
        "code": code,
        "message": message,
        "errors": [{"message": message, "domain": domain, "reason": reason}],
    }
    if details:
        error["details"] = [{**d, "reason": "API_KEY_INVALID"} for d in details]
    return httpx.Response(code, json={"error": error})


def _made(talk: Talk) -> str:
    return str(talk.first["snippet"]["publishedAt"])
