"""Text from the public, made fit to be shown: escaping is the template's, this is what it leaves.

Source of the list: Unicode Technical Report 36 (bidirectional controls reorder what a reader sees)
and Unicode category Cc.
"""

import re
from urllib.parse import urlsplit

_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_HOSTILE = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{_BIDI}\ufeff\ufff9-\ufffb\ud800-\udfff]")
_SPACES = re.compile(r"\s+")


def shown(text: str, limit: int = 600) -> str:
    """Text without control, reordering and lone surrogate characters, in one line, cut.

    Parameters
    ----------
    limit
        Characters kept; longer text ends with an ellipsis.
    """
    # Cut first: five megabytes of text must not be scanned to show a line of it.
    clean = _SPACES.sub(" ", _HOSTILE.sub("", text[: limit * 4])).strip()
    return clean if len(clean) <= limit else clean[: limit - 1].rstrip() + "…"


def link(url: str) -> str:
    """The address if it is one of the web, else nothing (javascript:, data:, ...)."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return ""
    safe = parts.scheme in {"http", "https"} and parts.netloc and not _HOSTILE.search(url)
    return url.strip()[:2000] if safe else ""


def limit(expected: float | None, upper: float | None) -> float | None:
    """The limit as it is shown: never below what is expected.

    In the middle of a surge a detector's limit for the coming minute can be 0 (any mention more is
    already too many); "limit 0" beside "expected 3" would only puzzle people.
    """
    if expected is None or upper is None:
        return upper
    return max(expected, upper)
