"""Every text that people read is there in Indonesian."""

import re
from pathlib import Path

import pytest

import response
from response.notify.message import LEVELS, SIGNALS
from response.words import catalog, chosen, say

HERE = Path(response.__file__).parent
CALLS = {
    ".html": (r'\b_\("((?:[^"\\]|\\.)*)"', r"\b_\('([^']*)'\)"),
    ".js": (r'\bw\("((?:[^"\\]|\\.)*)"',),
    ".py": (
        r'(?:refusal\(\s*"[a-z]+",\s*\d+,|HTTPException\(\s*\d+,)\s*"((?:[^"\\]|\\.)*)"',
        r'\bsay\(\s*[\w.]+,\s*"((?:[^"\\]|\\.)*)"',
    ),
}


def texts() -> set[str]:
    found = set(LEVELS) | set(SIGNALS.values()) | {"negative", "neutral", "positive"}
    for path in HERE.rglob("*"):
        for pattern in CALLS.get(path.suffix, ()):
            found.update(re.findall(pattern, path.read_text(encoding="utf-8")))
    return found


def test_the_search_finds_the_texts() -> None:
    assert {"Acknowledge", "Please log in.", "STALE: nothing", "warming up"} <= {
        *texts(),
        *(t[:14] for t in texts()),
    }


@pytest.mark.parametrize("text", sorted(texts()))
def test_every_text_has_its_indonesian_with_the_same_placeholders(text: str) -> None:
    held = getattr(catalog("id"), "_catalog", {})
    assert text in held, f'add "{text}" to response/locale/id.po'
    holes = r"\{\w+\}|%\(\w+\)s"
    assert sorted(re.findall(holes, held[text])) == sorted(re.findall(holes, text))


def test_english_is_the_codes_own_and_an_unknown_language_is_the_configured_one() -> None:
    assert say("en", "{n} days", n=3) == "3 days"
    assert say("id", "{n} days", n=3) == "3 hari"
    assert chosen("fr", "id") == "id"
    assert chosen("en", "id") == "en"
