"""Writes YAML, in the small part of it that our values need: block style, strings as in JSON."""

import json
from collections.abc import Mapping, Sequence
from typing import Any


def dump(value: Any) -> str:
    r"""A value of dicts, lists, strings, numbers, booleans and None as a YAML document.

    >>> print(dump({"groups": [{"name": "a: b", "rules": []}], "n": 1}), end="")
    groups:
      - name: "a: b"
        rules: []
    n: 1
    """
    return "\n".join(_lines(value)) + "\n"


def _lines(value: Any) -> list[str]:
    if isinstance(value, Mapping) and value:
        return [line for key, inner in value.items() for line in _entry(f"{key}:", inner)]
    if _is_list(value) and value:
        return [line for inner in value for line in _item(inner)]
    # JSON's scalars and empty collections are YAML's
    return [json.dumps(value, ensure_ascii=False)]


def _entry(key: str, value: Any) -> list[str]:
    lines = _lines(value)
    if (isinstance(value, Mapping) or _is_list(value)) and value:
        return [key, *(f"  {line}" for line in lines)]
    return [f"{key} {lines[0]}"]


def _item(value: Any) -> list[str]:
    first, *rest = _lines(value)
    return [f"- {first}", *(f"  {line}" for line in rest)]


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
