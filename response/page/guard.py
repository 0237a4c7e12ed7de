"""Who a visitor is and what they may do: sessions, roles, CSRF, rate limits.

Reading on this machine's own address needs no login until users exist; writing always needs one.
"""

import hmac
import ipaddress
import secrets
from collections.abc import Callable, Mapping
from hashlib import sha256
from urllib.parse import parse_qsl, urlsplit

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from response.metrics import REFUSALS
from response.page.people import RANK, People, Role
from response.page.rate import Rate
from response.settings import PageSettings

SESSION = "siaga_session"
TV = "siaga_tv"
FORM_BYTES = 16_384
LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


class Visitor:
    """A person, a TV, or anybody on this machine."""

    def __init__(self, name: str = "", role: Role | None = None, csrf: str = "") -> None:
        self.name = name
        self.role = role
        """None: may read, if anybody may."""
        self.csrf = csrf

    def may(self, role: Role) -> bool:
        return self.role is not None and RANK[self.role] >= RANK[role]


class Guard:
    """All refusals of the page are made here.

    Parameters
    ----------
    tv_token
        Opens the wall view read-only; "" if there is none.
    clock
        Wall time in epoch seconds.
    """

    def __init__(
        self,
        page: PageSettings,
        people: People,
        secret: str,
        *,
        tv_token: str,
        clock: Callable[[], float],
    ) -> None:
        self.page, self.people, self.clock = page, people, clock
        self.secret = secret
        self._tv = tv_token
        self._sessions = self._serializer("siaga.session")
        self._tvs = self._serializer("siaga.tv")
        self.logins = Rate(burst=10, per_minute=10)
        self.logins_by_name = Rate(burst=5, per_minute=2)
        self.writes = Rate(burst=30, per_minute=60)
        self.links = Rate(burst=30, per_minute=30)
        self.relays = Rate(burst=200, per_minute=600)

    def _serializer(self, salt: str) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(
            self.secret, salt=salt, signer_kwargs={"digest_method": sha256}
        )

    # --- who ---------------------------------------------------------------

    def visitor(self, request: HTTPConnection) -> Visitor | None:
        """Who asks; None if nobody we know."""
        return self._proxied(request) or self._session(request)

    def _proxied(self, request: HTTPConnection) -> Visitor | None:
        header = self.page.proxy_header
        if not header or client(request) not in self.page.proxy_addresses:
            return None
        name = request.headers.get(header, "").strip()
        user = self.people.users().get(name)
        # The proxy says who it is; what they may do is ours to say.
        return Visitor(name, user.role, self._bound(f"proxy/{name}")) if user else None

    def _session(self, request: HTTPConnection) -> Visitor | None:
        cookie = request.cookies.get(SESSION)
        if not cookie:
            return None
        try:
            held = self._sessions.loads(cookie, max_age=self.page.session_hours * 3600)
            name, stamp, nonce = str(held["n"]), str(held["s"]), str(held["c"])
        except (BadSignature, KeyError, TypeError):
            return None
        user = self.people.users().get(name)
        if user is None or not hmac.compare_digest(stamp, user.stamp):
            return None
        return Visitor(name, user.role, self._bound(nonce))

    def _bound(self, nonce: str) -> str:
        """The CSRF token of a session: nobody can make it without the key."""
        return hmac.new(self.secret.encode(), f"csrf/{nonce}".encode(), sha256).hexdigest()

    def open_to_all(self) -> bool:
        """No users yet, and only this machine can ask."""
        return (
            not self.people.users() and is_loopback(self.page.host) and not self.page.proxy_header
        )

    # --- may ---------------------------------------------------------------

    def host(self, request: HTTPConnection) -> None:
        """Refuse a foreign Host while the page is open to this machine.

        Otherwise any web site could point its name at 127.0.0.1 and read the page through a
        visitor's browser (DNS rebinding).
        """
        named = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
        ours = urlsplit(self.page.url).hostname
        if self.open_to_all() and named not in LOCAL_HOSTS and named != ours:
            raise refusal("host", 421, "This address is not the page's own: use its local address.")

    def reader(self, request: HTTPConnection, *, wall: bool = False) -> Visitor:
        """Whoever may read, or a refusal; a TV may read the wall only."""
        self.host(request)
        found = self.visitor(request)
        if found:
            return found
        if self.open_to_all() or (wall and self._is_tv(request)):
            return Visitor()
        raise refusal("login", 401, "Please log in.")

    def writer(self, request: Request, role: Role = "responder") -> Visitor:
        """Whoever may write, or a refusal."""
        self.host(request)
        found = self.visitor(request)
        if found is None:
            raise refusal("login", 401, "Please log in.")
        if not found.may(role):
            raise refusal("role", 403, "Your role may read only: ask an admin for more.")
        return found

    def genuine(self, request: Request, visitor: Visitor, form: Mapping[str, str]) -> None:
        """Refuse what another site made a visitor's browser send, and floods."""
        self.same_origin(request)
        if not visitor.csrf or not hmac.compare_digest(visitor.csrf, form.get("csrf", "")):
            raise refusal("csrf", 403, "This form is not from this session: open the page again.")
        self.slow(self.writes, f"{visitor.name}")

    def same_origin(self, request: Request) -> None:
        """Refuse a POST that says it comes from another site."""
        if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            raise refusal("csrf", 403, "This request came from another site.")
        origin = request.headers.get("origin")
        if origin is None:
            return
        ours = {request.headers.get("host", "").lower(), urlsplit(self.page.url).netloc.lower()}
        if urlsplit(origin).netloc.lower() not in ours - {""}:
            raise refusal("csrf", 403, "This request came from another site.")

    def slow(self, rate: Rate, key: str) -> None:
        """Refuse who is too fast."""
        wait = rate.take(key, now=self.clock())
        if wait:
            raise refusal(
                "rate", 429, "Too many tries: wait a little.", {"retry-after": str(int(wait) + 1)}
            )

    # --- in and out --------------------------------------------------------

    def login(self, form: Mapping[str, str]) -> tuple[str, str] | None:
        """Name and session cookie if name and password are right; slow; to be run in a thread."""
        name = form.get("name", "").strip()[:64]
        user = self.people.check(name, form.get("password", ""))
        if user is None:
            return None
        held = {"n": name, "s": user.stamp, "c": secrets.token_urlsafe(16)}
        return name, str(self._sessions.dumps(held))

    def set_cookie(self, response: Response, name: str, value: str, hours: int) -> None:
        response.set_cookie(
            name,
            value,
            max_age=hours * 3600,
            httponly=True,
            samesite="lax",
            secure=self.page.url.startswith("https://"),
        )

    def tv_cookie(self, token: str) -> str | None:
        """The cookie of a TV that shows the right token."""
        if not self._tv or not hmac.compare_digest(self._tv.encode(), token.encode()):
            return None
        return str(self._tvs.dumps(self._tv_stamp()))

    def _is_tv(self, request: HTTPConnection) -> bool:
        try:
            stamp = self._tvs.loads(request.cookies.get(TV, ""))
        except BadSignature:
            return False
        # A new token turns old TVs away.
        return bool(self._tv) and stamp == self._tv_stamp()

    def _tv_stamp(self) -> str:
        return sha256(self._tv.encode()).hexdigest()[:16]


def refusal(
    reason: str, status: int, detail: str, headers: dict[str, str] | None = None
) -> HTTPException:
    """Count a refusal and make its answer."""
    REFUSALS.labels(reason).inc()
    return HTTPException(status, detail, headers)


def client(request: HTTPConnection) -> str:
    """The address of whoever is connected (of the proxy, where there is one)."""
    return request.client.host if request.client else ""


def is_loopback(host: str) -> bool:
    """Can only this machine connect?"""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form (URL-encoded), of bounded size.

    Raises
    ------
    HTTPException
        413 if it is larger than any form of ours, 415 if it is none.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip()
    if kind != "application/x-www-form-urlencoded":
        raise HTTPException(415, "Only forms are taken here.")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES:
            raise HTTPException(413, "That is too long.")
    try:
        fields = parse_qsl(
            body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=20
        )
    except ValueError as e:
        raise HTTPException(400, "That is no form of ours.") from e
    return dict(fields)
