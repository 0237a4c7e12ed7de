"""Emerging themes and suggestions."""

import random

from detectors.language.suggest import suggest
from detectors.language.themes import Themes, ThemesConfig
from detectors.language.understanding import Language


def _words(text: str) -> list[str]:
    return text.split()


THINGS = _words(
    "sepatu tas baju jaket ponsel laptop meja kursi lampu panci buku jam topi kipas rak"
)
FEELS = _words("bagus jelek mahal murah cepat lambat rapi rusak oke mantap kecewa puas pecah wangi")
DOES = _words("beli pesan coba pakai terima kirim tukar simpan cari lihat bayar bawa")
FILLS = _words(
    "kemarin tadi besok malam pagi akhirnya ternyata katanya memang teman ibu adik kantor"
)
PLANTED = (
    "kurir X lempar paket ke halaman rumah",
    "parah, kurir x lempar paket saya",
    "lihat sendiri kurir x lempar paket orang",
    "paket tetangga juga, kurir X lempar paket seenaknya",
)


def _others(count: int, seed: int = 7) -> list[str]:
    rng = random.Random(seed)
    return [
        " ".join(
            rng.choice(words)
            for words in rng.sample((THINGS, FEELS, DOES, FILLS, THINGS, FILLS, FEELS), 7)
        )
        for _ in range(count)
    ]


def _surfaces(theme: Themes, every: int) -> int:
    """Planted mentions needed until the theme is reported; 0 for never."""
    planted = 0
    for number, text in enumerate(_others(30 * every, seed=8)):
        theme.observe(text, f"later{number}")
        if number % every == 0:
            planted += 1
            theme.observe(PLANTED[planted % len(PLANTED)], f"angry{planted}")
            if any("lempar" in t.phrase for t in theme.emerging()):
                return planted
    return 0


def test_new_theme_surfaces_within_thirty_mentions_among_five_thousand() -> None:
    theme = Themes()
    for number, text in enumerate(_others(3_000)):
        theme.observe(text, f"user{number}")
    assert theme.emerging() == []
    assert 0 < _surfaces(theme, every=66) <= 30


def test_theme_carries_its_first_example_and_its_authors() -> None:
    theme = Themes()
    for number, text in enumerate(_others(1_000)):
        theme.observe(text, f"user{number}")
    assert _surfaces(theme, every=5)
    best = next(t for t in theme.emerging() if "lempar" in t.phrase)
    assert "lempar paket" in best.example.lower()
    assert best.authors >= 5
    assert best.surprise >= 8


def test_one_loud_person_is_no_theme() -> None:
    theme = Themes()
    for number, text in enumerate(_others(1_000)):
        theme.observe(text, f"user{number}")
    for number in range(60):
        theme.observe(PLANTED[number % 4], "same person")
    assert theme.emerging() == []


def test_what_was_always_said_is_no_theme() -> None:
    theme = Themes()
    for number, text in enumerate(_others(4_000)):
        theme.observe(text, f"user{number}")
        if number % 40 == 0:
            theme.observe("paket belum sampai rumah", f"old{number}")
    assert theme.emerging() == []


def test_nothing_is_new_before_there_is_a_history() -> None:
    theme = Themes(ThemesConfig())
    for number in range(100):
        theme.observe(PLANTED[number % 4], f"user{number}")
    assert theme.emerging() == []


def test_memory_is_bounded() -> None:
    theme = Themes(ThemesConfig(phrases_most=500))
    rng = random.Random(3)
    for number in range(6_000):
        theme.observe(" ".join(f"kata{rng.randrange(60)}" for _ in range(12)), f"user{number}")
    assert len(theme._phrases) <= 500
    assert len(theme.snapshot()) < 300_000


def test_suggestions_are_uncertain_frequent_and_unlike_each_other() -> None:
    model = Language()
    sure = [(f"s{i}", f"mantap bagus banget puas {i}") for i in range(20)]
    copies = [(f"c{i}", "hmm blorbo kwarntz ya") for i in range(10)]
    rare = [("r1", "zxcvbn poiuyt hmm")]
    chosen = suggest(model, [*sure, *copies, *rare], 3)
    assert chosen[0].id == "c0"
    assert chosen[0].copies == 10
    assert [s.id for s in chosen].count("r1") == 1
    assert len({s.text for s in chosen}) == 3
    assert suggest(model, [], 5) == []
