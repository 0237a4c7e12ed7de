"""Edits and deletions find the brands of their item, also after a restart."""

import asyncio
from datetime import UTC, datetime
from typing import ClassVar

from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Item, Page, SourceSettings
from connectors.ingest import cursors, memory
from connectors.ingest.door import Door
from connectors.ingest.match import Matcher
from connectors.ingest.memory import NOTHING, SEGMENT_IDS, SEGMENTS, BrandMemory, key_prefix
from connectors.ingest.runner import Runner
from connectors.memory_log import MemoryLog
from streams import codec
from streams.records import Batch, Mention
from streams.settings import BrandSettings
from streams.topics import CURSORS, MENTIONS

T0 = datetime(2025, 1, 1, tzinfo=UTC)
BRANDS = {n: BrandSettings(names=(n,)) for n in ("kopi", "teh", "susu")}


class Timeline:
    """Gives its items by an index."""

    Settings: ClassVar[type[SourceSettings]] = SourceSettings

    def __init__(self, *items: Item) -> None:
        self.items = items

    async def fetch(self, cursor: str | None) -> Page:
        at = int(cursor or 0)
        found = self.items[at : at + 1]
        return Page(found, str(at + len(found)), ended=not found)

    async def close(self) -> None:
        pass


def item(native_id: str, text: str = "", *, revision: int = 0, deleted: bool = False) -> Item:
    return Item(native_id=native_id, published_at=T0, text=text, revision=revision, deleted=deleted)


async def started(log: MemoryLog, timeline: Timeline, *, run: str = "live") -> Runner:
    await log.ensure()
    saved = (await cursors.load(log)).get(("s", run))
    known = (await memory.load(log)).get(key_prefix("s", run), [])
    door = Door("s", Matcher(BRANDS), run=run, memory=BrandMemory("s", run, known))
    settings = SourceSettings(type="x", run=run, poll_s=0.05)
    return Runner("s", timeline, settings, door, log, partitions=(0,), saved=saved)


async def mentions(log: MemoryLog) -> list[tuple[str, Mention]]:
    found = []
    async for records in log.read(MENTIONS):
        for record in records:
            batch = codec.mentions.decode(record.value or b"")
            if isinstance(batch, Batch):
                found += [(batch.brand, m) for m in batch.mentions]
    return found


def test_a_deletion_after_a_restart_reaches_every_brand_of_the_post_and_no_other() -> None:
    async def story() -> None:
        log = MemoryLog()
        post = item("7", "kopi atau teh")
        await (await started(log, Timeline(post, item("8", "susu")))).run()
        gone = item("7", revision=1, deleted=True)
        stranger = item("9", revision=1, deleted=True)
        runner = await started(log, Timeline(post, item("8", "susu"), gone, stranger))
        await runner.run()
        deleted = [(b, m.id, m.text) for b, m in await mentions(log) if m.deleted]
        assert sorted(deleted) == [("kopi", "s:7", ""), ("teh", "s:7", "")]

    asyncio.run(story())


def test_a_killed_process_forgets_no_brand_of_what_its_cursor_covers() -> None:
    async def story() -> None:
        log = MemoryLog()
        runner = await started(log, Timeline(item("7", "kopi"), item("8", "teh")))
        task = asyncio.create_task(runner.run())
        async with asyncio.timeout(10):
            while ("s", "live") not in await cursors.load(log):  # noqa: ASYNC110  # watches a log
                await asyncio.sleep(0.001)
        # A kill: what is on the log now is all that is left.
        entries = list(log._records[CURSORS][0])
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        log._records[CURSORS][0][:] = entries
        at = int((await cursors.load(log))["s", "live"].cursor or 0)
        after = await started(log, Timeline())
        for native_id, brand in (("7", "kopi"), ("8", "teh"))[:at]:
            assert after.door.memory.get(native_id).brands == (brand,)

    asyncio.run(story())


def test_a_brand_that_was_taken_out_gets_no_deletions() -> None:
    known = BrandMemory("s")
    known.put("7", ("kopi", "gone"))
    door = Door("s", Matcher(BRANDS), memory=known)
    outcome = door.admit(item("7", deleted=True, revision=1), now=T0)
    assert [b for b, _ in outcome.mentions] == ["kopi"]


def test_only_the_live_run_writes_its_memory_down() -> None:
    drill = BrandMemory("s", "drill")
    drill.put("7", ("kopi",))
    assert drill.get("7").brands == ("kopi",)
    assert drill.unsaved() == []


def test_the_ring_is_bounded_and_the_newest_stay() -> None:
    known = BrandMemory("s")
    kept: dict[bytes, bytes] = {}
    count = SEGMENT_IDS * (SEGMENTS + 2)
    for n in range(count):
        known.put(str(n), ("kopi",))
        if n % 100 == 0 or n == count - 1:
            entries = known.unsaved()
            kept |= {e.key or b"": e.value or b"" for e in entries}
            assert all(len(e.value or b"") <= 2048 for e in entries)
            known.saved(entries)
    assert not known.unsaved()
    assert len(kept) == SEGMENTS
    again = BrandMemory("s", saved=kept.values())
    for reader in (known, again):
        assert reader.get(str(count - 1)).brands == ("kopi",)
        assert reader.get(str(count - SEGMENT_IDS * (SEGMENTS - 1))).brands == ("kopi",)
        assert reader.get("0") == NOTHING


@given(
    st.lists(
        st.tuples(st.integers(0, 300), st.lists(st.sampled_from(["a", "b", "c"]), max_size=3)),
        max_size=400,
    )
)
def test_what_was_written_is_what_is_read(puts: list[tuple[int, list[str]]]) -> None:
    known = BrandMemory("s")
    wanted: dict[str, tuple[str, ...]] = {}
    kept: dict[bytes, bytes] = {}
    for n, brands in puts:
        if not brands:
            kept |= {e.key or b"": e.value or b"" for e in known.unsaved()}
            known.saved(known.unsaved())
            continue
        wanted[str(n)] = tuple(brands)
        known.put(str(n), tuple(brands))
    kept |= {e.key or b"": e.value or b"" for e in known.unsaved()}
    again = BrandMemory("s", saved=kept.values())
    assert {n: again.get(n).brands for n in wanted} == wanted


def test_segments_of_another_version_are_forgotten_and_harm_nothing() -> None:
    assert BrandMemory("s", saved=[b"", b"\xff", b"{}"]).get("1") == NOTHING


def test_segments_are_no_cursors() -> None:
    async def story() -> None:
        log = MemoryLog()
        await log.ensure()
        known = BrandMemory("s")
        known.put("1", ("kopi",))
        await log.append(known.unsaved())
        assert await cursors.load(log) == {}

    asyncio.run(story())
