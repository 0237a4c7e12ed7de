"""The page's routes and each of their refusals."""

import asyncio
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from response.links import Ticket, sign
from response.page.app import build
from response.page.guard import Guard
from response.page.headers import HEADERS
from response.page.people import People
from response.page.view import View
from response.page.web import Page
from response.settings import PageSettings
from streams import codec
from streams.log.port import Unavailable
from streams.records import Action, ScoredBatch
from streams.topics import ACTIONS, TOPICS

SIGNING = "0123456789abcdef-test"
TV_WORD = "tv-secret"
GOOD = "hujan di pagi hari"
HTML = {"accept": "text/html"}


class Browser:
    """Sends requests to the application, keeps cookies, follows no redirect."""

    def __init__(self, app: Any, host: str, address: str) -> None:
        self.app, self.base, self.address = app, f"http://{host}", address
        self.cookies = httpx.Cookies()

    def get(self, path: str, **options: Any) -> httpx.Response:
        return asyncio.run(self._send("GET", path, options))

    def post(self, path: str, **options: Any) -> httpx.Response:
        return asyncio.run(self._send("POST", path, options))

    async def _send(self, method: str, path: str, options: dict[str, Any]) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, client=(self.address, 5000))
        async with httpx.AsyncClient(
            transport=transport, base_url=self.base, cookies=self.cookies
        ) as client:
            answer = await client.request(method, path, **options)
            self.cookies = client.cookies
        return answer


class Site:
    """A page over a view that the test fills, with a browser."""

    def __init__(self, make: SimpleNamespace, data: Path, toml: str = "") -> None:
        self.settings = make.settings(toml, data)
        self.now = make.now.timestamp() + 60
        self.log, self.view = make.log(), View()
        self.people = People(data / "users.json")
        section = self.settings.section(PageSettings)
        guard = Guard(section, self.people, SIGNING, tv_token=TV_WORD, clock=lambda: self.now)
        self.page = Page(self.settings, self.view, self.log, guard, lambda: self.now)
        self.app = build(self.page)
        self.incident = make.incident()
        self.view.incident(self.incident, self.now)
        self.view.minute(make.minute(0), self.now)
        self.view.scored(
            ScoredBatch("x", "kirana", (make.scored("f:1", "<img src=x onerror=alert(1)>"),)),
            self.now,
        )
        self.path = f"/incident/{self.incident.id}"

    def browser(self, host: str = "127.0.0.1:8787", address: str = "127.0.0.1") -> Browser:
        return Browser(self.app, host, address)

    def logged_in(self, role: str = "responder", name: str = "sari") -> Browser:
        self.people.put(name, GOOD, role)
        browser = self.browser()
        answer = browser.post("/login", data={"name": name, "password": GOOD})
        assert answer.status_code == 303
        return browser

    def csrf(self, browser: Browser) -> str:
        found = re.search(r'name="csrf" value="([0-9a-f]{64})"', browser.get(self.path).text)
        assert found
        return found[1]

    def token(self, **changes: Any) -> str:
        values: dict[str, Any] = {
            "purpose": "ack",
            "incident": self.incident.id,
            "target": "telegram/chat",
            "expires": int(self.now) + 3600,
        }
        return sign(SIGNING, Ticket(**(values | changes)))

    def recorded(self) -> list[Action]:
        parts = [kept for (topic, _), kept in self.log.partitions.items() if topic == ACTIONS]
        return [codec.action.decode(r.value or b"") for kept in parts for r in kept]


@pytest.fixture
def site(make: SimpleNamespace, tmp_path: Path) -> Site:
    return Site(make, tmp_path)


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


def test_reading_is_open_on_this_machine_until_there_are_users(site: Site) -> None:
    assert site.browser().get("/").status_code == 200
    site.people.put("sari", GOOD, "viewer")
    for path in ("/", "/wall", "/events", site.path):
        assert site.browser().get(path).status_code == 401
    assert "Log in" in site.browser().get("/", headers=HTML).text
    assert site.logged_in("viewer").get("/").status_code == 200


def test_a_foreign_host_name_is_refused_while_the_page_is_open(site: Site) -> None:
    for path in ("/", "/events", site.path):
        assert site.browser("evil.test").get(path).status_code == 421
    assert site.browser("localhost:8787").get("/").status_code == 200
    assert site.browser("[::1]:8787").get("/").status_code == 200


def test_off_this_machine_nothing_is_open(make: SimpleNamespace, tmp_path: Path) -> None:
    site = Site(make, tmp_path, '[page]\nhost = "0.0.0.0"')
    assert site.browser("siaga.test").get("/").status_code == 401


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


def test_writing_needs_a_login_a_role_and_this_sessions_form(site: Site) -> None:
    assert site.browser().post(site.path, data={"kind": "ack"}).status_code == 401
    viewer = site.logged_in("viewer", "tamu")
    assert viewer.post(site.path, data={"kind": "ack"}).status_code == 403
    browser, other = site.logged_in(), site.logged_in(name="budi")
    for csrf in ("", "0" * 64, site.csrf(other)):
        answer = browser.post(site.path, data={"kind": "ack", "csrf": csrf})
        assert answer.status_code == 403
    assert site.recorded() == []


@pytest.mark.parametrize(
    "headers",
    [{"origin": "http://evil.test"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}],
)
def test_another_sites_form_is_refused_everywhere(site: Site, headers: dict[str, str]) -> None:
    browser = site.logged_in()
    fields = {"kind": "ack", "csrf": site.csrf(browser), "who": "x"}
    assert browser.post(site.path, data=fields, headers=headers).status_code == 403
    assert browser.post(f"/a/{site.token()}", data=fields, headers=headers).status_code == 403
    login = {"name": "sari", "password": GOOD}
    assert site.browser().post("/login", data=login, headers=headers).status_code == 403
    assert site.recorded() == []


def test_a_form_too_long_or_of_another_kind_is_refused(site: Site) -> None:
    browser = site.logged_in()
    fields = {"kind": "note", "text": "x" * 20_000, "csrf": "0" * 64}
    assert browser.post(site.path, data=fields).status_code == 413
    assert browser.post(site.path, json={"kind": "ack"}).status_code == 415
    many = "&".join(f"a{n}=1" for n in range(100))
    urlencoded = {"content-type": "application/x-www-form-urlencoded"}
    assert browser.post(site.path, content=many, headers=urlencoded).status_code == 400


def test_a_wrong_password_is_refused_and_guessing_is_slow(site: Site) -> None:
    site.people.put("sari", GOOD, "admin")
    browser = site.browser()
    wrong = {"name": "sari", "password": "salah besar sekali"}
    answers = [browser.post("/login", data=wrong) for _ in range(7)]
    assert [a.status_code for a in answers] == [401] * 5 + [429] * 2
    assert int(answers[-1].headers["retry-after"]) > 0
    # also from elsewhere, and with the right password
    right = {"name": "sari", "password": GOOD}
    assert browser.post("/login", data=right).status_code == 429
    site.now += 60
    assert browser.post("/login", data=right).status_code == 303


@pytest.mark.parametrize("then", ["//evil.test", "https://evil.test", "/\\evil.test", "evil"])
def test_a_login_leads_to_our_own_pages_only(site: Site, then: str) -> None:
    site.people.put("sari", GOOD, "admin")
    answer = site.browser().post("/login", data={"name": "sari", "password": GOOD, "then": then})
    assert answer.headers["location"] == "/"


def test_sessions_end_by_time_logout_password_change_and_removal(site: Site) -> None:
    browser = site.logged_in()
    cookie = browser.cookies["siaga_session"]
    assert browser.get("/").status_code == 200
    browser.post("/logout", data={"csrf": site.csrf(browser)})
    assert "siaga_session" not in browser.cookies
    browser.cookies.set("siaga_session", cookie)
    assert browser.get("/").status_code == 200
    site.people.put("sari", GOOD + "!", "responder")
    assert browser.get("/").status_code == 401
    again = site.logged_in(name="budi")
    site.people.remove("budi")
    assert again.get("/").status_code == 401


def test_a_forged_session_is_nobody(site: Site) -> None:
    browser = site.logged_in()
    cookie = browser.cookies["siaga_session"]
    browser.cookies.clear()
    browser.cookies.set("siaga_session", cookie[:-4] + "AAAA")
    assert browser.get("/").status_code == 401


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(
    make: SimpleNamespace, tmp_path: Path
) -> None:
    site = Site(make, tmp_path, '[page]\nurl = "https://siaga.contoh.test"')
    site.people.put("sari", GOOD, "admin")
    answer = site.browser().post("/login", data={"name": "sari", "password": GOOD})
    flags = answer.headers["set-cookie"].lower()
    for flag in ("httponly", "samesite=lax", "secure"):
        assert flag in flags


def test_a_proxys_header_is_believed_from_the_proxy_only(
    make: SimpleNamespace, tmp_path: Path
) -> None:
    toml = '[page]\nproxy_header = "X-Forwarded-User"\nproxy_addresses = ["10.0.0.9"]'
    site = Site(make, tmp_path, toml)
    site.people.put("sari", GOOD, "responder")
    headers = {"x-forwarded-user": "sari"}
    assert site.browser().get("/", headers=headers).status_code == 401
    behind = site.browser(address="10.0.0.9")
    assert behind.get("/", headers=headers).status_code == 200
    assert behind.get("/", headers={"x-forwarded-user": "nobody"}).status_code == 401


def test_a_tv_reads_the_wall_and_nothing_else(site: Site) -> None:
    site.people.put("sari", GOOD, "admin")
    tv = site.browser()
    assert tv.get("/wall?token=wrong").status_code == 401
    answer = tv.get("/wall?token=tv-secret")
    assert (answer.status_code, answer.headers["location"]) == (303, "/wall")
    assert tv.get("/wall").status_code == 200
    for path in ("/", site.path):
        assert tv.get(path).status_code == 401
    assert tv.post(site.path, data={"kind": "ack"}).status_code == 401


def test_a_link_shows_on_get_and_acknowledges_on_post_once(site: Site) -> None:
    site.people.put("sari", GOOD, "admin")
    browser, path = site.browser(), f"/a/{site.token()}"
    for _ in range(3):
        assert browser.get(path, headers=HTML).status_code == 200
    assert site.recorded() == [], "a preview acknowledges nothing"
    assert browser.post(path, data={"who": " "}).status_code == 400
    assert browser.post(path, data={"who": "Budi"}, headers=HTML).status_code == 303
    assert browser.post(path, data={"who": "Lain"}).status_code == 410
    (done,) = site.recorded()
    assert (done.kind, done.who, done.via) == ("ack", "Budi", "link/telegram/chat")
    assert "Budi is on it" in browser.get(path, headers=HTML).text


def test_a_link_used_before_a_restart_stays_used(make: SimpleNamespace, tmp_path: Path) -> None:
    before = Site(make, tmp_path)
    token = before.token()
    assert before.browser().post(f"/a/{token}", data={"who": "Budi"}).status_code == 200
    after = Site(make, tmp_path)
    for action in before.recorded():
        after.view.action(action, after.now)
    assert after.browser().post(f"/a/{token}", data={"who": "Lain"}).status_code == 410


def test_an_expired_or_forged_link_is_refused(site: Site) -> None:
    browser = site.browser()
    for token in (site.token(expires=int(site.now)), site.token()[:-3] + "AAA", "x", "a.b"):
        assert browser.get(f"/a/{token}").status_code == 410
        assert browser.post(f"/a/{token}", data={"who": "x"}).status_code == 410
    assert site.recorded() == []


def test_a_link_of_another_purpose_and_a_session_are_no_acknowledge_link(site: Site) -> None:
    browser = site.logged_in()
    session = browser.cookies["siaga_session"]
    for token in (site.token(purpose="show"), session):
        assert browser.get(f"/a/{token}").status_code == 410
        assert browser.post(f"/a/{token}", data={"who": "x"}).status_code == 410
    assert site.recorded() == []


def test_a_link_is_for_its_own_incident_only(site: Site) -> None:
    token = site.token(incident="live/other/1")
    assert site.browser().post(f"/a/{token}", data={"who": "x"}).status_code == 404


def test_guessing_links_is_slow(site: Site) -> None:
    browser = site.browser()
    answers = [browser.get(f"/a/x{n}").status_code for n in range(40)]
    assert answers[0] == 410
    assert answers[-1] == 429


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


def _writing(site: Site) -> list[str]:
    return [
        route.path
        for route in site.app.routes
        if not {"GET", "HEAD"} >= (getattr(route, "methods", None) or {"GET"})
    ]


def test_every_writing_address_is_known_here(site: Site) -> None:
    # A new one belongs into this list and needs its refusals tested
    assert sorted(_writing(site)) == [
        "/a/{token}",
        "/chat/slack",
        "/chat/telegram",
        "/incident/{incident:path}",
        "/login",
        "/logout",
        "/relay/{name}",
    ]


@pytest.mark.parametrize("variables", [False, True])
def test_no_writing_address_does_anything_for_a_stranger(
    site: Site, monkeypatch: pytest.MonkeyPatch, variables: bool
) -> None:
    names = ("SIAGA_RELAY_TOKEN", "SIAGA_SLACK_SIGNING_SECRET", "SIAGA_TELEGRAM_SECRET")
    for name in names:
        if variables:
            monkeypatch.setenv(name, "set-and-secret-0123")
        else:
            monkeypatch.delenv(name, raising=False)
    site.people.put("sari", GOOD, "responder")
    form = {"kind": "close", "who": "x", "name": "sari", "password": "wrong", "text": "x"}
    for path in _writing(site):
        path = path.replace("{token}", "forged").replace("{name}", "comms")
        path = path.replace("{incident:path}", site.incident.id)
        for body in ({"data": form}, {"json": form}, {"content": b""}):
            answer = site.browser().post(path, **body)
            assert 400 <= answer.status_code < 500, (path, answer.status_code)
            assert "set-cookie" not in answer.headers
    assert site.recorded() == []


def test_after_a_wrong_password_the_form_keeps_name_and_way(site: Site) -> None:
    site.people.put("sari", GOOD, "responder")
    browser = site.browser()
    form = {"name": "sari", "password": "salah salah salah", "then": site.path}
    again = browser.post("/login", data=form, headers=HTML)
    assert again.status_code == 401
    assert "Name or password is wrong." in again.text
    assert f'name="then" value="{site.path}"' in again.text
    assert 'value="sari"' in again.text
    right = browser.post("/login", data=form | {"password": GOOD}, headers=HTML)
    assert right.headers["location"] == site.path
