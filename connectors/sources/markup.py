r"""HTML of posts and feeds to the text that people read, in one pass over it.

The tokens are those of https://html.spec.whatwg.org/multipage/parsing.html#tokenization, as far as
they tell text from what is none. The standard library's parser starts over at each `<` of a tag
that never ends (until Python 3.11.14), so that 1 MB of `<a<a<a...` would take it half an hour.
"""

import html
import re
from collections.abc import Iterator

LINES = frozenset(
    {"p", "div", "br", "li", "ul", "ol", "blockquote", "pre", "h1", "h2", "h3", "h4", "tr", "table"}
)
"""Elements that begin or end a line."""

SILENT = frozenset({"script", "style", "template"})
"""Elements whose content nobody reads."""

_NAME = re.compile(r"</?([a-zA-Z][^\s/>]*)")
_STOP = re.compile("[>\"']")
_LONG_NUMBER = re.compile(r"&#[0-9]{9,};?")


def to_text(markup: str) -> str:
    r"""Return the text without tags: paragraphs and breaks are lines, entities are characters.

    >>> to_text('<p>Halo <a href="#">#<span>kopi</span></a></p><p>dua<br>tiga &lt;3</p>')
    'Halo #kopi\ndua\ntiga <3'
    """
    # No character's number is that long, and one of thousands of digits is an error of int().
    text = html.unescape(_LONG_NUMBER.sub("\ufffd", "".join(_texts(markup))))
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def _texts(markup: str) -> Iterator[str]:
    """Yield the texts between tags; what looks like a tag and never ends is text as well."""
    at, text_from = 0, 0
    while (start := markup.find("<", at)) >= 0:
        if markup.startswith("<!--", start):
            close = markup.find("-->", start + 4)
            end, element = close + 3 if close >= 0 else len(markup), ""
        elif (named := _NAME.match(markup, start)) is not None:
            if not (end := _tag_end(markup, named.end())):
                break
            element = named[1].lower()
        elif markup.startswith(("<!", "<?", "</"), start):
            if not (end := markup.find(">", start) + 1):
                break
            element = ""
        else:
            at = start + 1
            continue
        yield markup[text_from:start]
        if element in LINES:
            yield "\n"
        elif element in SILENT and markup[start + 1] != "/":
            closing = re.compile(f"</{element}", re.IGNORECASE).search(markup, end)
            end = closing.start() if closing else len(markup)
        at = text_from = end
    yield markup[text_from:]


def _tag_end(markup: str, at: int) -> int:
    """Return where the tag ends, `>` within quotes left aside; 0 if it does not."""
    while (stop := _STOP.search(markup, at)) is not None:
        at = stop.end()
        if stop[0] == ">":
            return at
        # A quote that is not closed is none; after it there is none of its kind to search for.
        at = markup.find(stop[0], at) + 1 or at
    return 0
