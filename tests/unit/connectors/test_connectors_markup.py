"""Markup of posts and feeds: what people read of it, and never more work than its length."""

import time

import pytest

from connectors.sources.markup import to_text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>satu</p><p>dua<br/>tiga</p>", "satu\ndua\ntiga"),
        ("Toko &amp; <b>Raya</b><BR>telat &lt;3", "Toko & Raya\ntelat <3"),
        ("harga < 5000 <3 dan > 3000", "harga < 5000 <3 dan > 3000"),
        ('<a title="a > b" href=x>kopi</a>', "kopi"),
        ("<a title='it\"s'>kopi</a> <b x=\">dingin", "kopi dingin"),
        ("halo<!-- <p>tidak</p> --> kak", "halo kak"),
        ("halo<!-- tidak", "halo"),
        ("<style>p {}</style>a<SCRIPT>if (a<b) x='</p>'</script >b<script>c", "ab"),
        ("<![CDATA[x]]><?php y ?></ >teks", "teks"),
        ("kopi <b tidak selesai", "kopi <b tidak selesai"),
        ("&#65;&#x42;&nbsp;&bogus; &#0;&#xD800;", "AB &bogus; \ufffd\ufffd"),
    ],
)
def test_people_read_what_a_browser_shows(markup: str, text: str) -> None:
    assert to_text(markup) == text


@pytest.mark.parametrize("digits", ["1" * 5000, "0" * 5000 + "65", "9" * 9])
def test_a_number_of_thousands_of_digits_is_one_unknown_character(digits: str) -> None:
    assert to_text(f"a&#{digits};b") == "a\ufffdb"


OPENINGS = ["<a", "</a", "<a b='", "<a b=\"'", "<!--", "<!", "<?", "<![CDATA[", "<script>", "<",
            "&#", "&#1", "&am"]  # fmt: skip


def cpu_s(markup: str) -> float:
    started = time.process_time()
    to_text(markup)
    return time.process_time() - started


@pytest.mark.parametrize("opening", OPENINGS)
def test_ten_times_the_markup_is_about_ten_times_the_work(opening: str) -> None:
    whole = opening * (1_000_000 // len(opening))
    tenth_s = min(cpu_s(whole[:100_000]) for _ in range(3))
    # Quadratic work would be 100 times as much: 30 leaves room for a machine that does other work.
    assert min(cpu_s(whole) for _ in range(2)) < 30 * max(tenth_s, 0.002)
