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
_LEAST: Final = 1

_VOTES: Final[dict[str, tuple[str, ...]]] = {}
for _language, _list in _WORDS.items():
    for _word in _list.split():
        _VOTES[_word] = (*_VOTES.get(_word, ()), _language)

_ALIAS: Final = {"in": "id", "ind": "id", "eng": "en", "jav": "jv", "sun": "su"}


def language(raws: Sequence[str], hint: str = "") -> str:
    """Language code of a split text; "" when its words do not tell.

    Parameters
    ----------
    raws
        Tokens of `tokens.split`; the first 60 are read.
    hint
        What the source says ("id", "en-US", "und"): decides ties and texts without known words.
    """
    hint = hint[:3].lower().rstrip("-_")
    hint = _ALIAS.get(hint, hint)
    counts: dict[str, float] = {}
    get = _VOTES.get
    for raw in raws[:60]:
        found = get(raw)
        if found:
            share = 1.0 if len(found) == 1 else 0.5
            for one in found:
                counts[one] = counts.get(one, 0.0) + share
    if hint in _WORDS:
        counts[hint] = counts.get(hint, 0.0) + 0.75
    if not counts:
        return ""
    return max(counts, key=lambda k: (counts[k], -LANGUAGES.index(k)))
