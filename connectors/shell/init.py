"""`siaga init`: a few questions, and a commented `siaga.toml` that works at once."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import typer

from connectors.ingest.fold import slug
from streams.config import ConfigError, parse
from streams.service import CannotStart


@dataclass(frozen=True)
class Answers:
    """What a person said."""

    name: str = ""
    handles: str = ""
    feed: str = ""
    language: str = ""
    time_zone: str = "Asia/Jakarta"


def ask(given: Answers) -> Answers:
    """Ask for what was not given by flags."""
    answers = given
    if not answers.name:
        answers = replace(answers, name=typer.prompt("Name of your brand"))
    if not answers.handles:
        told = "Its accounts, without @, with commas (empty: none)"
        answers = replace(answers, handles=typer.prompt(told, default="", show_default=False))
    if not answers.feed:
        told = "Address of a news feed or Google Alert, RSS or Atom (empty: none)"
        answers = replace(answers, feed=typer.prompt(told, default="", show_default=False))
    if not answers.language:
        told = "Language of alerts and page, id or en"
        answers = replace(answers, language=typer.prompt(told, default="id"))
    zone = typer.prompt("Time zone", default=answers.time_zone)
    return replace(answers, time_zone=zone)


def write(path: Path, answers: Answers) -> str:
    """Write the configuration; return what to do next.

    Raises
    ------
    CannotStart
        If the file is there already, or an answer makes no valid configuration.
    """
    if path.exists():
        raise CannotStart(f"{path} is there already; move it away or choose another with --into")
    text = render(answers)
    try:
        parse(text, path)
    except ConfigError as e:
        raise CannotStart("these answers make no valid configuration:\n" + str(e)) from e
    path.write_text(text, encoding="utf-8")
    return (
        f"{path} is written. Next:\n"
        "  siaga config check      is it right?\n"
        "  siaga connector check NAME   what would a source publish?\n"
        "  siaga run               start"
    )


def render(answers: Answers) -> str:
    """Return the configuration's text.

    Raises
    ------
    CannotStart
        If the brand's name holds no letter or digit.
    """
    title = answers.name.strip()
    name = slug(title)[:63].strip("-_")
    if not name:
        raise CannotStart("a brand needs a name with letters or digits in it")
    handles = [h.strip().lstrip("@") for h in answers.handles.split(",") if h.strip()]
    feed = answers.feed.strip()
    return _TEMPLATE.format(
        language=_toml(answers.language or "id"),
        time_zone=_toml(answers.time_zone),
        name=name,
        title=_toml(title),
        names=_toml([title]),
        handles=_toml(handles),
        feed_off="" if feed else "# ",
        feed=_toml(feed or "https://news.example/feed.xml"),
    )


def _toml(value: object) -> str:
    """Return a string or a list of strings as TOML, whose basic strings are JSON's."""
    return json.dumps(value, ensure_ascii=False)


_TEMPLATE = """\
# Siaga's configuration. Every mistake in it is named by `siaga config check`.
# Secrets never stand here: a key that ends in _env names an environment variable.

language = {language}            # alerts and page: id or en
time_zone = {time_zone}

# ---- your brand; add a table like this for each of them

[brands.{name}]
title = {title}
names = {names}          # as people write it; case and accents do not matter
handles = {handles}      # accounts that people address, without @
keywords = []            # further words that are about you: a product, a campaign
exclusions = []          # phrases that make a match void
own_accounts = {handles} # accounts that you write from: their replies stop clocks

# ---- sources; `siaga connector check NAME` shows what one would publish

# News sites, blogs, forums, Google Alerts: any RSS or Atom feed. No key.
{feed_off}[sources.news]
{feed_off}type = "rss"
{feed_off}url = {feed}
{feed_off}poll_s = 300

# A file that another program writes, one JSON object a line.
# [sources.export]
# type = "file"
# path = "mentions.jsonl"
# follow = true
# run = "live"

# Your own systems POST mentions here; the secret is in SIAGA_WEBHOOK_SECRET.
# [sources.crm]
# type = "webhook"
# port = 8088

# ---- all sources

[connectors]
pseudonymise_authors = false # true: authors leave as a keyed hash (SIAGA_PSEUDONYM_KEY)
"""
