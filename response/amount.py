"""Numbers as people read them, with a unit: "15 an hour, usually 0.6" (pure)."""

from collections.abc import Sequence

from response.words import Language, say

HOURLY_BELOW = 1.0
"""A minute; what is rarer is told by the hour. Grafana's own texts use the same limit."""
WHOLE_FROM = 9.95
SHARES = frozenset({"negative_share"})
PEOPLE = frozenset({"velocity"})
UNSCALED = frozenset({"authors"})
"""Distinct authors of an hour are not sixty times those of a minute."""


def amounts(signal: str, values: Sequence[float | None], language: Language) -> tuple[str, ...]:
    """Values of one signal (by the minute), the first with its unit, the rest in the same.

    >>> amounts("slow_burn", (0.2464, 0.009188, None), "en")
    ('15 an hour', '0.6', '?')
    >>> amounts("negative_share", (0.456, 0.08), "id")
    ('46%', '8%')
    """
    if signal in SHARES:
        return tuple("?" if v is None else f"{v:.0%}" for v in values)
    first = values[0] if values else None
    hourly = first is not None and first < HOURLY_BELOW and signal not in PEOPLE | UNSCALED
    scale = 60.0 if hourly else 1.0
    unit = "{n} people" if signal in PEOPLE else "{n} an hour" if hourly else "{n} a minute"
    said = ["?" if v is None else plain(scale * v, language) for v in values]
    if said and first is not None:
        said[0] = say(language, unit, n=said[0])
    return tuple(said)


def plain(value: float, language: Language) -> str:
    """A number without prefixes or false precision.

    >>> plain(1234567.0, "id"), plain(2.5, "id"), plain(0.01, "en"), plain(0, "en")
    ('1.234.567', '2,5', 'almost none', '0')
    """
    if 0 < value < 0.05:
        return say(language, "almost none")
    text = f"{value:,.0f}" if value >= WHOLE_FROM else f"{value:.1f}".removesuffix(".0")
    if language == "id":
        return text.replace(",", "_").replace(".", ",").replace("_", ".")
    return text
