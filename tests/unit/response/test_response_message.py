"""What a notification says."""

from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import pytest

from response.notify.message import TELEGRAM_LIMIT, Notice, telegram, webhook
from response.text import link, shown


def notice(make: SimpleNamespace, **changes: Any) -> Notice:
    incident = changes.pop("incident", make.incident())
    values: dict[str, Any] = {
        "status": "firing",
        "incident": incident,
        "title": "Kirana & Co",
        "language": "en",
        "zone": "Asia/Jakarta",
        "page": "http://127.0.0.1:8787/incident/x",
        "acknowledge": "http://127.0.0.1:8787/a/token",
    }
    return Notice(**(values | changes))


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, _: Any) -> None:
        self.seen.append(tag)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_telegram_text_holds_what_a_person_needs(make: SimpleNamespace) -> None:
    text = telegram(notice(make, oncall=("@sari",)))
    for part in ("CRISIS", "Kirana &amp; Co", "84", "6.2", "15", "09:55", "@sari", "/a/token"):
        assert part in text
    assert "Delivery 80%" in text


def test_hostile_text_stays_text_in_telegram(make: SimpleNamespace) -> None:
    tags = Tags()
    text = telegram(notice(make))
    tags.feed(text)
    assert set(tags.seen) <= {"b", "a", "blockquote"}
    assert not tags.open
    assert "\u202e" not in text


def test_telegram_text_is_never_over_the_limit_and_keeps_its_links(make: SimpleNamespace) -> None:
    incident = make.incident(
        sentences={"en": "&" * 3000}, phrases={"<" * 60 + str(n): 0.1 for n in range(9)}
    )
    names = tuple(f"@person{n}" * 20 for n in range(40))
    text = telegram(notice(make, incident=incident, oncall=names))
    assert len(text) <= TELEGRAM_LIMIT
    assert "/a/token" in text
    tags = Tags()
    tags.feed(text)
    assert not tags.open


def test_simulated_drill_and_test_are_marked(make: SimpleNamespace) -> None:
    incident = make.incident(simulated=True, run="drill-maret")
    text = telegram(notice(make, incident=incident, test=True))
    assert "[test, simulated, drill]" in text


def test_indonesian_speaks_indonesian(make: SimpleNamespace) -> None:
    text = telegram(notice(make, language="id"))
    assert "AWAS" in text
    assert "Sebutan Kirana melonjak." in text
    assert "6,2" in text


def test_without_a_sentence_observed_and_expected_are_told(make: SimpleNamespace) -> None:
    incident = make.incident(
        sentences={}, signal="negative_share", observed=0.61, expected=0.2, upper=0.4
    )
    body = webhook(notice(make, incident=incident))
    assert body["summary"] == "Kirana & Co: Negative share is 61%, expected 20%, limit 40%."


def test_webhook_names_brand_severity_and_numbers(make: SimpleNamespace) -> None:
    body = webhook(notice(make))
    assert (body["brand"], body["severity"], body["status"]) == ("kirana", "CRISIS", "firing")
    assert (body["observed"], body["expected"], body["upper"]) == (84.0, 6.2, 15.0)
    assert body["drivers"]["topics"] == {"delivery": 0.8}
    assert body["samples"][0]["url"] is None


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("javascript:alert(1)", ""),
        ("data:text/html,x", ""),
        ("https://contoh.test/a?b=c", "https://contoh.test/a?b=c"),
        ("http://[", ""),
        ("//contoh.test", ""),
        ("https://contoh.test/\u202egpj.exe", ""),
    ],
)
def test_only_web_addresses_become_links(given: str, kept: str) -> None:
    assert link(given) == kept


def test_control_and_reordering_characters_are_not_shown() -> None:
    assert shown("a\x00b\u202ec\u2066d\n\n e\ud800") == "abcd e"
    assert shown("x" * 5_000_000, 10) == "x" * 9 + "…"
