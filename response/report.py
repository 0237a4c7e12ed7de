"""Incidents for the terminal."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from response.text import shown
from streams.levels import LEVEL_WORDS
from streams.records import Action, Incident
from streams.settings import RootSettings

LEVELS = LEVEL_WORDS["en"]
STYLES = ("dim", "yellow", "dark_orange", "bold red")
FORM = "%Y-%m-%d %H:%M"


def table(incidents: Sequence[Incident], settings: RootSettings) -> None:
    """One line an incident; ids are never cut, because people copy them."""
    zone = ZoneInfo(settings.time_zone)
    made = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("SEVERITY", "BRAND", "SINCE", "SIGNAL", "OBSERVED", "EXPECTED", "WHO"):
        made.add_column(title, no_wrap=title != "WHO")
    made.add_column("ID", overflow="fold", no_wrap=True)
    for i in incidents:
        over = i.closed_at is not None
        level = i.peak if over else i.level
        style = STYLES[0 if over else level]
        word = f"{LEVELS[level]} (over)" if over else LEVELS[level]
        made.add_row(
            f"[{style}]{word}[/]",
            escape(i.brand),
            i.onset.astimezone(zone).strftime(FORM),
            escape(i.signal),
            _amount(i, i.observed),
            _amount(i, i.expected),
            escape(shown(i.acknowledged_by, 20)) or "-",
            escape(i.id),
        )
    _console().print(made)


def sheet(incident: Incident, actions: Sequence[Action], settings: RootSettings) -> None:
    """All of one incident."""
    zone, out = ZoneInfo(settings.time_zone), _console()
    i = incident
    state = "over" if i.closed_at else LEVELS[i.level]
    out.print(f"[bold]{state}[/]  {escape(i.brand)}  {escape(i.id)}", soft_wrap=True)
    said = i.sentences.get(settings.language) or next(iter(i.sentences.values()), "")
    if said:
        out.print(escape(shown(said)), soft_wrap=True)
    out.print(
        f"{escape(i.signal)}: observed {_amount(i, i.observed)}, expected "
        f"{_amount(i, i.expected)}, limit {_amount(i, i.upper)}, score {i.score:.1f}"
    )
    out.print(
        f"since {i.onset.astimezone(zone):{FORM}}, peak {LEVELS[i.peak]}, run {escape(i.run)}"
    )
    for title, parts in (
        ("topics", i.topics),
        ("channels", i.channels),
        ("phrases", i.phrases),
        ("authors", i.authors),
    ):
        if parts:
            top = sorted(parts.items(), key=lambda p: -p[1])[:5]
            listed = ", ".join(f"{escape(shown(k, 60))} {v:.0%}" for k, v in top)
            out.print(f"{title}: {listed}", soft_wrap=True)
    for sample in i.samples[:5]:
        mark = " (simulated)" if sample.simulated else ""
        who = f"{escape(shown(sample.author, 40))} on {escape(sample.source)}{mark}"
        out.print(f"  “{escape(shown(sample.text, 200))}” - {who}", soft_wrap=True)
    for a in actions:
        note = f": {escape(shown(a.text, 200))}" if a.text else ""
        out.print(f"{a.at.astimezone(zone):{FORM}}  {a.kind} by {escape(shown(a.who, 60))}{note}")


def _amount(incident: Incident, value: float) -> str:
    return f"{value:.0%}" if "share" in incident.signal else f"{value:.4g}"


def _console() -> Console:
    # Piped, a table must not be folded at 80 columns: scripts cut it themselves.
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=240)
