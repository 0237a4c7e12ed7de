"""A small, safe XML reader: no entities of the document's own, no external ones, bounded depth."""

import re
from dataclasses import dataclass, field
from xml.parsers import expat

MAX_DEPTH = 100
MAX_NODES = 200_000
"""No feed is so deep or so large; a hostile document must not fill the memory."""

_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_BARE_AMPERSAND = re.compile(r"&(?!#\d{1,7};|#x[0-9a-fA-F]{1,6};|(?:amp|lt|gt|quot|apos);)")


class BadXml(ValueError):
    """The document is no XML, or XML that is made to harm."""


@dataclass
class Node:
    """An element: its local name in lower case, attributes by local name, text and children."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    parts: list[str] = field(default_factory=list)
    children: list["Node"] = field(default_factory=list)

    def all(self, *names: str) -> list["Node"]:
        """Return the children of these names, in order."""
        return [c for c in self.children if c.name in names]

    def text(self, *names: str) -> str:
        """Return the text of the first child of the first name that has any; "" if none has."""
        for name in names:
            for child in self.children:
                if child.name == name and (found := child.content().strip()):
                    return found
        return ""

    def content(self) -> str:
        """Return all text within, that of children included (inline XHTML)."""
        return "".join(self.parts) + "".join(" " + c.content() for c in self.children)


def parse(body: bytes) -> Node:
    """Read a document; small damage (stray `&`, control characters, bad bytes) is repaired.

    Raises
    ------
    BadXml
        If it cannot be read, declares entities, or is too deep or too large.
    """
    try:
        return _parse(body)
    except expat.ExpatError:
        text = body.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
        text = re.sub(r"^<\?xml[^>]*\?>", "", text)
        mended = _BARE_AMPERSAND.sub("&amp;", _ILLEGAL.sub("", text))
        try:
            return _parse(mended.encode())
        except expat.ExpatError as e:
            raise BadXml(f"no XML: {expat.ErrorString(e.code)}, line {e.lineno}") from e


def _parse(body: bytes) -> Node:
    root = Node("")
    stack = [root]
    count = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if len(stack) > MAX_DEPTH or count > MAX_NODES:
            raise BadXml("the document is nested too deeply or too large")
        node = Node(_local(name), {_local(k): v for k, v in attributes.items()})
        stack[-1].children.append(node)
        stack.append(node)

    def end(_: str) -> None:
        stack.pop()

    def refuse(*_: object) -> None:
        raise BadXml("the document declares entities, which feeds have no use for")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = lambda text: stack[-1].parts.append(text)
    parser.EntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse  # type: ignore[assignment]  # it never returns
    try:
        parser.Parse(body, True)
    except (UnicodeError, LookupError, ValueError) as e:
        if isinstance(e, BadXml):
            raise
        raise BadXml(f"the document's encoding cannot be read: {type(e).__name__}") from e
    return root.children[0]


def _local(name: str) -> str:
    return name.rpartition(":")[2].lower()
