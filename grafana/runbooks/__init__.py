"""What to do about each alert: one page an alert and language, shipped with the package."""

from pathlib import Path

from grafana.alerts.rule import Language

FOLDER = Path(__file__).parent


class NoRunbook(Exception):
    """There is no alert of that name; the message lists those that there are."""


def runbook(alert: str, language: Language) -> str:
    """The page of an alert, in Markdown.

    Raises
    ------
    NoRunbook
        If there is no alert of that name.
    """
    path = FOLDER / f"{alert}.{language}.md"
    if path.parent != FOLDER or not path.is_file():
        names = sorted({page.name.split(".")[0] for page in FOLDER.glob("*.md")})
        raise NoRunbook(f"no alert is called {alert!r}; there are {', '.join(names)}")
    return path.read_text(encoding="utf-8")
