"""Tokens of a Google service account: a signed assertion is exchanged, and renewed in time.

https://developers.google.com/identity/protocols/oauth2/service-account#httprest
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import httpx
import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from connectors.contract import Fatal, Retryable
from connectors.http import check
from connectors.ingest.guard import PrivateAddress, read_body

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION_S = 3600
"""The longest that Google allows."""

EARLY_S = 120.0
"""A token is renewed this long before its end, so that none ends on its way."""

ANSWER_BYTES = 65_536
"""Most of a token's answer."""
EXCHANGE_S = 30.0
"""For the whole exchange of a signed claim for a token."""


class KeyFile(msgspec.Struct, frozen=True):
    """The JSON that the Cloud console gives for a service account's key."""

    client_email: str
    private_key: str
    private_key_id: str = ""
    token_uri: str = "https://oauth2.googleapis.com/token"  # noqa: S105  # an address

    def __repr__(self) -> str:
        """Leave the key out."""
        return f"KeyFile({self.client_email})"


class _Granted(msgspec.Struct, frozen=True):
    access_token: str
    expires_in: float = 3600.0


class _Refused(msgspec.Struct, frozen=True):
    error: str = ""


def read_key(value: str, *, variable: str) -> KeyFile:
    """Read a key: the JSON itself, or the path of the file that holds it.

    Raises
    ------
    Fatal
        If it is neither; the message names the variable and never the value.
    """
    try:
        raw = value.encode() if value.lstrip().startswith("{") else Path(value).read_bytes()
        return msgspec.json.decode(raw, type=KeyFile)
    except (OSError, ValueError, msgspec.DecodeError) as e:
        raise Fatal(
            f"{variable} holds neither the JSON of a service account's key nor the path of a file "
            f"with it ({type(e).__name__})"
        ) from None  # the cause could quote the key


class ServiceAccount:
    """Gives out tokens; fetches a new one shortly before the last one ends.

    Parameters
    ----------
    key
        The account's key.
    scope
        What the token is for.
    token_url
        Stands in for the key's own address (tests, proxies).
    now
        Wall clock.
    """

    def __init__(
        self, key: KeyFile, scope: str, *, token_url: str = "", now: Callable[[], datetime]
    ) -> None:
        self._key = key
        self._scope = scope
        self._url = token_url or key.token_uri
        self._now = now
        self._token = ""
        self._ends_s = 0.0
        try:
            self._private = RSAKey.import_key(key.private_key)
        except (JoseError, ValueError, TypeError):
            raise Fatal("the service account's private_key is no PEM of an RSA key") from None

    async def token(self, http: httpx.AsyncClient) -> str:
        """Return a token that holds for two minutes at least.

        Raises
        ------
        Retryable
            If the token server cannot be reached or is out of order.
        Fatal
            If it refuses the key.
        """
        if self._now().timestamp() >= self._ends_s - EARLY_S:
            await self._renew(http)
        return self._token

    def forget(self) -> None:
        """Drop a token that was refused."""
        self._token, self._ends_s = "", 0.0

    async def _renew(self, http: httpx.AsyncClient) -> None:
        request = self._exchange()
        where = request.url.host
        try:
            async with asyncio.timeout(EXCHANGE_S):
                response = await http.send(request, stream=True)
                try:
                    body = await read_body(response, limit=ANSWER_BYTES)
                finally:
                    await response.aclose()
        except PrivateAddress as e:
            raise Fatal(f"{e}; if that is meant, set allow_private = true") from e
        except (TimeoutError, httpx.HTTPError) as e:
            raise Retryable(f"{where}: no token ({type(e).__name__})") from e
        self._take(response, body, where)

    def _exchange(self) -> httpx.Request:
        now_s = int(self._now().timestamp())
        claims = {
            "iss": self._key.client_email,
            "scope": self._scope,
            "aud": self._key.token_uri,
            "iat": now_s,
            "exp": now_s + ASSERTION_S,
        }
        header = {"alg": "RS256", "kid": self._key.private_key_id}
        assertion = jwt.encode(header, claims, self._private)
        form = {"grant_type": GRANT, "assertion": assertion}
        return httpx.Request("POST", self._url, data=form)

    def _take(self, response: httpx.Response, body: bytes, where: str) -> None:
        if response.status_code in (400, 401):
            raise Fatal(
                f"{where}: refuses the service account {self._key.client_email} "
                f"({_why(body)}): is its key still valid, and this machine's clock right?"
            )
        check(response.status_code, response.headers, where=where, now=self._now())
        try:
            granted = msgspec.json.decode(body, type=_Granted)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
            raise Retryable(f"{where}: the token cannot be read") from e
        if not (granted.access_token.isascii() and granted.access_token.isprintable()):
            raise Retryable(f"{where}: the token is none that a header can hold")
        self._token = granted.access_token
        self._ends_s = self._now().timestamp() + granted.expires_in


def _why(body: bytes) -> str:
    """Return the error's documented name; what stands beside it is not told further."""
    try:
        name = msgspec.json.decode(body, type=_Refused).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "no reason given"
    return name[:40] if name.replace("_", "").isalnum() and name.isascii() else "no reason given"
