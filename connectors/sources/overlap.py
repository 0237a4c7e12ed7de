"""Reading with an overlap: what was given out before is left out by id."""

from collections import OrderedDict
from collections.abc import Sequence

from connectors.contract import BadItem, Item

REMEMBERED = 20_000
"""More than an overlap of a busy source holds; the stream drops what repeats beyond it."""


class Overlap:
    """The versions of items that a connector has given out."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, int], None] = OrderedDict()

    def fresh(
        self, newest_first: Sequence[Item | BadItem], *, after_ms: int
    ) -> tuple[Item | BadItem, ...]:
        """Return what is later than a time and was not given out, the oldest first."""
        chosen: list[Item | BadItem] = []
        for item in newest_first:
            if isinstance(item, Item):
                key = (item.native_id, item.revision)
                if stamp_ms(item) <= after_ms or key in self._known:
                    continue
                self._known[key] = None
                if len(self._known) > REMEMBERED:
                    self._known.popitem(last=False)
            chosen.append(item)
        chosen.reverse()
        return tuple(chosen)


def stamp_ms(item: Item) -> int:
    """Return when an item was published or last changed: revisions here are epoch seconds."""
    return max(int(item.published_at.timestamp() * 1000), item.revision * 1000)
