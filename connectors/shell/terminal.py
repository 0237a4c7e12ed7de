"""The terminal's odds and ends: spans of time, and foreign text made harmless."""

import re

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def harmless(text: str, width: int = 0) -> str:
    """Return foreign text without control characters, which could drive a terminal, cut to fit.

    >>> harmless("a\\x1b[31mb", 4)
    'a[3…'
    """
    flat = _CONTROL.sub("", text.replace("\n", " ").replace("\t", " "))
    return flat if not width or len(flat) <= width else flat[: width - 1] + "…"


def ago(seconds: float) -> str:
    """Return a span of time for people.

    >>> ago(42), ago(150), ago(7300), ago(260_000)
    ('42 s', '2 min', '2 h', '3 d')
    """
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds // unit:.0f} {name}"
    return f"{seconds // 86_400:.0f} d"
