"""`siaga incident`, `alert`, `oncall` and `user`, on the embedded log."""

import asyncio
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from response.commands import app
from response.incidents import Unknown, meant
from streams import codec
from streams.config import load, parse
from streams.log.open import open_log
from streams.log.partitioner import partition_of
from streams.records import Action
from streams.topics import ACTIONS, TOPICS


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "siaga.toml"
    path.write_text(f'data_dir = "{tmp_path}/data"\nlanguage = "en"\n[brands.kirana]\n')
    monkeypatch.setenv("COLUMNS", "200")
    return path


def run(config: Path, *words: str, text: str | None = None) -> Result:
    return CliRunner().invoke(app, [*words, "-c", str(config)], input=text)


def filled(config: Path, make: SimpleNamespace, *incidents: Any) -> None:
    async def fill() -> None:
        log = open_log(load(config))
        await log.ensure(TOPICS)
        await log.append([make.entry(i) for i in incidents])
        await log.close()

    asyncio.run(fill())


def recorded(config: Path) -> list[tuple[int, Action]]:
    async def read() -> list[tuple[int, Action]]:
        log = open_log(load(config))
        found = []
        async for chunk in log.read(ACTIONS):
            found += [(r.partition, codec.action.decode(r.value or b"")) for r in chunk]
        await log.close()
        return found

    return asyncio.run(read())


def test_a_list_shows_the_newest_state_of_each_open_incident(
    config: Path, make: SimpleNamespace
) -> None:
    over = make.incident(id="live/senja/1", brand="senja", level=0, closed_at=make.now)
    filled(config, make, make.incident(level=1), make.incident(sequence=1), over)
    answer = run(config, "incident", "list")
    assert answer.exit_code == 0
    assert answer.output.count("live/kirana/") == 1
    assert "CRISIS" in answer.output
    assert "senja" not in answer.output
    assert "live/senja/1" in run(config, "incident", "list", "--all").output
    lines = run(config, "incident", "list", "--json").output.splitlines()
    assert json.loads(lines[0])["level"] == 3


def test_show_has_evidence_and_hostile_text_stays_text(config: Path, make: SimpleNamespace) -> None:
    filled(config, make, make.incident())
    answer = run(config, "incident", "show", "kirana")
    assert answer.exit_code == 0
    for part in ("Mentions of Kirana surge.", "observed 84", "delivery 80%", "<script>"):
        assert part in answer.output
    assert "\u202e" not in answer.output


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["ack", "kirana"], "ack"),
        (["note", "kirana", "gudang dihubungi"], "note"),
        (["snooze", "kirana", "--minutes", "30"], "snooze"),
        (["false-alarm", "kirana", "--why", "klub bola"], "false_alarm"),
        (["close", "kirana"], "close"),
    ],
)
def test_an_action_is_recorded_in_the_brands_partition(
    config: Path, make: SimpleNamespace, words: list[str], kind: str
) -> None:
    filled(config, make, make.incident())
    answer = run(config, "incident", *words, "--who", "sari")
    assert answer.exit_code == 0, answer.output
    ((partition, action),) = recorded(config)
    assert (action.kind, action.who, action.via, action.brand) == (kind, "sari", "cli", "kirana")
    assert partition == partition_of(b"kirana", 12)
    if kind == "snooze":
        assert action.until is not None
        assert (action.until - action.at).total_seconds() == 1800


def test_a_replays_action_happens_on_the_replays_clock(config: Path, make: SimpleNamespace) -> None:
    filled(config, make, make.incident(id="replay/kirana/1", run="replay"))
    run(config, "incident", "ack", "kirana", "--who", "sari")
    assert recorded(config)[0][1].at == make.now


def test_who_is_meant_must_be_clear(make: SimpleNamespace) -> None:
    one, two = make.incident(id="live/kirana/1"), make.incident(id="drill/kirana/1", run="drill")
    both = {i.id: i for i in (one, two)}
    assert meant(both, "live/kirana/1") is one
    for said in ("kirana", "1"):
        with pytest.raises(Unknown, match="any of live/kirana/1, drill/kirana/1"):
            meant(both, said)
    with pytest.raises(Unknown, match="incident list --all"):
        meant(both, "senja")


def test_mistakes_are_sentences(config: Path, make: SimpleNamespace) -> None:
    filled(config, make)
    assert "No open incidents." in run(config, "incident", "list").output
    for words in (["incident", "ack", "kirana"], ["alert", "test"], ["oncall", "now"]):
        answer = run(config, *words)
        assert answer.exit_code == 1
        assert answer.output.startswith("siaga: ")
        assert "Traceback" not in answer.output


def test_alert_test_says_what_happened_to_each_target(
    config: Path, make: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from response.notify.trial import trial

    monkeypatch.setenv("SIAGA_TELEGRAM_TOKEN", "123:secret")

    async def test() -> None:
        async with make.receiving() as receiver:
            toml = receiver.toml() + '[alerts.webhooks.gone]\nurl = "http://127.0.0.1:1/"\n'
            results = await trial(make.settings(toml, config.parent))
            assert [r.line() for r in results] == [
                "webhook desk: delivered",
                "webhook gone: not delivered: no answer (ConnectError)",
                "telegram chat: delivered",
            ]
            hook = next(body for path, _, body in receiver.got if path == "/hook")
            assert hook["test"] is True
            assert hook["acknowledge"] is None

    asyncio.run(test())


def test_oncall_now_says_who_and_who_is_next(config: Path) -> None:
    config.write_text(
        config.read_text() + '[oncall.people.sari]\ntitle = "Sari W"\nphone = "+62 811"\n'
        '[oncall.people.dewi]\n[[oncall.shifts]]\nwho = ["sari"]\n'
        '[[oncall.ladder]]\nafter_minutes = 15\nwho = ["dewi"]\n'
    )
    answer = run(config, "oncall", "now")
    assert "On call: Sari W  +62 811" in answer.output
    assert "After 15 min without acknowledgement (alert): dewi" in answer.output


def test_users_are_added_listed_and_removed(config: Path) -> None:
    added = run(config, "user", "add", "sari", "--role", "admin", text="hujan di pagi hari\n")
    assert added.exit_code == 0, added.output
    assert "sari  admin" in run(config, "user", "list").output
    assert run(config, "user", "add", "budi", text="short\n").exit_code == 1
    assert run(config, "user", "remove", "sari").exit_code == 0
    assert run(config, "user", "remove", "sari").exit_code == 1


@pytest.mark.parametrize(
    "words",
    [
        *(
            ["incident", w]
            for w in ("list", "show", "ack", "note", "snooze", "false-alarm", "close")
        ),
        ["alert", "test"],
        ["alerts"],
        ["page"],
        ["oncall", "now"],
        *(["user", w] for w in ("add", "list", "remove")),
    ],
)
def test_every_commands_help_has_an_example(words: list[str]) -> None:
    answer = CliRunner().invoke(app, [*words, "--help"])
    assert f"Example: siaga {' '.join(words)}" in " ".join(answer.output.split())


def test_the_configurations_in_the_on_call_guide_are_valid() -> None:
    guide = Path(__file__).parents[3] / "docs" / "oncall.md"
    blocks = re.findall(r"```toml\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 2
    for block in blocks:
        parse(block)
