"""Numbers as people read them, with a unit: "15 an hour, usually 0.6" (pure)."""

from collections.abc import Sequence

from response.words import Language, say

HOURLY_BELOW = 1.0
"""A minute; what is rarer is told by the hour. Grafana's own texts use the same limit."""
RARE = 0.05
"""Below, one digit after the point says nothing any more."""
WHOLE_FROM = 9.95
SHARES = frozenset({"negative_share"})
PEOPLE = frozenset({"velocity"})
UNSCALED = frozenset({"authors"})
"""Distinct authors of an hour are not sixty times those of a minute."""


def amounts(signal: str, values: Sequence[float | None], language: Language) -> tuple[str, ...]:
    """Values of one signal (by the minute), the first with its unit, the rest in the same.

    What is too rare for the minute is told by the hour all the same.

    >>> amounts("slow_burn", (0.2464, 0.009188, None), "en")
    ('15 an hour', '0.6', '?')
    >>> amounts("negative", (2.5, 0.034, 0.0004), "en")
    ('2.5 a minute', '2 an hour', 'fewer than 1 an hour')
    >>> amounts("negative_share", (0.456, 0.08), "id")
    ('46%', '8%')
    """
    if signal in SHARES:
        return tuple("?" if v is None else f"{v:.0%}" for v in values)
    first = values[0] if values else None
    rate = signal not in PEOPLE | UNSCALED
    hourly = rate and first is not None and first < HOURLY_BELOW
    unit = "{n} people" if signal in PEOPLE else "{n} an hour" if hourly else "{n} a minute"

    def told(value: float | None, *, alone: bool) -> str:
        if value is None:
            return "?"
        if rate and not hourly and 0 < value < RARE:
            return say(language, "{n} an hour", n=plain(60 * value, language))
        said = plain(60 * value if hourly else value, language)
        return say(language, unit, n=said) if alone else said

    return tuple(told(value, alone=n == 0) for n, value in enumerate(values))


def plain(value: float, language: Language) -> str:
    """A number without prefixes or false precision.

    >>> plain(1234567.0, "id"), plain(2.5, "id"), plain(0.01, "en"), plain(0, "en")
    ('1.234.567', '2,5', 'fewer than 1', '0')
    """
    if 0 < value < RARE:
        return say(language, "fewer than 1")
    text = f"{value:,.0f}" if value >= WHOLE_FROM else f"{value:.1f}".removesuffix(".0")
    if language == "id":
        return text.replace(",", "_").replace(".", ",").replace("_", ".")
    return text
