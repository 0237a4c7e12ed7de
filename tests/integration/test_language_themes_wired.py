"""A new theme in the scored log: found by the service and by `siaga themes`, and little else."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from typer.testing import CliRunner

from connectors.sources.simulated.scenario import scenario
from connectors.sources.simulated.traffic import Traffic
from streams import codec
from streams.cli import build
from streams.config import load
from streams.log.open import open_log
from streams.log.port import Entry
from streams.records import Mention, Scored, ScoredBatch
from streams.registry import REGISTRY
from streams.themes.service import serve
from streams.themes.watch import ThemeWatch
from streams.topics import SCORED, TOPICS

NOW = datetime(2026, 11, 3, 9, tzinfo=UTC)
PLANTED = (
    "Tokoraya gimana sih, kurir Wuzwuz lempar paket ke halaman",
    "kurir wuzwuz lempar paket saya, tokoraya tolong ditegur",
    "lihat cctv: kurir Wuzwuz lempar paket dari motor",
    "tetangga juga kena, kurir wuzwuz lempar paket lewat pagar",
)


def _ordinary(count: int) -> list[tuple[str, str]]:
    """Texts and authors of quiet days in the simulated source."""
    found: list[tuple[str, str]] = []
    traffic = Traffic(scenario(11, weeks=4, base_rate=3, quiet=True))
    for hour in range(traffic.hours):
        found += [(s.item.text, s.item.author) for s in traffic.hour(hour)]
        if len(found) >= count:
            break
    return found[:count]


def _scored(number: int, text: str, author: str) -> Scored:
    mention = Mention(
        id=f"s:{number}",
        source="s",
        published_at=NOW,
        collected_at=NOW,
        text=text,
        author=author,
    )
    return Scored(mention=mention, sentiment="negative", probabilities=(0.8, 0.1, 0.1))


def test_planted_theme_surfaces_within_30_among_5000_and_few_others_do() -> None:
    watch = ThemeWatch("live")
    false: set[str] = set()
    stream = _ordinary(5_000)
    for number, (text, author) in enumerate(stream):
        watch.take(ScoredBatch(f"{number}", "tokoraya", (_scored(number, text, author),)))
        false |= {t.phrase for t in watch.found.get("tokoraya", ())}
    assert not any("wuzwuz" in phrase for phrase in false)
    assert len(false) <= 12  # a fortnight's worth of texts from templates
    needed = 0
    while not any("wuzwuz" in t.phrase for t in watch.found["tokoraya"]):
        needed += 1
        assert needed <= 30
        # One planted mention in ten: the rest is life as before.
        for n, (text, author) in enumerate(stream[needed * 9 : needed * 9 + 9]):
            watch.take(ScoredBatch("o", "tokoraya", (_scored(n, text, f"{author}!"),)))
        planted = _scored(needed, PLANTED[needed % 4], f"angry{needed}")
        watch.take(ScoredBatch("p", "tokoraya", (planted,)))
    theme = next(t for t in watch.found["tokoraya"] if "wuzwuz" in t.phrase)
    assert theme.example in PLANTED


def test_service_and_command_show_the_theme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "siaga.toml").write_text('[brands.tokoraya]\nnames = ["Tokoraya"]\n')
    texts = _ordinary(600) + [(PLANTED[n % 4], f"angry{n}") for n in range(20)]
    batches = [
        ScoredBatch(
            f"b{at}",
            "tokoraya",
            tuple(_scored(at + n, *pair) for n, pair in enumerate(texts[at : at + 50])),
        )
        for at in range(0, len(texts), 50)
    ]

    async def run() -> str:
        log = open_log(load())
        await log.ensure(TOPICS)
        await log.append([Entry(SCORED, b"tokoraya", codec.encode(b)) for b in batches])
        await log.append([Entry(SCORED, b"tokoraya", b"no batch")])
        task = asyncio.create_task(serve(load(), log))
        shown = ""
        for _ in range(600):
            await asyncio.sleep(0.05)
            shown = generate_latest(REGISTRY).decode()
            if 'brand="tokoraya",rank="1"' in shown:
                break
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await log.close()
        return shown

    shown = asyncio.run(run())
    assert 'siaga_theme_authors{brand="tokoraya",rank="1"}' in shown
    assert "wuzwuz" not in shown, "a text is no label"
    told = CliRunner().invoke(build(), ["themes", "tokoraya"]).output
    assert "kurir wuzwuz" in told
    assert any(text in told for text in PLANTED)
    assert CliRunner().invoke(build(), ["themes", "nobody"]).exit_code == 2


def test_paid_and_own_words_make_no_theme() -> None:
    watch = ThemeWatch("live")
    for number, (text, author) in enumerate(_ordinary(600)):
        watch.take(ScoredBatch("o", "b", (_scored(number, text, author),)))
    spam = Scored(
        mention=_scored(0, "", "").mention,
        sentiment="neutral",
        probabilities=(0.0, 1.0, 0.0),
        flags=("giveaway",),
    )
    for n in range(60):
        paid = Mention(
            id=f"g:{n}",
            source="s",
            published_at=NOW,
            collected_at=NOW,
            text="wuzwuz bagi hadiah kulkas raksasa",
            author=f"bot{n}",
        )
        watch.take(
            ScoredBatch(
                "g",
                "b",
                (
                    Scored(
                        mention=paid,
                        sentiment=spam.sentiment,
                        probabilities=spam.probabilities,
                        flags=spam.flags,
                    ),
                ),
            )
        )
    watch.look()
    assert not any("kulkas" in t.phrase for t in watch.found["b"])
