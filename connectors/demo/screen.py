"""What the demo shows in the terminal: progress, and at the alert what a person needs."""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from connectors.demo.watch import Seen
from streams.levels import LEVEL_WORDS
from streams.records import Incident

LEVEL_NAMES: Mapping[str, tuple[str, ...]] = {
    language: ("normal", *words[1:]) for language, words in LEVEL_WORDS.items()
}
LEVEL_STYLES = ("green", "yellow", "dark_orange", "bold red")
MOST_SAMPLES = 4
MOST_DRIVERS = 3
TEXT_WIDTH = 92

WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "observed": "observed",
        "expected": "expected",
        "a minute": "a minute",
        "topics": "topics",
        "channels": "channels",
        "phrases": "phrases",
        "samples": "what people write",
        "since": "since",
        "simulated": "simulated",
        "mentions": "mentions",
    },
    "id": {
        "observed": "teramati",
        "expected": "biasanya",
        "a minute": "per menit",
        "topics": "topik",
        "channels": "kanal",
        "phrases": "frasa",
        "samples": "yang ditulis orang",
        "since": "sejak",
        "simulated": "simulasi",
        "mentions": "sebutan",
    },
}


def progress(seen: Seen, zone: ZoneInfo, language: str, rate: float) -> RenderableType:
    """One line: event time, mentions so far, and each brand's level."""
    words = WORDS[language]
    line = Text()
    line.append(_time(seen.clock, zone) if seen.clock else "...", style="bold")
    line.append(f"   {seen.mentions:,} {words['mentions']}   {rate:,.0f}/s   ")
    for brand, level in sorted(seen.levels.items()):
        line.append(f" {brand} ")
        line.append(LEVEL_NAMES[language][level], style=LEVEL_STYLES[level])
    return line


def alert(incident: Incident, zone: ZoneInfo, language: str) -> RenderableType:
    """What a person needs to decide: who, how bad, how unusual, about what, in whose words."""
    words = WORDS[language]
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", justify="right")
    facts.add_column()
    facts.add_row(
        incident.signal,
        f"{words['observed']} [bold]{incident.observed:.3g}[/], "
        f"{words['expected']} {incident.expected:.3g} {words['a minute']}; "
        f"{words['since']} {_time(incident.onset, zone)}",
    )
    for name, shares in (
        (words["topics"], incident.topics),
        (words["channels"], incident.channels),
        (words["phrases"], incident.phrases),
    ):
        if shares:
            facts.add_row(name, _shares(shares))
    samples = Table.grid(padding=(0, 2))
    for sample in incident.samples[:MOST_SAMPLES]:
        mark = f" [{words['simulated']}]" if sample.simulated else ""
        text = Text(f"“{_short(sample.text)}”")
        text.append(f"  {sample.author}, {sample.source}{mark}", style="dim")
        samples.add_row(text)
    sentence = Text(incident.sentences.get(language, ""), style="bold")
    title = f" {LEVEL_NAMES[language][incident.level]}: {incident.brand} "
    body = Group(sentence, Text(), facts, Text(), Text(words["samples"], style="dim"), samples)
    return Panel(body, title=title, border_style=LEVEL_STYLES[incident.level], padding=(1, 2))


def console(*, headless: bool) -> Console:
    """A console; a headless demo keeps standard output for its JSON line."""
    return Console(stderr=headless, highlight=False)


def _shares(shares: Mapping[str, float]) -> str:
    named = {name: share for name, share in shares.items() if name != "other"}
    top = sorted(named.items(), key=lambda item: -item[1])[:MOST_DRIVERS]
    return ", ".join(f"{name} {share:.0%}" for name, share in top)


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= TEXT_WIDTH else flat[: TEXT_WIDTH - 1] + "…"


def _time(time: datetime, zone: ZoneInfo) -> str:
    return time.astimezone(zone).strftime("%a %d %b %H:%M")
