"""What an item was when it was first seen, over restarts: its edit or deletion has to find it.

A deletion has no text, so it cannot be matched, and sending it to all brands would drown them in
the deletions of a whole network. Some sources tell of an edit or a deletion only when it happened,
while the stream knows a mention by its id and the time that it was published. And a source that
delivers again (Meta, for 36 hours) must not bring back what was deleted meanwhile. What has no time
of its own (a feed's entry without a date) keeps the one that it was given first.

The last ids that matched are kept as short hashes in a ring of small segments in
`siaga.cursors.v1`, each written with the mentions that it knows of, or before them.
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from streams.log.port import Entry, Log
from streams.records import LIVE, Run
from streams.topics import CURSORS

SEGMENT_IDS = 128
"""A segment is at most 2 KB: the open one is written again with each append."""

SEGMENTS = 400
"""51,200 ids a source, at most 800 KB in memory and on the log."""

PREFIX = b"brands#"
HASH_BYTES = 8
"""Two of 51,200 ids collide with a chance of 1 in 10^10; a deletion would reach one brand more."""

TIME_BYTES = 4
"""Seconds since 1970."""

GONE = "!"
"""Before the brands of what was deleted; no brand's name begins with it."""


class Known(NamedTuple):
    """What is known of an id."""

    brands: tuple[str, ...] = ()
    published_s: int = 0
    """When its first version was published, in epoch seconds; 0: not known."""
    gone: bool = False
    """It was deleted, which is the last word."""


NOTHING = Known()


class _Segment(msgspec.Struct, frozen=True, array_like=True):
    number: int
    ids: dict[str, bytes] = {}
    """Hashes by brands joined by spaces, as they were written before times were kept."""
    dated: dict[str, bytes] = {}
    """Hashes, each with its time, by brands joined by spaces."""


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(_Segment)


class BrandMemory:
    """What is known of the last ids of one source.

    Parameters
    ----------
    source, run
        Whose ids they are; only those of the live run are written down.
    saved
        Segments as they were written.

    Examples
    --------
    >>> memory = BrandMemory("news")
    >>> memory.put("42", ("kopi", "teh"), published_s=1_750_000_000)
    >>> memory.get("42")
    Known(brands=('kopi', 'teh'), published_s=1750000000, gone=False)
    >>> BrandMemory("news", saved=[e.value for e in memory.unsaved()]).get("42").brands
    ('kopi', 'teh')
    """

    def __init__(self, source: str, run: Run = LIVE, saved: Iterable[bytes] = ()) -> None:
        self._key = key_prefix(source, run)
        self._written = run == LIVE
        self._known: dict[bytes, tuple[Known, int]] = {}
        self._segments: dict[int, dict[bytes, Known]] = {0: {}}
        self._number = 0
        self._changed: dict[int, None] = {}
        for segment in sorted(_read(saved), key=lambda s: s.number):
            self._open(segment.number)
            for name, known in _entries(segment):
                self._note(name, known)

    def get(self, native_id: str) -> Known:
        """Return what is known of an id."""
        return self._known.get(_hash(native_id), (NOTHING, 0))[0]

    def put(
        self, native_id: str, brands: tuple[str, ...], *, published_s: int = 0, gone: bool = False
    ) -> None:
        """Remember an id; its first time stays, and the oldest ids are forgotten."""
        name = _hash(native_id)
        before = self._known.get(name, (NOTHING, 0))[0]
        known = Known(brands, before.published_s or published_s, gone or before.gone)
        if known == before:
            return
        if len(self._segments[self._number]) >= SEGMENT_IDS:
            self._open(self._number + 1)
        self._note(name, known)
        if self._written:
            self._changed[self._number] = None

    def unsaved(self) -> list[Entry]:
        """Return the records to append before the next mentions, or with the next cursor."""
        return [self._entry(number) for number in self._changed]

    def saved(self, entries: Sequence[Entry]) -> None:
        """Note that those records are on the log; what changed since is still unsaved."""
        self._changed = {n: None for n in self._changed if self._entry(n) not in entries}

    def _note(self, name: bytes, known: Known) -> None:
        self._known[name] = known, self._number
        self._segments[self._number][name] = known

    def _open(self, number: int) -> None:
        self._number = number
        self._segments[number] = {}
        for old in [n for n in self._segments if n <= number - SEGMENTS]:
            self._changed.pop(old, None)
            for name in self._segments.pop(old):
                if self._known[name][1] == old:
                    del self._known[name]

    def _entry(self, number: int) -> Entry:
        grouped: dict[str, bytearray] = {}
        for name, known in self._segments[number].items():
            key = (GONE if known.gone else "") + " ".join(known.brands)
            at = min(max(known.published_s, 0), 2 ** (8 * TIME_BYTES) - 1)
            grouped.setdefault(key, bytearray()).extend(name + at.to_bytes(TIME_BYTES))
        segment = _Segment(number, dated={key: bytes(found) for key, found in grouped.items()})
        return Entry(CURSORS, self._key + str(number % SEGMENTS).encode(), _encode(segment))


async def load(log: Log) -> dict[bytes, list[bytes]]:
    """Read the segments of all sources, by `key_prefix`."""
    newest: dict[bytes, bytes] = {}
    async for records in log.read(CURSORS):
        for record in records:
            if record.key is not None and record.value is not None and is_memory(record.key):
                newest[record.key] = record.value
    found: dict[bytes, list[bytes]] = {}
    for key, value in newest.items():
        found.setdefault(key[: key.rindex(b"#") + 1], []).append(value)
    return found


def key_prefix(source: str, run: Run) -> bytes:
    """Return how the keys of a source's segments begin."""
    return PREFIX + f"{run}/{source}#".encode()


def is_memory(key: bytes) -> bool:
    """Whether a key of the cursors topic is a segment's."""
    return key.startswith(PREFIX)


def _hash(native_id: str) -> bytes:
    return blake2b(native_id.encode("utf-8", "replace"), digest_size=HASH_BYTES).digest()


def _read(saved: Iterable[bytes]) -> list[_Segment]:
    found = []
    for value in saved:
        try:
            found.append(_decoder.decode(value))
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue  # of a newer version: what it held is forgotten, no more
    return found


def _entries(segment: _Segment) -> Iterator[tuple[bytes, Known]]:
    for found, step in ((segment.ids, HASH_BYTES), (segment.dated, HASH_BYTES + TIME_BYTES)):
        for key, raw in found.items():
            brands, gone = tuple(key.removeprefix(GONE).split(" ")), key.startswith(GONE)
            for at in range(0, len(raw) - step + 1, step):
                one = raw[at : at + step]
                yield one[:HASH_BYTES], Known(brands, int.from_bytes(one[HASH_BYTES:]), gone)
