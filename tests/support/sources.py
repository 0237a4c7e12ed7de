"""What tests of sources share: reading a source to its end, and whatever a server may answer."""

import json
from typing import Any

import hypothesis.strategies as st

from connectors.contract import Connector, Item, Page

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def perhaps_cut(draw: st.DrawFn, value: Any) -> bytes:
    """A value as JSON, whole or broken off somewhere."""
    raw = json.dumps(value).encode()
    return raw[: draw(st.integers(0, len(raw)))] if draw(st.booleans()) else raw


async def drained(connector: Connector, cursor: str | None = None) -> list[Page]:
    """All pages until there are no more for now."""
    pages = [await connector.fetch(cursor)]
    while pages[-1].more:
        pages.append(await connector.fetch(pages[-1].cursor))
    return pages


def items(pages: list[Page]) -> list[Item]:
    """What was read whole, in order."""
    return [i for p in pages for i in p.items if isinstance(i, Item)]
