"""A message that is about no incident of ours: what Grafana says of the service itself (pure)."""

from html import escape

import msgspec

from response.text import link, shown


class Plain(msgspec.Struct, frozen=True, kw_only=True):
    """A title, lines of text and links."""

    key: str
    status: str
    title: str
    lines: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    """Word and address."""


def telegram_text(plain: Plain) -> str:
    """In Telegram's HTML form."""
    lines = [f"<b>{escape(shown(plain.title, 300))}</b>"]
    lines += [escape(shown(line, 600)) for line in plain.lines[:5]]
    safe = [(word, link(url)) for word, url in plain.links]
    ends = [f'<a href="{escape(url)}">{escape(word)}</a>' for word, url in safe if url]
    return "\n".join([*lines, " · ".join(ends)]).strip()


def slack_text(plain: Plain) -> str:
    """In Slack's mrkdwn form."""
    lines = [f"*{mrkdwn(plain.title, 300)}*", *(mrkdwn(line, 600) for line in plain.lines[:5])]
    safe = [(word, link(url)) for word, url in plain.links]
    ends = [f"<{mrkdwn_url(url)}|{mrkdwn(word, 40)}>" for word, url in safe if url]
    return "\n".join([*lines, " · ".join(ends)]).strip()


def mrkdwn(text: str, limit: int) -> str:
    """Text that Slack shows as it is: its three control characters escaped, no formatting.

    A zero-width space before *, _, ~ and ` keeps them from becoming marks
    (https://api.slack.com/reference/surfaces/formatting#escaping).
    """
    safe = shown(text, limit).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for mark in "*_~`":
        safe = safe.replace(mark, f"\u200b{mark}")
    return safe


def mrkdwn_url(url: str) -> str:
    """An address inside <...|...>."""
    return url.replace("&", "&amp;").replace("<", "%3C").replace(">", "%3E").replace("|", "%7C")
