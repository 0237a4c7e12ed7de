"""Users, rate limits and signed links."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from response.links import BadLink, Expired, Ticket, action_id, read, sign
from response.page.people import People
from response.page.rate import Rate
from response.secret import secret
from streams.config import parse
from streams.service import CannotStart

GOOD = "hujan di pagi hari"
SIGNING = "0123456789abcdef-test"
TICKET = Ticket("ack", "live/kirana/1", "telegram/chat", 2000, 3)


def test_a_password_is_kept_hashed_and_only_its_owner_can_read_the_file(tmp_path: Path) -> None:
    people = People(tmp_path / "users.json")
    people.put("sari", GOOD, "responder")
    assert GOOD not in people.path.read_text()
    assert stat.S_IMODE(people.path.stat().st_mode) == 0o600
    user = people.check("sari", GOOD)
    assert user is not None
    assert user.role == "responder"
    assert people.check("sari", GOOD + "x") is None
    assert people.check("nobody", GOOD) is None


def test_a_change_by_a_command_is_seen_without_a_restart(tmp_path: Path) -> None:
    page, command = People(tmp_path / "users.json"), People(tmp_path / "users.json")
    assert page.users() == {}
    command.put("sari", GOOD, "admin")
    assert page.roles() == {"sari": "admin"}
    assert command.remove("sari")
    assert page.users() == {}
    assert not command.remove("sari")


@pytest.mark.parametrize(
    ("name", "password", "role", "why"),
    [
        ("sari", "short", "viewer", "12 to 256"),
        ("sari", "x" * 257, "viewer", "12 to 256"),
        ("sari", GOOD, "boss", "unknown role"),
        ("Sari <b>", GOOD, "viewer", "login name"),
    ],
)
def test_what_will_not_do_is_refused_with_a_reason(
    tmp_path: Path, name: str, password: str, role: str, why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        People(tmp_path / "users.json").put(name, password, role)


def test_a_damaged_users_file_lets_nobody_in(tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    path.write_text("{")
    with pytest.raises(CannotStart, match=r"users\.json"):
        People(path).users()


def test_a_link_carries_its_ticket() -> None:
    assert read(SIGNING, sign(SIGNING, TICKET), "ack", now=1999) == TICKET


def test_a_link_expires() -> None:
    with pytest.raises(Expired):
        read(SIGNING, sign(SIGNING, TICKET), "ack", now=2000)


def test_a_link_of_another_key_or_purpose_is_refused() -> None:
    token = sign(SIGNING, TICKET)
    with pytest.raises(BadLink):
        read(SIGNING + "x", token, "ack", now=0)


@given(st.data())
def test_a_link_cannot_be_forged_by_changing_it(data: st.DataObject) -> None:
    token = sign(SIGNING, TICKET)
    at = data.draw(st.integers(0, len(token) - 1))
    new = data.draw(
        st.sampled_from("abcdefghijklmnopqrstuvwxyzABC0123456789-_.").filter(
            lambda c: c != token[at]
        )
    )
    forged = token[:at] + new + token[at + 1 :]
    try:
        ticket = read(SIGNING, forged, "ack", now=0)
    except BadLink:
        return
    # the unused low bits of the last base64 character may differ without another meaning
    assert ticket == TICKET
    assert at == len(token) - 1


def test_each_link_is_good_for_one_action() -> None:
    one, two = sign(SIGNING, TICKET), sign(SIGNING, Ticket("ack", "live/kirana/1", "t", 2000, 4))
    assert action_id(one) == action_id(one) != action_id(two)


def test_a_rate_allows_a_burst_then_its_pace() -> None:
    rate = Rate(burst=3, per_minute=60)
    assert [rate.take("a", now=0.0) > 0 for _ in range(4)] == [False, False, False, True]
    assert rate.take("b", now=0.0) == 0.0
    assert rate.take("a", now=1.1) == 0.0
    assert rate.take("a", now=1.1) > 0


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    rate = Rate(burst=1, per_minute=60)
    assert rate.take("a", now=100.0) == 0.0
    assert rate.take("a", now=50.0) > 0


def test_the_key_is_made_once_and_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIAGA_SECRET", raising=False)
    settings = parse(f'data_dir = "{tmp_path}/new"')
    made = secret(settings)
    assert made == secret(settings)
    assert len(made) >= 32
    assert stat.S_IMODE((tmp_path / "new" / "page-secret").stat().st_mode) == 0o600
    monkeypatch.setenv("SIAGA_SECRET", "x" * 20)
    assert secret(settings) == "x" * 20
    monkeypatch.setenv("SIAGA_SECRET", "short")
    with pytest.raises(CannotStart, match="SIAGA_SECRET"):
        secret(settings)
