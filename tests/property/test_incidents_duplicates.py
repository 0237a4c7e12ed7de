"""Near-duplicates are found by an index; they are those that comparing every pair finds."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from detectors.incidents.bucket import Kept
from detectors.incidents.duplicates import _similar, _words, clusters
from detectors.incidents.observation import Observation

WORDS = ("paket", "belum", "sampai", "kecewa", "kurir", "admin", "refund", "lama", "sekali")


@st.composite
def samples(draw: st.DrawFn) -> list[Kept]:
    """Texts of few words, so that many of them are alike."""
    texts = draw(st.lists(st.lists(st.sampled_from(WORDS), max_size=9), max_size=25))
    return [
        Kept(
            1.0 + n % 2,
            Observation(
                id=f"forum:{n}",
                at_s=float(n % 7),
                source="forum",
                author="a",
                text=" ".join(words),
                sentiment="negative",
                negative=0.9,
            ),
        )
        for n, words in enumerate(texts)
    ]


def by_every_pair(sample: Sequence[Kept]) -> list[list[str]]:
    groups: list[tuple[frozenset[str], list[str]]] = []
    for kept in sorted(sample, key=lambda k: (k.mention.at_s, k.mention.id)):
        words = _words(kept.mention.text)
        for leader, members in groups:
            if _similar(leader, words):
                members.append(kept.mention.id)
                break
        else:
            groups.append((words, [kept.mention.id]))
    return sorted(members for _, members in groups)


@given(samples())
def test_an_index_finds_what_comparing_every_pair_finds(sample: list[Kept]) -> None:
    found = clusters(sample)
    assert sorted([k.mention.id for k in c.members] for c in found) == by_every_pair(sample)
