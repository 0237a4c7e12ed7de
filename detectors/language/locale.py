"""The language of a mention, from its most frequent small words: cheap, and honest when unsure."""

from collections.abc import Sequence
from typing import Final

_WORDS: Final = {
    "id": """yang dan di ke dari ini itu tidak ada untuk dengan saya kamu sudah belum bisa juga tapi kalau karena
        lagi nya aja sih dong kok gak ga nggak enggak yg udah gue lu banget sama mau jadi pas atau akan bukan
        kenapa gimana apa mana siapa kami kita mereka dia anda kak min barang bagus kecewa paket pesanan
        tolong mohon terima kasih harga uang beli kirim sampai lama cepat rusak jelek mahal murah""",
    "en": """the and is are was were to of in on for with my you your it this that i have has had not no
        but they we what why how when at from can will just be been do does did an a so if get got me our
        thanks please never still order app service good bad great love""",
    "jv": """ora iku iki aku kowe sing karo wis durung arep lan ing saka kanggo apik banget tenan opo piye
        neng nang ning yo iso ndak dudu sampeyan kulo mboten ngono ngene awakmu kok dadi nggo ono ana
        regane enak-tenan mangan bocah wong""",
    "su": """teu henteu abdi anjeun urang nu jeung ka ti ieu eta geus acan keur naon kumaha pisan mah teh
        atuh euy aya kanggo sareng nyaeta hade alus bageur mangga punten nuhun meser rada sok
        ku di-dieu saha iraha moal""",
    "min": """indak ndak awak ambo waang nan jo ka di dari ko tu alah alun bana rancak lamak baa dima
        manga urang untuak dek ado samo pai kini siko sinan lah sajo bia pulo tampek
        makan-makan uda uni""",
}
LANGUAGES: Final = tuple(_WORDS)
_FIELD: Final = 12
"""Bits a language in a packed vote: 60 tokens at 2 votes need 7."""
_READ: Final = 60
_HINT: Final = 1.5
"""Votes of the source's own word: less than one telling word (2), more than an ambiguous one (1)."""
_ALIAS: Final = {"in": "id", "ind": "id", "eng": "en", "jav": "jv", "sun": "su"}


class _Votes(dict[str, int]):
    """Packed votes of a token; 0 for an unknown one."""

    def __missing__(self, key: str) -> int:
        return 0


def _votes() -> _Votes:
    found: dict[str, list[int]] = {}
    for place, words in enumerate(_WORDS.values()):
        for word in words.split():
            found.setdefault(word, []).append(place)
    return _Votes(
        {w: sum((2 if len(at) == 1 else 1) << p * _FIELD for p in at) for w, at in found.items()}
    )


_vote: Final = _votes().__getitem__


def language(raws: Sequence[str], hint: str = "") -> str:
    """Language code of a split text; "" when its words do not tell.

    Parameters
    ----------
    raws
        Tokens of `tokens.split`; the first 60 are read.
    hint
        What the source says ("id", "en-US", "und"): decides ties and texts without known words.
    """
    total = sum(map(_vote, raws if len(raws) <= _READ else raws[:_READ]))
    if not total and not hint:
        return ""
    mask = (1 << _FIELD) - 1
    counts: list[float] = [total >> place * _FIELD & mask for place in range(len(LANGUAGES))]
    if hint:
        code = hint[:3].lower().rstrip("-_")
        code = _ALIAS.get(code, code)
        if code in _WORDS:
            counts[LANGUAGES.index(code)] += _HINT
    best = max(counts)
    return LANGUAGES[counts.index(best)] if best else ""
