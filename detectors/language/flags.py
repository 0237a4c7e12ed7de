"""Marks on a mention that change how it counts: spam, giveaways, pure reposts, security."""

import re
from collections.abc import Sequence
from typing import Final

from detectors.language.tokens import word_list

FLAGS: Final = ("spam", "giveaway", "repost", "security")
"""The closed set."""

_REPOST = re.compile(r"^\s*(?:rt\s*:?\s*@\w+|via\s+@\w+|qt\s+@\w+)", re.IGNORECASE)
_GIVEAWAY: Final = re.compile(
    r"\bgive ?aways?\b|\bga\s+(?:alert|berhadiah)|#giveaway|\bbagi[- ]bagi\s+(?:hadiah|saldo|pulsa)"
    r"|\b(?:follow|like|rt|retweet|mention|tag)\b.{0,60}\b(?:menang|hadiah|pemenang|win|winner|prize)\b"
    r"|\b(?:kuis|undian|quiz)\s+berhadiah|\bchance to win\b",
    re.IGNORECASE | re.DOTALL,
)
_SPAM: Final = re.compile(
    r"\bslot\b.{0,25}\b(?:gacor|online|maxwin|deposit)|\bgacor\b|\bmaxwin\b|\bjudol\b|\btogel\b|\bbandar\s+q"
    r"|\bpinjaman\s+(?:cepat|online|tanpa\s+jaminan)\b.{0,80}(?:wa|whatsapp|hub)|\bjasa\s+(?:followers?|like|view)"
    r"|\bfollowers?\s+(?:murah|aktif)\b|\b(?:wa|whatsapp|hub|hubungi)\b\W{0,4}(?:\+?62|08)\d{7,}"
    r"|\bopen\s+(?:bo|vcs)\b|\bcek\s+(?:bio|ig|profil)\b|\blink\s+(?:di|in)\s+bio\b|\bwa\.me/|\bt\.me/"
    r"|\bfree\s+(?:followers|crypto|bitcoin)\b|\bearn\b.{0,30}\$\d+"
    r"|\bjoin\s+(?:my|our)\s+(?:telegram|channel)",
    re.IGNORECASE | re.DOTALL,
)
_TRIGGERS: Final = frozenset(word_list("flag_triggers.txt"))
"""Every pattern needs one of these tokens: without one, one check suffices."""
READ_LIMIT: Final = 1_000
TAGS_LEAST: Final = 6
"""Hashtags that make a mention spam if they are most of it."""
_OURS: Final = (
    r"(?:data\w*|akun\w*|account|saldo|rekening|password|sandi|otp|nik|ktp|identitas|privasi|privacy"
    r"|database|email|(?:nomor|no)\s+(?:hp|wa|telepon|telp|rekening|rek|kartu)|kartu\s+kredit"
    r"|credit\s+card|card\s+details|phone\s+number)"
)
"""What a person or a brand would lose."""
_TAKEN: Final = (
    r"(?:\w*bocor\w*|\w*bobol\w*|dibajak|diretas|peretasan|di-?hac?k|kena\s+hack|dicuri|dijual"
    r"|diperjualbelikan|(?:ter|ke|di|nye)s?ebar\w*|diumbar|dark\s*web|di(?:pake|pakai)\s+orang"
    r"|leak\w*|breach\w*|hack\w*|stolen|stole|compromised)"
)
"""What happened to it, in the words of people and of the press."""
_BREACH: Final = re.compile(
    rf"\b{_OURS}\b.{{0,40}}\b{_TAKEN}\b|\b{_TAKEN}\b.{{0,40}}\b{_OURS}\b"
    # Goods are sold too: only data, not "my account", and not whatever follows.
    r"|\bdata\b.{0,40}\bsold\b|\bjual\s+data\b|\bsold\s+(?:my|our|customer|user)\s+data\b"
    r"|\b(?:phishing|identity theft|unauthori[sz]ed (?:login|access|transaction)\w*|data breach)\b",
    re.IGNORECASE | re.DOTALL,
)
"""Data or accounts in other hands. "Penipu!" is also said of a late parcel: a topic, no alarm."""


def flags(text: str, raws: Sequence[str], topics: Sequence[str]) -> tuple[str, ...]:
    """The flags of a mention, in the order of `FLAGS`."""
    found: list[str] = []
    head = text[:READ_LIMIT]
    if not _TRIGGERS.isdisjoint(raws) or "t.me/" in head or "wa.me/" in head:
        if _SPAM.search(head):
            found.append("spam")
        if _GIVEAWAY.search(head):
            found.append("giveaway")
        if _REPOST.search(head):
            found.append("repost")
    if text.count("#") >= TAGS_LEAST and "spam" not in found and _mostly_tags(raws):
        found.insert(0, "spam")
    if "security" in topics and _BREACH.search(head):
        found.append("security")
    return tuple(found)


def _mostly_tags(raws: Sequence[str]) -> bool:
    tags = sum(1 for r in raws if r[0] == "#")
    return tags >= TAGS_LEAST and tags * 2 > len(raws)
