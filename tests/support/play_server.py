"""Google's token endpoint and the Play Developer API's reviews, as their documentation says.

Written from developers.google.com/identity/protocols/oauth2/service-account#httprest,
/android-publisher/reply-to-reviews and /android-publisher/api-ref/rest/v3/reviews/list.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import parse_qs

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

EMAIL = "pembaca@tokoraya.iam.gserviceaccount.example"
TOKEN_URI = "https://oauth2.google.example/token"  # noqa: S105  # an address
SCOPE = "https://www.googleapis.com/auth/androidpublisher"


@cache
def private_key() -> RSAKey:
    """The account's key, made once a session."""
    return RSAKey.generate_key(2048, private=True)


def key_file() -> str:
    """The JSON that the Cloud console gives."""
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "tokoraya",
            "private_key_id": "kid-1",
            "private_key": private_key().as_pem(private=True).decode(),
            "client_email": EMAIL,
            "client_id": "1",
            "auth_uri": "https://accounts.google.example/o/oauth2/auth",
            "token_uri": TOKEN_URI,
        }
    )


def review(native_id: str, at: datetime, text: str, **values: Any) -> dict[str, Any]:
    """A review with a person's comment."""
    stamp = {"seconds": str(int(at.timestamp())), "nanos": at.microsecond * 1000}
    said = {
        "text": f"\t{text}",
        "lastModified": stamp,
        "starRating": 2,
        "reviewerLanguage": "id",
        "device": "a52",
        "androidOsVersion": 33,
        "appVersionCode": 120,
        "appVersionName": "1.2.0",
        "thumbsUpCount": 7,
        "thumbsDownCount": 1,
        **values,
    }
    return {"reviewId": native_id, "authorName": "Sari", "comments": [{"userComment": said}]}


def replied(one: dict[str, Any], at: datetime, text: str) -> dict[str, Any]:
    """The same review with the team's reply."""
    stamp = {"seconds": str(int(at.timestamp())), "nanos": 0}
    reply = {"developerComment": {"text": text, "lastModified": stamp}}
    return {**one, "comments": [*one["comments"], reply]}


@dataclass
class PlayServer:
    """Both servers in one; `now` is their clock."""

    now: datetime
    reviews: list[dict[str, Any]] = field(default_factory=list)
    package: str = "com.tokoraya.app"
    page: int = 100
    life_s: int = 3600
    valid: dict[str, datetime] = field(default_factory=dict)
    exchanges: int = 0
    token_prefix: str = "p"  # noqa: S105  # a page's token
    requests: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        self.requests.append(request)
        if request.url.path == "/token":
            return self._grant(request)
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.valid.get(bearer, self.now) <= self.now:
            return _error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        if request.url.path != f"/androidpublisher/v3/applications/{self.package}/reviews":
            return _error(404, "NOT_FOUND", "Package not found")
        return self._list(request)

    def _grant(self, request: httpx.Request) -> httpx.Response:
        form = parse_qs(request.content.decode())
        kind = request.headers.get("content-type", "")
        grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
        if not kind.startswith("application/x-www-form-urlencoded") or form["grant_type"] != [
            grant
        ]:
            return httpx.Response(400, json={"error": "unsupported_grant_type"})
        try:
            told = jwt.decode(form["assertion"][0], private_key(), algorithms=["RS256"])
        except JoseError:
            return _refused("Invalid JWT Signature.")
        claims = told.claims
        wanted = {"iss": EMAIL, "scope": SCOPE, "aud": TOKEN_URI}
        if {k: claims.get(k) for k in wanted} != wanted:
            return _refused("Invalid JWT: claims.")
        now_s = self.now.timestamp()
        if not (claims["iat"] <= now_s + 60 and now_s < claims["exp"] <= claims["iat"] + 3600):
            return _refused("Invalid JWT: Token must be a short-lived token.")
        self.exchanges += 1
        token = f"ya29.fixture-{self.exchanges}"
        self.valid[token] = self.now + timedelta(seconds=self.life_s)
        granted = {"access_token": token, "expires_in": self.life_s, "token_type": "Bearer"}
        return httpx.Response(200, json=granted)

    def _list(self, request: httpx.Request) -> httpx.Response:
        params = request.url.params
        week_s = (self.now - timedelta(days=7)).timestamp()
        recent = sorted((r for r in self.reviews if _changed(r) > week_s), key=_changed)[::-1]
        token = params.get("token", f"{self.token_prefix}0")
        if not token.startswith(self.token_prefix):
            return _error(400, "INVALID_ARGUMENT", "Invalid token")
        start = int(token[len(self.token_prefix) :])
        size = min(int(params.get("maxResults", 10)), self.page)
        told: dict[str, Any] = {}
        if found := recent[start : start + size]:
            told["reviews"] = found
        if start + size < len(recent):
            told["tokenPagination"] = {"nextPageToken": f"{self.token_prefix}{start + size}"}
        return httpx.Response(200, json=told)


def _changed(one: dict[str, Any]) -> float:
    stamp = one["comments"][0]["userComment"]["lastModified"]
    return float(int(stamp["seconds"]) + stamp["nanos"] / 1e9)


def _refused(why: str) -> httpx.Response:
    return httpx.Response(400, json={"error": "invalid_grant", "error_description": why})


def _error(code: int, status: str, message: str) -> httpx.Response:
    return httpx.Response(
        code, json={"error": {"code": code, "message": message, "status": status}}
    )
