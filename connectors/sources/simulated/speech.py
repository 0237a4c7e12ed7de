"""Speaks the grammar: templates are split once, a text is a walk over their parts."""

import random
import re
from collections.abc import Callable, Sequence

from connectors.sources.simulated import phrases

_SLOT = re.compile(r"\{(\w+)\}")

Parts = tuple[str | tuple[str, ...], ...]
"""Literals and slots (their words); the brand is an empty tuple."""


def compile_template(template: str) -> Parts:
    """Split a template into literals and slots."""
    pieces = _SLOT.split(template)
    parts: list[str | tuple[str, ...]] = []
    for n, piece in enumerate(pieces):
        if n % 2 == 0:
            if piece:
                parts.append(piece)
        else:
            parts.append(() if piece == "b" else phrases.SLOTS[piece])
    return tuple(parts)


def compile_all(templates: Sequence[str]) -> tuple[Parts, ...]:
    """Split many templates."""
    return tuple(map(compile_template, templates))


NEGATIVE = compile_all(phrases.NEGATIVE)
NEUTRAL = compile_all(phrases.NEUTRAL)
POSITIVE = compile_all(phrases.POSITIVE)
CRISIS = compile_all(phrases.CRISIS)
CRISIS_NEUTRAL = compile_all(phrases.CRISIS_NEUTRAL)
CRISIS_POSITIVE = compile_all(phrases.CRISIS_POSITIVE)
BURST = compile_all(phrases.BURST)
FIRST_POST = compile_template(phrases.FIRST_POST)
REPOST = compile_template(phrases.REPOST)


def pick(words: Sequence[str], draw: Callable[[], float]) -> str:
    """Return one of the words (`random.choice` costs several times more)."""
    return words[int(draw() * len(words))]


def say(parts: Parts, names: Sequence[str], rng: random.Random) -> str:
    """Return a text about a brand that is written in one of several ways.

    >>> say(compile_template("halo {b}"), ("Tokoraya",), random.Random(1))
    'halo Tokoraya'
    """
    draw = rng.random
    text = "".join(part if isinstance(part, str) else pick(part or names, draw) for part in parts)
    mood = draw()
    if mood < 0.15:
        return text.lower()
    if mood < 0.22:
        return text + "!" * (1 + int(draw() * 3))
    if mood < 0.26:
        return text.replace("banget", "bgt").replace("yang", "yg").replace("udah", "udh")
    return text


def anyone(parts: Sequence[Parts], names: Sequence[str], rng: random.Random) -> str:
    """Speak one of several templates."""
    return say(parts[int(rng.random() * len(parts))], names, rng)


def author(number: int) -> str:
    """Return the name of an invented account, one per number.

    >>> author(3) == author(3), author(3) == author(4)
    (True, False)
    """
    syllables = phrases.SYLLABLES
    size = len(syllables)
    name = syllables[number % size] + syllables[number // 7 % size] + syllables[number // 31 % size]
    return f"{name}{number}"
