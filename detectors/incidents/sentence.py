"""One sentence for a person: who, how much against how much, since when, about what, why.

Clauses are added in the order of their worth while they fit in `MAX_WORDS`.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from detectors.incidents.explanation import OTHER, Explanation
from detectors.incidents.outbreak import Outbreak
from detectors.language import taxonomy

MAX_WORDS = 39
LANGUAGES = ("id", "en")
MANY_HOURS_MINUTES = 180
LEADING = 0.2
"""Share of the excess from which a topic, channel or phrase is worth a word."""


class Facts(NamedTuple):
    """What the sentence is made of. Sums are over the window since the onset."""

    brand: str
    signal: str
    observed: float
    expected: float
    onset_s: int
    now_s: int
    time_zone: str
    topic: str = ""
    """The topic whose own series rose, if it was one."""
    top_reach: float = 0.0
    closed: bool = False


class _Words(NamedTuple):
    subject: dict[str, str]
    single: dict[str, str]
    """What is said otherwise of one."""
    usual: str
    window_minute: str
    window_minutes: str
    window_hours: str
    since: str
    about: str
    phrase: str
    channel: str
    author: str
    copies: str
    closed: str
    outbreak: str


WORDS: dict[str, _Words] = {
    "id": _Words(
        subject={
            "volume": "{n} penyebutan",
            "authors": "{n} orang menyebutnya",
            "reach": "jangkauan {n} orang",
            "velocity": "satu keluhan menyebar ke {n} orang",
            "security": "{n} keluhan keamanan",
            "": "{n} penyebutan negatif",
        },
        single={},
        usual="(biasanya {n})",
        window_minute="dalam {n} menit",
        window_minutes="dalam {n} menit",
        window_hours="dalam {n} jam",
        since="sejak {at}",
        about="terutama soal {what} ({share})",
        phrase="frasa “{what}” ({share})",
        channel="paling banyak dari {what} ({share})",
        author="akun {what} menulis {share}",
        copies="{share} teks hampir sama",
        closed="Sudah kembali normal.",
        outbreak="{n} merek sekaligus {usual} {since}",
    ),
    "en": _Words(
        subject={
            "volume": "{n} mentions",
            "authors": "{n} people mention it",
            "reach": "reach of {n} people",
            "velocity": "one complaint has reached {n} people",
            "security": "{n} security complaints",
            "": "{n} negative mentions",
        },
        single={
            "1 mentions": "1 mention",
            "1 people mention it": "1 person mentions it",
            "reach of 1 people": "reach of 1 person",
            "1 security complaints": "1 security complaint",
            "1 negative mentions": "1 negative mention",
        },
        usual="(normally {n})",
        window_minute="in {n} minute",
        window_minutes="in {n} minutes",
        window_hours="in {n} hours",
        since="since {at}",
        about="mostly about {what} ({share})",
        phrase="the phrase “{what}” ({share})",
        channel="most from {what} ({share})",
        author="account {what} wrote {share}",
        copies="{share} near-identical texts",
        closed="Back to normal.",
        outbreak="{n} brands at once {usual} {since}",
    ),
}


def sentence(facts: Facts, explanation: Explanation | None, language: str) -> str:
    """What happened, in fewer than 40 words.

    Raises
    ------
    ValueError
        If the language is not one of `LANGUAGES`.
    """
    words = _words(language)
    clauses = [_head(facts, words, language)]
    if explanation is not None:
        clauses += _why(facts, explanation, words, language)
    end = f" {words.closed}" if facts.closed else ""
    text = clauses[0]
    for clause in clauses[1:]:
        longer = f"{text}, {clause}"
        if len(f"{longer}.{end}".split()) > MAX_WORDS:
            break
        text = longer
    return f"{text}.{end}"


def _words(language: str) -> _Words:
    if language not in WORDS:
        msg = f"no sentences in {language!r}; languages: {', '.join(LANGUAGES)}"
        raise ValueError(msg)
    return WORDS[language]


def outbreak_sentence(
    outbreak: Outbreak, titles: Sequence[str], language: str, time_zone: str
) -> str:
    """Many brands at once, in fewer than 40 words; raises as `sentence`."""
    words = _words(language)
    facts = Facts("", "", 0.0, 0.0, outbreak.onset_s, outbreak.updated_s, time_zone)
    head = words.outbreak.format(
        n=len(outbreak.brands),
        usual=words.usual.format(n=number(outbreak.usual, language)),
        since=words.since.format(at=clock(facts, language)),
    )
    topic, share = _leading(outbreak.topics)
    if topic:
        title = taxonomy.default().title(topic, language)
        head += ", " + words.about.format(what=title, share=percent(share, language))
    end = f" {words.closed}" if outbreak.closed_s is not None else ""
    names: list[str] = []
    for title in titles:
        # One place is kept for the number of those that are left out.
        if len(f"{head}: {', '.join([*names, title])} +9.{end}".split()) > MAX_WORDS:
            break
        names.append(title)
    left = len(titles) - len(names)
    return f"{head}: {', '.join(names)}{f' +{left}' if left else ''}.{end}"


def _head(facts: Facts, words: _Words, language: str) -> str:
    subject = words.subject.get(facts.signal, words.subject[""])
    value = facts.top_reach if facts.signal == "velocity" and facts.top_reach else facts.observed
    told = subject.format(n=number(value, language))
    parts = [f"{facts.brand}: {words.single.get(told, told)}"]
    minutes = max(round((facts.now_s - facts.onset_s) / 60), 1)
    window = (words.window_minute if minutes == 1 else words.window_minutes).format(n=minutes)
    if minutes >= MANY_HOURS_MINUTES:
        window = words.window_hours.format(n=round(minutes / 60))
    parts.append(window)
    if facts.signal != "velocity":
        parts.append(words.usual.format(n=number(facts.expected, language)))
    parts.append(words.since.format(at=clock(facts, language)))
    return " ".join(parts)


def _why(facts: Facts, explanation: Explanation, words: _Words, language: str) -> list[str]:
    clauses = []
    topic, share = _leading(explanation.topics)
    if facts.topic:
        topic, share = facts.topic, explanation.topics.get(facts.topic, share)
    if topic and facts.signal != "security":
        title = taxonomy.default().title(topic, language)
        clauses.append(words.about.format(what=title, share=percent(share, language)))
    for template, table in (
        (words.phrase, explanation.phrases),
        (words.channel, explanation.channels),
    ):
        key, share = _leading(table)
        if key:
            clauses.append(template.format(what=key, share=percent(share, language)))
    author, share = _leading(explanation.authors)
    if author and "few_authors" in explanation.flags:
        clauses.append(words.author.format(what=author, share=percent(share, language)))
    if "near_duplicates" in explanation.flags:
        share = explanation.organic.near_duplicate_share
        clauses.append(words.copies.format(share=percent(share, language)))
    return clauses


def _leading(table: dict[str, float]) -> tuple[str, float]:
    best = max((k for k in table if k != OTHER), key=lambda k: (table[k], k), default="")
    return (best, table[best]) if best and table[best] >= LEADING else ("", 0.0)


def number(value: float, language: str) -> str:
    """A count as people write it.

    >>> number(0.2, "en"), number(12345.6, "id"), number(1.5, "id")
    ('<1', '12.346', '2')
    """
    if 0.0 < value < 0.5:  # it would round to a wrong "0"
        return "<1"
    text = f"{round(value):,}"
    return text.replace(",", ".") if language == "id" else text


def percent(share: float, language: str) -> str:
    """A share in whole percent, joined to its sign as one word.

    >>> percent(0.618, "id"), percent(0.618, "en")
    ('62%', '62%')
    """
    del language  # both write it alike
    return f"{round(100 * share)}%"


def clock(facts: Facts, language: str) -> str:
    """The onset on the team's own clock, with the day if it is not the same day."""
    zone = ZoneInfo(facts.time_zone)
    onset = datetime.fromtimestamp(facts.onset_s, UTC).astimezone(zone)
    today = datetime.fromtimestamp(facts.now_s, UTC).astimezone(zone)
    time = onset.strftime("%H.%M" if language == "id" else "%H:%M")
    name = onset.tzname() or ""
    day = f"{onset.day}/{onset.month} " if onset.date() != today.date() else ""
    return f"{day}{time} {name}".strip()
