"""What the page shows and takes down, and each of its refusals of nonsense."""

import asyncio
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from page_site import HTML, Site

from response.page.headers import HEADERS
from streams.log.port import Unavailable
from streams.topics import ACTIONS, TOPICS


@pytest.mark.parametrize("path", ["/", "/wall", "/incident/live/kirana/1772420400", "/login"])
@pytest.mark.parametrize("lang", ["id", "en"])
def test_pages_show_and_carry_the_security_headers(site: Site, path: str, lang: str) -> None:
    answer = site.browser().get(path, params={"lang": lang}, headers=HTML)
    assert answer.status_code == 200
    assert f'<html lang="{lang}">' in answer.text
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/", "/wall", "/incident/live/kirana/1772420400"])
def test_hostile_text_stays_text_and_nothing_comes_from_elsewhere(site: Site, path: str) -> None:
    html = site.browser().get(path, headers=HTML).text
    assert "<img src=x" not in html
    assert "<script>alert" not in html
    # no inline script, style or handler, no other host
    assert not re.search(r"<script(?![^>]*(?:src=\"/static/|application/json))", html)
    assert not re.search(r"<[a-z][^>]*\s(?:style|on[a-z]+)=|<style", html)
    assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", html)


def test_static_files_ask_no_other_host_and_parse_no_html(site: Site) -> None:
    import response

    for path in (Path(response.__file__).parent / "page" / "static").iterdir():
        text = path.read_text()
        assert site.browser().get(f"/static/{path.name}").status_code == 200
        hosts = set(re.findall(r"https?://[^\s\"'`]+", text)) - {"http://www.w3.org/2000/svg"}
        assert not hosts, path
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)


def test_events_bring_the_state_and_end_when_the_page_closes(site: Site) -> None:
    site.page.closing.set()
    answer = site.browser().get("/events?brand=kirana&minutes=60")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert '"observed":[4.0]' in answer.text
    assert site.page.visitors == 0


def test_a_wrong_number_and_an_unknown_incident_are_sentences(site: Site) -> None:
    assert site.browser().get("/?minutes=x").status_code == 400
    answer = site.browser().get("/incident/live/no/1", headers=HTML | {"accept-language": "id"})
    assert answer.status_code == 404
    assert "No such incident" in answer.text


def test_how_organic_it_looks_stands_beside_the_level(site: Site, make: SimpleNamespace) -> None:
    flags = ("young_accounts", "blind:forum", "of_tomorrow")
    site.view.incident(make.incident(flags=flags, sequence=1), site.now)
    answer = site.browser().get(f"{site.path}?lang=id")
    assert "akun baru" in answer.text
    assert re.search(r"sumber diam: <bdi>forum</bdi>", answer.text)
    assert "of_tomorrow" in answer.text


def test_a_responder_acts_and_it_is_recorded_with_who_and_when(site: Site) -> None:
    browser = site.logged_in()
    csrf = site.csrf(browser)
    kinds = [
        ({"kind": "ack"}, None),
        ({"kind": "note", "text": "gudang dihubungi"}, None),
        ({"kind": "snooze", "minutes": "30"}, 1800.0),
        ({"kind": "false_alarm", "text": "klub bola"}, None),
    ]
    for fields, _ in kinds:
        answer = browser.post(site.path, data=fields | {"csrf": csrf})
        assert answer.status_code == 303
    done = site.recorded()
    assert [a.kind for a in done] == ["ack", "note", "snooze", "false_alarm"]
    assert {(a.who, a.via, a.at.timestamp()) for a in done} == {("sari", "page", site.now)}
    assert done[2].until is not None
    assert done[2].until.timestamp() == site.now + 1800
    assert "sari is on it" in browser.get(site.path).text


def test_a_person_who_acts_without_end_is_slowed(site: Site) -> None:
    browser = site.logged_in()
    fields = {"kind": "note", "text": "x", "csrf": site.csrf(browser)}
    answers = [browser.post(site.path, data=fields).status_code for _ in range(32)]
    assert answers == [303] * 30 + [429] * 2
    assert len(site.recorded()) == 30
    site.now += 60
    assert browser.post(site.path, data=fields).status_code == 303


def test_actions_go_to_the_partition_of_the_brand(site: Site) -> None:
    from streams.log.partitioner import partition_of

    asyncio.run(site.log.ensure(TOPICS))
    browser = site.logged_in()
    browser.post(site.path, data={"kind": "ack", "csrf": site.csrf(browser)})
    filled = [p for (topic, p), kept in site.log.partitions.items() if topic == ACTIONS and kept]
    assert filled == [partition_of(b"kirana", 4)]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"kind": "delete"}, 400),
        ({"kind": "note", "text": "  "}, 400),
        ({"kind": "snooze"}, 400),
        ({"kind": "snooze", "minutes": "0"}, 400),
        ({"kind": "snooze", "minutes": "99999999999999999999"}, 400),
    ],
)
def test_nonsense_is_refused(site: Site, fields: dict[str, str], status: int) -> None:
    browser = site.logged_in()
    answer = browser.post(site.path, data=fields | {"csrf": site.csrf(browser)})
    assert answer.status_code == status
    assert site.recorded() == []


def test_a_form_too_long_or_of_another_kind_is_refused(site: Site) -> None:
    browser = site.logged_in()
    fields = {"kind": "note", "text": "x" * 20_000, "csrf": "0" * 64}
    assert browser.post(site.path, data=fields).status_code == 413
    assert browser.post(site.path, json={"kind": "ack"}).status_code == 415
    many = "&".join(f"a{n}=1" for n in range(100))
    urlencoded = {"content-type": "application/x-www-form-urlencoded"}
    assert browser.post(site.path, content=many, headers=urlencoded).status_code == 400


def test_when_the_log_is_away_nothing_is_said_to_be_recorded(site: Site) -> None:
    async def away(_: object) -> None:
        raise Unavailable("broker away")

    site.log.append = away
    answer = site.browser().post(f"/a/{site.token()}", data={"who": "Budi"})
    assert answer.status_code == 503
    assert not site.view.used


def test_health_says_how_long_the_stream_is_silent(site: Site) -> None:
    site.now += 90
    assert site.browser().get("/healthz").json() == {"ok": True, "silent_s": 90.0}
