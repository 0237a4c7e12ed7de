"""Connectors by name: our own and those of other installed packages (`siaga.connectors`)."""

from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from connectors.contract import Connector, PushConnector

GROUP = "siaga.connectors"

ConnectorType = type[Connector] | type[PushConnector]


class UnknownType(LookupError):
    """No installed package offers a connector of that name; the message names the nearest."""


@cache
def points() -> dict[str, EntryPoint]:
    """Entry points by name; nothing is imported yet."""
    return {p.name: p for p in sorted(entry_points(group=GROUP), key=lambda p: p.name)}


@cache
def connector_type(name: str) -> ConnectorType:
    """Return the class of a connector.

    Raises
    ------
    UnknownType
        If no package offers it.
    """
    known = points()
    if name not in known:
        near = get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f'; did you mean "{near[0]}"?' if near else f"; known: {', '.join(known)}"
        raise UnknownType(f'unknown type "{name}"{hint}')
    found: ConnectorType = known[name].load()
    return found
