"""The door: an item becomes one mention per matched brand, or a dead letter with a reason.

Nothing is lost silently: an item that is about no brand of ours is counted (`unmatched`), one
that cannot be a mention becomes a dead letter, and what was repaired is counted by kind.
"""

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b, sha256
from typing import Literal, NamedTuple, get_args

import msgspec
from msgspec.structs import replace

from connectors.contract import LAST_REVISION, BadItem, Item
from connectors.ingest.clean import clean, field
from connectors.ingest.match import Matcher, account
from connectors.ingest.memory import NOTHING, BrandMemory, Known
from streams.records import LIVE, DeadLetter, Engagement, Mention, Run

Reason = Literal[
    "empty_text",
    "naive_time",
    "time_too_old",
    "missing_field",
    "unknown_brand",
    "broken_row",
]
REASONS: tuple[Reason, ...] = get_args(Reason)
"""The closed set of reasons (a metric label). `broken_row` stands for all that cannot be read."""

Note = Literal["unmatched", "after_deletion", "future_clamped", "text_cut", "text_repaired"]
"""What else may happen to an item; `after_deletion`: what is gone was told again."""

OLDEST = datetime(2000, 1, 1, tzinfo=UTC)
"""Before it a stamp is a mistake (epoch 0, an empty field), not history."""

FUTURE_SKEW = timedelta(seconds=60)
"""Clocks of sources run ahead by seconds; what is further ahead is clamped to this."""

KEPT_BYTES = 65_536
"""How much of a bad original a dead letter keeps."""

_MAX_COUNT = 2**53
_NO_ENGAGEMENT = Engagement()
_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Privacy:
    """Whether authors leave the door by name or as a keyed hash (stable for one key)."""

    key: bytes = b""

    def author(self, name: str) -> str:
        """Return the name, or its pseudonym if a key is set.

        >>> Privacy().author("budi"), Privacy(b"k").author("@Budi") == Privacy(b"k").author("budi")
        ('budi', True)
        """
        if not self.key or not name:
            return name
        digest = blake2b(account(name).encode(), key=self._digest_key(), digest_size=9)
        return f"anon-{digest.hexdigest()}"

    def _digest_key(self) -> bytes:
        # blake2b takes at most 64 bytes of key; a longer secret must count in full.
        return hmac.digest(b"siaga-author", self.key, "sha256")


class Outcome(NamedTuple):
    """What became of one item."""

    mentions: tuple[tuple[str, Mention], ...] = ()
    """(brand, mention), one per brand."""
    dead: DeadLetter | None = None
    notes: tuple[Note, ...] = ()


class Door:
    """The door of one source.

    Parameters
    ----------
    source
        Name of the source: first part of each mention's id.
    matcher
        Finds brands; replaced by `use` when the configuration changes.
    channel
        What mentions carry as `source` when the item names no channel; default: the source.
    run
        For dead letters.
    privacy
        How authors are written down.
    memory
        Which brands earlier items were about; None: nothing was seen before.
    """

    def __init__(
        self,
        source: str,
        matcher: Matcher,
        *,
        channel: str | None = None,
        run: Run = LIVE,
        privacy: Privacy | None = None,
        memory: BrandMemory | None = None,
    ) -> None:
        self.source = source
        self.memory = memory or BrandMemory(source, run)
        self._matcher = matcher
        self._channel = channel or source
        self._run = run
        self._privacy = privacy or Privacy()

    def use(self, matcher: Matcher) -> None:
        """Match by another configuration from now on."""
        self._matcher = matcher

    def admit(self, item: Item | BadItem, *, now: datetime) -> Outcome:
        """Turn one item into mentions or a dead letter; never raises for what a source can send."""
        if isinstance(item, BadItem):
            return Outcome(dead=self._bad(item, now))
        try:
            return self._admit(item, now)
        except (TypeError, ValueError, AttributeError, OverflowError) as e:
            # A connector that puts the wrong type into a field must not stop its source.
            return Outcome(dead=self._dead(item, "broken_row", f"{type(e).__name__}: {e}", now))

    def _admit(self, item: Item, now: datetime) -> Outcome:
        notes: list[Note] = []
        if problem := _problem(item):
            return Outcome(dead=self._dead(item, *problem, now))
        native_id = _short_id(item.native_id)
        text, cut, repaired = clean(item.text)
        if not text and item.rating is None and not item.deleted:
            detail = "no text is left after control characters and white space; nothing to do"
            return Outcome(dead=self._dead(item, "empty_text", detail, now))
        brands = self._brands(item)
        if brands is None:
            detail = (
                f"the source says brand {item.brand[:80]!r}, which is not configured: "
                f"add [brands.NAME] with that name, or correct the mapping"
            )
            return Outcome(dead=self._dead(item, "unknown_brand", detail, now))
        known = NOTHING
        if brands or item.deleted or item.revision:
            known = self.memory.get(native_id)
        if known.gone and not item.deleted:
            return Outcome(notes=("after_deletion",))
        published, clamped = self._published(item, known, now)
        if clamped:
            notes.append("future_clamped")
        before = tuple(b for b in known.brands if self._matcher.knows(b))
        if item.deleted or item.revision:
            # An edit may take the name out and a deletion has no text: both must still arrive.
            brands = tuple(dict.fromkeys((*brands, *before)))
        if brands:
            at_s = int(published.timestamp())
            self.memory.put(native_id, brands, published_s=at_s, gone=item.deleted)
        if not brands or (item.deleted and not before):
            return Outcome(notes=("unmatched",))  # a deletion of what was never seen takes nothing
        if cut:
            notes.append("text_cut")
        if repaired:
            notes.append("text_repaired")
        author = field(item.author, 200)
        mention = Mention(
            id=f"{self.source}:{native_id}",
            source=item.channel or self._channel,
            published_at=published,
            collected_at=now,
            text="" if item.deleted else text,
            author=self._privacy.author(author),
            url=field(item.url, 2000),
            lang=field(item.lang, 35),
            kind=field(item.kind, 40) or "post",
            revision=LAST_REVISION if item.deleted else max(item.revision, 0),
            in_reply_to=self._reply(item.in_reply_to),
            engagement=_sane(item.engagement),
            rating=item.rating if item.rating is not None and 0 <= item.rating <= 5 else None,
            deleted=item.deleted,
            simulated=item.simulated,
        )
        owners = self._matcher.owners(author) if author else ()
        own = replace(mention, own=True) if owners else mention
        return Outcome(
            tuple((b, own if b in owners else mention) for b in brands), notes=tuple(notes)
        )

    def _brands(self, item: Item) -> tuple[str, ...] | None:
        """Return the brands of an item; None if the source names one that is not configured."""
        if item.brand:
            brand = self._matcher.resolve(item.brand)
            return (brand,) if brand else None
        found = self._matcher.match(item.text[:200_000]) if item.text else ()
        if item.author and (owners := self._matcher.owners(item.author)):
            # A brand's own reply seldom names the brand, and it must stop the brand's clocks.
            found = tuple(dict.fromkeys((*found, *owners)))
        return found

    def _published(self, item: Item, known: Known, now: datetime) -> tuple[datetime, bool]:
        """Return when an item was published, and whether its stamp was ahead of the clock."""
        published = item.published_at.astimezone(UTC)
        ahead = published > now + FUTURE_SKEW
        at_s = known.published_s
        kept = item.keeps_time or item.deleted
        if at_s and (ahead or (kept and at_s != published.timestamp() // 1)):
            # The first time of an id stays: another one would make it another mention.
            return datetime.fromtimestamp(at_s, UTC), ahead
        return ((now + FUTURE_SKEW).replace(microsecond=0) if ahead else published), ahead

    def _reply(self, native_id: str) -> str:
        return f"{self.source}:{_short_id(native_id)}" if native_id else ""

    def _bad(self, item: BadItem, now: datetime) -> DeadLetter:
        reason = item.reason if item.reason in REASONS else "broken_row"
        origin = f"{self.source}/{field(item.origin, 500)}"
        return self._letter(reason, item.detail, origin, item.original, now)

    def _dead(self, item: Item, reason: Reason, detail: str, now: datetime) -> DeadLetter:
        try:
            original = _encoder.encode(item)
        except (TypeError, ValueError, OverflowError):
            original = repr(item).encode("utf-8", "backslashreplace")
        name = _short_id(str(item.native_id or "")) or sha256(original).hexdigest()[:24]
        return self._letter(reason, detail, f"{self.source}/{name}", original, now, item.brand)

    def _letter(
        self, reason: str, detail: str, origin: str, original: bytes, now: datetime, brand: str = ""
    ) -> DeadLetter:
        return DeadLetter(
            id=f"door:{origin}",
            stage="door",
            reason=reason,
            detail=field(detail, 500),
            at=now,
            origin=origin,
            original=original[:KEPT_BYTES],
            length=len(original),
            sha256=sha256(original).hexdigest(),
            run=self._run,
            brand=field(str(brand), 80),
        )


def _problem(item: Item) -> tuple[Reason, str] | None:
    if not item.native_id or not item.native_id.strip():
        return "missing_field", "the item has no id; without one a repeat cannot be told apart"
    if item.published_at.tzinfo is None or item.published_at.utcoffset() is None:
        return "naive_time", (
            f"the time {item.published_at.isoformat()} has no zone: "
            "set the source's time_zone, or correct the connector"
        )
    if item.published_at < OLDEST:
        return "time_too_old", (
            f"published {item.published_at.isoformat()}, before {OLDEST.year}: "
            "probably an empty field or a wrong unit of epoch time"
        )
    return None


def _short_id(native_id: str) -> str:
    """Cap an id without letting two of them become one."""
    cleaned = field(native_id, 1 << 20)
    if len(cleaned) <= 200:
        return cleaned
    return f"{cleaned[:150]}~{sha256(cleaned.encode()).hexdigest()[:32]}"


def _sane(engagement: Engagement) -> Engagement:
    if engagement == _NO_ENGAGEMENT:
        return engagement
    values = msgspec.structs.asdict(engagement)
    sane = {k: min(max(int(v), 0), _MAX_COUNT) for k, v in values.items()}
    return engagement if sane == values else Engagement(**sane)
