"""What a notification says: JSON for webhooks, a short text for chats (pure)."""

from collections.abc import Mapping
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from detectors.incidents.explanation import OTHER
from response.amount import amounts
from response.notify.decide import Status
from response.text import limit, link, shown
from response.words import Language, say, topics
from streams.levels import LEVEL_WORDS
from streams.records import Incident, Sample

LEVELS = ("Normal", "Watch", "Alert", "Crisis")
MARKS = ("⚪", "🟡", "🟠", "🔴")
SAMPLES = 3
TELEGRAM_LIMIT = 4096
"""Characters of a message: https://core.telegram.org/bots/api#sendmessage."""

SIGNALS = {
    "volume": "Volume",
    "negative": "Negative mentions",
    "negative_share": "Negative share",
    "reach": "Reach",
    "authors": "Distinct authors",
    "velocity": "Fastest post",
    "slow_burn": "Slow burn",
    "security": "Data security",
}


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One notification, before it takes a target's form."""

    status: Status
    incident: Incident
    title: str
    """The brand, as people call it."""
    language: Language
    zone: str
    page: str
    """Address of the incident on the live page."""
    acknowledge: str = ""
    """Signed link; empty when there is nothing to acknowledge."""
    button: str = ""
    """What the chat's own button carries back to us; empty where there is no way back."""
    lead: str = ""
    """A sentence before the evidence: why this is told now."""
    oncall: tuple[str, ...] = ()
    """Whom it concerns: on call, or the next step of the ladder."""
    topic_titles: dict[str, str] = msgspec.field(default_factory=dict)
    """What configured topics are called in that language; empty: those that ship."""
    step: int = 0
    """Step of the ladder, when it escalates."""
    test: bool = False

    @property
    def key(self) -> str:
        """The same notification sent twice has the same key."""
        return f"{self.incident.id}:{self.incident.sequence}:{self.status}{self.step or ''}"


def summary(notice: Notice) -> str:
    """One sentence: the incident's own in the language, else observed against expected."""
    incident = notice.incident
    if own := incident.sentences.get(notice.language):
        return shown(own, 400)
    return say(
        notice.language,
        "{brand}: {signal} is {observed}, expected {expected}, limit {upper}.",
        brand=notice.title,
        signal=_signal(notice),
        **_amounts(notice),
    )


def webhook(notice: Notice) -> dict[str, Any]:
    """The JSON body: stable keys, times as RFC 3339, text from the public made safe to show."""
    i = notice.incident
    return {
        "version": 1,
        "status": notice.status,
        "key": notice.key,
        "test": notice.test,
        "incident": i.id,
        "sequence": i.sequence,
        "run": i.run,
        "simulated": i.simulated,
        "brand": i.brand,
        "title": notice.title,
        "severity": LEVEL_WORDS["en"][i.level],
        "level": i.level,
        "peak": i.peak,
        "signal": i.signal,
        "observed": i.observed,
        "expected": i.expected,
        "upper": i.upper,
        "score": i.score,
        "summary": summary(notice),
        "lead": shown(notice.lead, 300) or None,
        "language": notice.language,
        "onset": i.onset.isoformat(),
        "opened_at": i.opened_at.isoformat(),
        "updated_at": i.updated_at.isoformat(),
        "closed_at": i.closed_at.isoformat() if i.closed_at else None,
        "acknowledged_by": i.acknowledged_by or None,
        "drivers": {
            "topics": _shares(i.topics),
            "channels": _shares(i.channels),
            "authors": _shares(i.authors),
            "phrases": _shares(i.phrases),
        },
        "flags": list(i.flags),
        "samples": [_sample(s) for s in i.samples[:SAMPLES]],
        "oncall": list(notice.oncall),
        "link": notice.page,
        "acknowledge": notice.acknowledge or None,
    }


def telegram(notice: Notice) -> str:
    """Text in Telegram's HTML form, under its limit; everything from outside is escaped."""
    i, lang = notice.incident, notice.language
    if notice.status == "acknowledged":
        who = say(lang, "{who} is on it", who=shown(i.acknowledged_by, 60))
        link_to = f'<a href="{escape(notice.page)}">{escape(say(lang, "Whole incident"))}</a>'
        return f"✅ <b>{escape(who)}</b> · {escape(notice.title)}\n{link_to}"
    over = notice.status == "resolved"
    head = say(lang, "Over") if over else say(lang, LEVELS[i.level]).upper()
    mark = "🟢" if over else MARKS[i.level]
    lines = [f"{mark} <b>{escape(head)} · {escape(notice.title)}</b>{escape(marks(notice))}"]
    if notice.status == "escalated":
        lines.append(f"<b>{escape(say(lang, 'Nobody has acknowledged this yet.'))}</b>")
    if notice.lead:
        lines.append(f"<b>{escape(shown(notice.lead, 300))}</b>")
    lines.append(escape(summary(notice)))
    if not over and not notice.test:
        lines += [escape(fact) for fact in facts(notice)]
        lines += [_quoted(s) for s in i.samples[:SAMPLES]]
    if notice.oncall:
        lines.append(escape(f"{say(lang, 'On call')}: {', '.join(notice.oncall)}"))
    ends = [f'<a href="{escape(notice.page)}">{escape(say(lang, "Whole incident"))}</a>']
    if notice.acknowledge:
        ends.insert(
            0, f'<a href="{escape(notice.acknowledge)}">{escape(say(lang, "Acknowledge"))}</a>'
        )
    ends_line = " · ".join(ends)
    return _fitting(lines, ends_line)


def _fitting(lines: list[str], last: str) -> str:
    # Whole lines are left out, never half an entity; the links always stay.
    kept: list[str] = []
    room = TELEGRAM_LIMIT - len(last) - 1
    for line in lines:
        if len(line) + 1 <= room:
            kept.append(line)
            room -= len(line) + 1
    return "\n".join([*kept, last])


def marks(notice: Notice) -> str:
    """What is not real is marked as such."""
    words = []
    if notice.test:
        words.append(say(notice.language, "test"))
    if notice.incident.simulated:
        words.append(say(notice.language, "simulated"))
    if notice.incident.run.startswith("drill"):
        words.append(say(notice.language, "drill"))
    return f" [{', '.join(words)}]" if words else ""


def facts(notice: Notice) -> list[str]:
    """Lines of plain text: numbers, and the largest drivers."""
    i, lang = notice.incident, notice.language
    begun = i.onset.astimezone(ZoneInfo(notice.zone)).strftime("%d.%m. %H:%M")
    known = say(
        lang,
        "{signal}: {observed} (expected {expected}, limit {upper}), since {time}",
        signal=_signal(notice),
        **_amounts(notice),
        time=begun,
    )
    parts = [known]
    titles = notice.topic_titles or topics(lang)
    titled = {titles.get(name, name): share for name, share in i.topics.items()}
    phrases = {name: share for name, share in i.phrases.items() if name != OTHER}
    for word, shares in (("Topics", titled), ("Channels", i.channels), ("Phrases", phrases)):
        if shares:
            top = ", ".join(
                f"{name} {share:.0%}" for name, share in list(_shares(shares).items())[:3]
            )
            parts.append(f"{say(lang, word)}: {top}")
    return parts


def _quoted(sample: Sample) -> str:
    who = escape(shown(sample.author, 40) or "?")
    text = escape(shown(sample.text, 200))
    return f"<blockquote>{text}\n— {who}, {escape(sample.source)}</blockquote>"


def _sample(sample: Sample) -> dict[str, Any]:
    return {
        "source": sample.source,
        "author": shown(sample.author, 60),
        "text": shown(sample.text, 280),
        "url": link(sample.url) or None,
        "published_at": sample.published_at.isoformat(),
        "sentiment": sample.sentiment,
        "reach": sample.reach,
        "simulated": sample.simulated,
    }


def _shares(parts: Mapping[str, float], most: int = 5) -> dict[str, float]:
    top = sorted(parts.items(), key=lambda p: (-p[1], p[0]))[:most]
    return {shown(name, 60): round(share, 4) for name, share in top}


def _signal(notice: Notice) -> str:
    signal = notice.incident.signal
    return say(notice.language, SIGNALS.get(signal, signal.replace("_", " ")))


def _amounts(notice: Notice) -> dict[str, str]:
    i = notice.incident
    told = (i.observed, i.expected, limit(i.expected, i.upper))
    said = amounts(i.signal, told, notice.language)
    return dict(zip(("observed", "expected", "upper"), said, strict=True))
