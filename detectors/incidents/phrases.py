"""Which words carry a surge: phrases that are frequent now and were not before."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

import msgspec

from detectors.incidents.bucket import Kept
from detectors.language.tokens import split

MAX_WORDS = 240
"""Words whose usual frequency is kept."""
MEMORY_TEXTS = 600.0
"""The background forgets over about so many texts."""
SKETCH_TEXTS = 150.0
"""From here on one text in `LEARN_EVERY` is read: a fair sample is as good, and looks further back.
Taking a text apart is dear: it was a seventh of the cost of a quiet minute."""
LEARN_EVERY = 4
LEAST_LETTERS = 3
PAIR_BONUS = 1.6
"""A pair of words says more than one of them, unless it covers far fewer mentions."""
MAX_PHRASES = 5
LEAST_SHARE = 0.05

STOPWORDS = frozenset(
    """
    ada adalah agar akan aku anda apa apakah atau bagi bahkan bahwa baru banget bgt bisa boleh buat
    bukan cuma dalam dan dari dengan dg dgn di dia dong dulu ga gak gk gue gua hanya hari harus
    hingga ini itu jadi jangan juga jg kah kak kalau kalo kami kamu kan karena karna kata ke kenapa
    kepada ketika kita klo knp kok kpd krn lagi lah lain lalu lebih lg loh lu malah mana mas masa
    masih mau mba mbak melalui memang mereka min mohon msh nah namun nanti ngga nggak nih nya oleh
    orang pada padahal para pas pasti per pernah pun punya saat saja saya sama sampai sangat satu
    sdh sebagai sebelum sedang sehingga sejak sekali semua seperti serta setelah si sih sy
    sudah supaya tadi tak tanpa tapi telah tentang terus terhadap the tidak tolong tp trus tuh udah
    udh untuk utk wkwk ya yaa yah yang yg
    about after again all also always and any are around been before being but can cant could
    did didnt does doesnt doing dont down even ever every for from get gets getting going got had
    has have having her here him his how its just let like made make many more most much
    never not now off once one only other our out over own please really same say she
    should some still such than thank thanks that their them then there these they thing this those
    through today too under until upon use very via want was well were what when where which while
    who why will with would yes yet you your youre ive im isnt wasnt wont amp
    """.split()  # noqa: SIM905 # a list of words is read as text
)


class Background(msgspec.Struct, array_like=True):
    """How often words usually occur in this brand's mentions. Mutable, constant memory."""

    texts: float = 0.0
    words: dict[str, float] = msgspec.field(default_factory=dict)
    seen: int = 0

    def learn(self, sample: Iterable[Kept]) -> None:
        """Take the texts of a closed minute."""
        words = self.words
        for kept in sample:
            self.seen += 1
            if self.texts > SKETCH_TEXTS and self.seen % LEARN_EVERY:
                continue
            self.texts += 1.0
            for word in dict.fromkeys(words_of(kept.mention.text)):
                words[word] = words.get(word, 0.0) + 1.0
        if self.texts > MEMORY_TEXTS:
            self.texts *= 0.5
            self.words = {w: n * 0.5 for w, n in self.words.items() if n >= 2.0}
        if len(self.words) > 2 * MAX_WORDS:
            largest = sorted(self.words, key=lambda w: (-self.words[w], w))[:MAX_WORDS]
            self.words = {w: self.words[w] for w in largest}

    def share(self, phrase: str) -> float:
        """Usual share of texts with this word (of a pair: of its rarer word)."""
        if self.texts <= 0.0:
            return 0.0
        return min(self.words.get(word, 0.0) for word in phrase.split()) / self.texts


@lru_cache(maxsize=1_000)  # the sample of an open incident is explained again every few minutes
def words_of(text: str) -> tuple[str, ...]:
    """Content words in order, lower case; no links, names, numbers or words that say nothing."""
    return tuple([token for token in split(text) if _telling(token)])


@lru_cache(maxsize=20_000)  # words are few and come again
def _telling(token: str) -> bool:
    return (
        len(token) >= LEAST_LETTERS
        and token[0] != "@"
        and not token.startswith(("http", "www."))
        and token not in STOPWORDS
        and any(c.isalpha() for c in token)
    )


def shares(
    sample: Sequence[Kept], *, usual: Background, expected_share: float, ignore: str = ""
) -> dict[str, float]:
    """Share of the mentions that each telling phrase explains, each mention counted once.

    Greedy: the phrase with the largest excess of mentions is taken, its mentions are set aside,
    and so on; the rest is left for "other".

    Parameters
    ----------
    expected_share
        Expected over observed: how much of the window would have been there anyway.
    """
    skip = set(split(ignore))
    # Ordered, not a set: sums of floats must not depend on the process's hash seed.
    documents: list[tuple[float, dict[str, None]]] = []
    for kept in sample:
        words = [w for w in words_of(kept.mention.text) if w.lstrip("#") not in skip]
        pairs = (f"{a} {b}" for a, b in pairwise(words) if a != b)
        documents.append((kept.weight, dict.fromkeys([*words, *pairs])))
    total = sum(weight for weight, _ in documents)
    found: dict[str, float] = {}
    while documents and len(found) < MAX_PHRASES:
        weights: dict[str, float] = {}
        counts: dict[str, int] = {}
        for weight, phrases in documents:
            for phrase in phrases:
                weights[phrase] = weights.get(phrase, 0.0) + weight
                counts[phrase] = counts.get(phrase, 0) + 1
        best, best_gain = "", 0.0
        for phrase, weight in weights.items():
            if counts[phrase] < 2:  # one text is no phrase
                continue
            gain = weight - usual.share(phrase) * expected_share * total
            if " " in phrase:
                gain *= PAIR_BONUS
            if (gain, phrase) > (best_gain, best):
                best, best_gain = phrase, gain
        if not best or weights[best] < LEAST_SHARE * total:
            break
        found[best] = weights[best] / total
        # What one text alone says will not be a phrase: most pairs of words go here.
        documents = [
            (weight, {phrase: None for phrase in phrases if counts[phrase] > 1})
            for weight, phrases in documents
            if best not in phrases
        ]
    return found
