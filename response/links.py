"""Signed links: good for one incident, one purpose and a limited time (pure; `now` by argument).

GET shows and POST acknowledges: link previews of chat programs issue GETs. Whether a link was used
already is known from `siaga.actions.v1`: the action's id is made from the token.
"""

import hmac
from collections.abc import Iterable
from hashlib import sha256
from typing import Literal
from urllib.parse import quote

import msgspec
from itsdangerous import BadSignature, URLSafeSerializer

Purpose = Literal["ack"]


class Ticket(msgspec.Struct, frozen=True):
    """What a link allows."""

    purpose: Purpose
    incident: str
    target: str
    """Which notification carried it: recorded as how the acknowledgement came."""
    expires: int
    """Epoch seconds."""
    sequence: int = 0
    """Of the incident when it was sent: each notification has a link of its own."""


class BadLink(Exception):
    """The link is forged, damaged or of another installation."""


class Expired(BadLink):
    """The link was good once."""


def sign(secret: str, ticket: Ticket) -> str:
    """Return the token of a ticket, safe in an address."""
    return str(_signer(secret, ticket.purpose).dumps(msgspec.to_builtins(ticket)))


def read(secret: str, token: str, purpose: Purpose, *, now: float) -> Ticket:
    """Return the ticket of a token.

    Raises
    ------
    Expired
        If its time is over.
    BadLink
        If the signature is not ours, or the link is for another purpose.
    """
    try:
        ticket = msgspec.convert(_signer(secret, purpose).loads(token), Ticket)
    except (BadSignature, msgspec.ValidationError) as e:
        raise BadLink("this link is damaged or not ours") from e
    if ticket.purpose != purpose:
        raise BadLink("this link is for something else")
    if now >= ticket.expires:
        raise Expired("this link has expired")
    return ticket


def short(secret: str, ticket: Ticket) -> str:
    """A token of at most 64 bytes, which is all that a Telegram button carries.

    It names its incident by the signature alone: `find` tries those that are open.
    """
    return f"ack.{ticket.expires:x}.{_mac(secret, ticket.incident, ticket.expires)}"


def find(secret: str, token: str, incidents: Iterable[str], *, now: float) -> str:
    """The incident that a short token acknowledges.

    Raises
    ------
    Expired, BadLink
        As `read`.
    """
    purpose, _, rest = token.partition(".")
    until, _, mac = rest.partition(".")
    try:
        expires = int(until, 16)
    except ValueError as e:
        raise BadLink("this button is damaged or not ours") from e
    for incident in incidents:
        known = _mac(secret, incident, expires)
        if purpose == "ack" and hmac.compare_digest(known.encode(), mac.encode()):
            if now >= expires:
                raise Expired("this button has expired")
            return incident
    raise BadLink("this button is damaged, not ours, or its incident is over")


def _mac(secret: str, incident: str, expires: int) -> str:
    said = f"siaga.button.ack|{expires}|{incident}".encode()
    return hmac.new(secret.encode(), said, sha256).hexdigest()[:32]


def action_id(token: str) -> str:
    """The id of the one action that a token is good for."""
    return f"link/{sha256(token.encode()).hexdigest()[:32]}"


def incident_url(base: str, incident: str) -> str:
    """Where a person reads all of an incident."""
    return f"{base}/incident/{quote(incident)}"


def acknowledge_url(base: str, token: str) -> str:
    """Where a person acknowledges with one press."""
    return f"{base}/a/{token}"


def _signer(secret: str, purpose: str) -> URLSafeSerializer:
    # The salt is the purpose: a session cookie never passes for a link, nor one link for another.
    return URLSafeSerializer(
        secret, salt=f"siaga.link.{purpose}", signer_kwargs={"digest_method": sha256}
    )
