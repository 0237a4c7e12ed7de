"""Who may read and write on the page: logins, sessions, links, forms of others, strangers."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from page_site import GOOD, HTML, Site


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
