"""Which brands a text is about: one Aho-Corasick pass over all names, handles and keywords.

- A name or keyword matches at word boundaries. Scripts that do not part words (Han, kana, Thai,
  Hangul with its particles) have none, so none is asked for there.
- In a hashtag a name of six letters or more also matches at either end (`#boikottokoraya`,
  `#TokorayaLambat`): the hashtags of a crisis are made like that.
- A handle matches as `@handle` or at the end of a profile's address (`x.com/handle`), as a whole:
  `@tokoraya.id` is another account than `@tokoraya`, and `cs@handle.com` is a mail address.
- An exclusion that holds one of the brand's own words voids only the match that it overlaps
  ("siaga satu"); any other exclusion is about the context and voids every name and keyword of
  that brand in the text. A handle is an address, not a word: no exclusion voids it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import ahocorasick

from connectors.ingest.fold import fold, slug
from streams.settings import BrandSettings

HASHTAG_MIN_LETTERS = 6
"""Shorter names are parts of too many words (`#deltaforce`)."""

HASHTAG_MAX_LETTERS = 100
"""Longer ones are no words of people; looking at all of a text for each match would take hours."""

MAX_MATCHES = 1000
"""Of names, and of exclusions, that one text is judged by; more of them say nothing new."""

_TAG = re.compile(rf"#(\w{{2,{HASHTAG_MAX_LETTERS}}})")
_CAMEL_EDGE = re.compile(r"(?<=[a-z0-9_])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z0-9])_")
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff]"
)

Kind = Literal["name", "joined", "handle", "local", "context"]
"""`joined`: a name without its spaces, for hashtags. `local`, `context`: the two exclusions."""


@dataclass(frozen=True, slots=True)
class _Use:
    brand: int
    kind: Kind


def _word(c: str) -> bool:
    return c.isalnum() or c == "_"


def _edge(inside: str, outside: str) -> bool:
    """Whether a word may end between two neighbours, the first of them in the match."""
    return (
        not (_word(inside) and _word(outside))
        or _UNSPACED.match(inside) is not None
        or _UNSPACED.match(outside) is not None
    )


def _hashtag_start(text: str, start: int) -> int:
    """Index after the # of the hashtag that `start` is in, or -1."""
    for at in range(start, max(start - HASHTAG_MAX_LETTERS, 0), -1):
        if not _word(text[at - 1]):
            return at if text[at - 1] == "#" else -1
    return -1


def _is_name(text: str, start: int, end: int) -> bool:
    left = start == 0 or _edge(text[start], text[start - 1])
    right = end == len(text) or _edge(text[end - 1], text[end])
    if left and right:
        return True
    if end - start < HASHTAG_MIN_LETTERS:
        return False
    return (right or start == _hashtag_start(text, start)) and _hashtag_start(text, start) >= 0


def _is_joined(text: str, start: int, end: int) -> bool:
    return _hashtag_start(text, start) >= 0 and _is_name(text, start, end)


def _is_handle(text: str, start: int, end: int) -> bool:
    if start == 0 or text[start - 1] not in "@/":
        return False
    if text[start - 1] == "@" and start > 1 and _word(text[start - 2]):
        return False  # a mail address
    if end == len(text):
        return True
    after = text[end]
    if after in ".-":  # the end of a sentence, or part of a longer handle or a domain
        return end + 1 == len(text) or not _word(text[end + 1])
    return not _word(after)


class Matcher:
    """Finds brands in texts; built once per configuration.

    Parameters
    ----------
    brands
        The `[brands.NAME]` tables by name.

    Examples
    --------
    >>> brands = {"tokoraya": BrandSettings(names=("Tokoraya",), handles=("tokoraya_id",))}
    >>> matcher = Matcher(brands)
    >>> matcher.match("Paket TOKORAYA telat lagi"), matcher.match("tokorayaku")
    (('tokoraya',), ())
    """

    def __init__(self, brands: Mapping[str, BrandSettings]) -> None:
        self._names = tuple(brands)
        uses: dict[str, list[_Use]] = {}

        def add(phrases: Iterable[str], use: _Use) -> None:
            for phrase in phrases:
                if folded := fold(phrase):
                    uses.setdefault(folded, []).append(use)

        self._aliases: dict[str, str] = {}
        self._owners: dict[str, tuple[str, ...]] = {}
        for number, (name, brand) in enumerate(brands.items()):
            words = [fold(w) for w in (*brand.names, *brand.keywords)]
            add(words, _Use(number, "name"))
            joined = (w.replace(" ", "") for w in words if " " in w)
            add(joined, _Use(number, "joined"))
            add((h.lstrip("@") for h in brand.handles), _Use(number, "handle"))
            for phrase in brand.exclusions:
                local = any(w and w in fold(phrase) for w in words)
                add((phrase,), _Use(number, "local" if local else "context"))
            for alias in (name, brand.title, *brand.names):
                if alias:
                    self._aliases.setdefault(slug(alias), name)
            for own in {account(a) for a in brand.own_accounts} - {""}:
                self._owners[own] = (*self._owners.get(own, ()), name)
        self._automaton = ahocorasick.Automaton()
        for phrase, found in uses.items():
            self._automaton.add_word(phrase, (len(phrase), tuple(found)))
        self._empty = not uses
        if uses:
            self._automaton.make_automaton()

    def match(self, text: str) -> tuple[str, ...]:
        """Return the names of the brands that a text is about, in the configuration's order."""
        if self._empty:
            return ()
        folded = fold(text)
        if "#" in text and (tags := [t for t in _TAG.findall(text) if _CAMEL_EDGE.search(t)]):
            parted = (_CAMEL_EDGE.sub(" ", tag).replace("_", " ") for tag in tags)
            folded = f"{folded} | {fold(' | '.join(parted))}"
        hits = list(self._automaton.iter(folded))
        return self._judge(folded, hits) if hits else ()

    def _judge(
        self, text: str, hits: list[tuple[int, tuple[int, tuple[_Use, ...]]]]
    ) -> tuple[str, ...]:
        named: list[tuple[int, int, int]] = []
        void: list[tuple[int, int, int]] = []
        voided: set[int] = set()
        found: set[int] = set()
        for last, (length, uses) in hits:
            start, end = last + 1 - length, last + 1
            for use in uses:
                match use.kind:
                    case "handle" if _is_handle(text, start, end):
                        found.add(use.brand)
                    case "name" if _is_name(text, start, end):
                        named.append((use.brand, start, end))
                    case "joined" if _is_joined(text, start, end):
                        named.append((use.brand, start, end))
                    case "local" if _is_name(text, start, end):
                        void.append((use.brand, start, end))
                    case "context" if _is_name(text, start, end):
                        voided.add(use.brand)
                    case _:
                        pass
        del void[MAX_MATCHES:]
        for brand, start, end in named[:MAX_MATCHES]:
            if brand in found or brand in voided:
                continue
            if not any(b == brand and s < end and start < e for b, s, e in void):
                found.add(brand)
        return tuple(self._names[n] for n in sorted(found))

    def resolve(self, value: str) -> str | None:
        """Return the brand that a source's own column names (key, title or name), or None."""
        return self._aliases.get(slug(value))

    def knows(self, brand: str) -> bool:
        """Return whether a brand of this name is configured."""
        return brand in self._names

    def owners(self, author: str) -> tuple[str, ...]:
        """Return the brands that write from an account themselves."""
        return self._owners.get(account(author), ()) if self._owners else ()


def account(name: str) -> str:
    """Fold an account's name: no leading @, no case."""
    return fold(name).lstrip("@")
