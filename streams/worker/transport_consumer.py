"""The consumer of the embedded Faust transport: reads lanes, commits in the writer's order."""

import asyncio
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import msgspec
from faust.transport import base
from faust.types import TP, ConsumerMessage

from streams.log.port import Unavailable, UnknownTopic
from streams.log.store import Commit, Stored, Topic, Wanted
from streams.log.writer import Bell

FETCH_ROWS = 2_000
FETCH_BYTES = 4 << 20
"""Bounds of one fetch: all of the history that the consumer itself holds."""

POLL_SECONDS = 0.25
"""How soon records that another process appended are seen."""

_headers = msgspec.msgpack.Decoder(list[tuple[str, bytes]])


class _Cluster:
    """What Faust's assignor asks of a broker's metadata."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def topics(self) -> set[str]:
        return {t.name for t in self._transport.writer.store.topics()}

    def partitions_for_topic(self, name: str) -> set[int] | None:
        topic = self._transport.topic(name)
        return None if topic is None else set(range(len(topic.lanes)))


class Consumer(base.Consumer):
    """The only member of its group: all partitions are assigned to it at each subscription."""

    # Faust's interfaces know neither our transport nor the assignor's methods.
    app: Any
    transport: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._assigned: list[TP] = []
        self._positions: dict[TP, int] = {}
        self._generation = 0
        self._bell: Bell | None = None
        self._bells = ExitStack()
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="siaga-worker-reader")

    # -- life

    async def on_start(self) -> None:
        """Open the file."""
        self.transport.open()
        await super().on_start()

    async def on_stop(self) -> None:
        """Commit and let go of the file."""
        await super().on_stop()
        self._bells.close()
        await asyncio.to_thread(self._reader.shutdown)
        self.transport.close()

    async def create_topic(  # type: ignore[override] # **_ takes what Faust's has besides
        self,
        topic: str,
        partitions: int,
        replication: int,  # noqa: ARG002 - Faust's interface
        *,
        compacting: bool | None = None,
        retention: float | None = None,
        **_: Any,
    ) -> None:
        """Create a topic if it is missing."""
        await self.transport.create_topic(
            topic, partitions, compacting=compacting, retention=retention
        )

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Assign all partitions of these topics; the rest of the rebalance follows on its own."""
        names = set(topics)
        for name in names:
            # Faust would consume nothing from a missing topic, and say nothing.
            if self.transport.topic(name) is None:
                raise UnknownTopic(name)
        self.add_future(self._rebalance(names))

    async def _rebalance(self, names: set[str]) -> None:
        app, assignor = self.app, self.app.assignor
        app.on_rebalance_start()
        await self.on_partitions_revoked(set(self._assigned))
        member = {"me": assignor.metadata(names)}
        assignment = assignor.assign(_Cluster(self.transport), member)["me"]
        assignor.on_assignment(assignment)
        self._assigned = sorted(TP(t, p) for t, ps in assignment.assignment for p in ps)
        await self.seek_to_committed()
        self._bells.close()
        lanes = [self._lane(tp) for tp in self._assigned]
        self._bell = self._bells.enter_context(Bell(self.transport.writer, lanes))
        self._generation += 1
        app.consumer_generation_id = self._generation
        await self.on_partitions_assigned(set(self._assigned), self._generation)

    # -- reading

    async def _getmany(
        self,
        active_partitions: set[TP] | None,
        timeout: float,  # noqa: ASYNC109 - Faust's interface
    ) -> dict[TP, list[Stored]]:
        deadline = asyncio.get_running_loop().time() + timeout
        while self.flow_active and not self.should_stop:
            found = await self._fetch(active_partitions)
            left = deadline - asyncio.get_running_loop().time()
            if found or left <= 0:
                return found
            if self._bell is None:
                await asyncio.sleep(min(POLL_SECONDS, left))
            else:
                await self._bell.wait(min(POLL_SECONDS, left))
        return {}

    async def _fetch(self, active: set[TP] | None) -> dict[TP, list[Stored]]:
        tps = [tp for tp in self._assigned if active is None or tp in active]
        generation = self._generation
        by_lane = {self._lane(tp): tp for tp in tps}
        wanted = [Wanted(lane, self._positions[tp]) for lane, tp in by_lane.items()]
        try:
            rows = await self._in_thread(
                lambda s: s.read(wanted, max_rows=FETCH_ROWS, max_bytes=FETCH_BYTES)
            )
        except Unavailable as e:
            self.log.warning("%s; reading goes on when it passes", e)
            await asyncio.sleep(1.0)
            return {}
        if not self.flow_active or generation != self._generation:
            # Positions move only with what is delivered: nothing is skipped.
            return {}
        found: dict[TP, list[Stored]] = {}
        for row in rows:
            found.setdefault(by_lane[row.lane], []).append(row)
        starts = {w.lane: w.start for w in wanted}
        for tp, part in list(found.items()):
            if self._positions.get(tp) != starts[self._lane(tp)]:
                del found[tp]  # somebody sought while this was read
                continue
            self._positions[tp] = part[-1].offset + 1
        if len(found) > 1 or len(rows) >= FETCH_ROWS:
            # The next fetch begins with another partition, so that none waits for a long one.
            self._assigned = [*self._assigned[1:], *self._assigned[:1]]
        return found

    def _to_message(self, tp: TP, record: Stored) -> ConsumerMessage:
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            record.offset,
            record.timestamp_ms / 1000,
            0,
            _headers.decode(record.headers) if record.headers else [],
            record.key,
            record.value,
            None,
            len(record.key or b""),
            len(record.value or b""),
            tp,
            generation_id=self.app.consumer_generation_id,
        )

    # -- positions

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        group = self.app.conf.id
        commits = [Commit(group, self._lane(tp), offset) for tp, offset in offsets.items()]
        try:
            await asyncio.shield(self.transport.writer.submit([], commits, patient=True))
        except Unavailable:
            return False  # closing during an outage: they are processed again
        return True

    async def seek_to_committed(self) -> dict[TP, int]:
        """Seek to committed offsets, or to the first record where there is none."""
        committed = await self._in_thread(lambda s: s.positions(self.app.conf.id))
        starts = await self.earliest_offsets(*self._assigned)
        found = {}
        for tp in self._assigned:
            offset = committed.get(self._lane(tp))
            self._positions[tp] = starts[tp] if offset is None else max(offset, starts[tp])
            if offset is not None:
                found[tp] = self._positions[tp]
        return found

    async def _seek(self, partition: TP, offset: int) -> None:
        self._positions[partition] = offset

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Seek to given offsets."""
        for tp, offset in partitions.items():
            self._positions[tp] = offset
            if offset > 0:
                self._read_offset[tp] = offset
            else:
                self._read_offset.pop(tp, None)

    async def position(self, tp: TP) -> int | None:
        """Return the next offset to be read."""
        return self._positions.get(tp)

    def assignment(self) -> set[TP]:
        """Return all partitions of the subscribed topics."""
        return set(self._assigned)

    def highwater(self, tp: TP) -> int:
        """Return the next offset to be read: a lag is measured by the log, not here."""
        return self._positions.get(tp, 0)

    def topic_partitions(self, topic: str) -> int | None:
        """Return the number of partitions of a topic."""
        found: Topic | None = self.transport.topic(topic)
        return None if found is None else len(found.lanes)

    async def earliest_offsets(self, *partitions: TP) -> dict[TP, int]:
        """Return the offset of the first record kept; of an empty partition, its end."""
        lanes = {tp: self._lane(tp) for tp in partitions}
        starts = await self._in_thread(lambda s: s.starts(lanes.values()))
        return {tp: starts[lane] for tp, lane in lanes.items()}

    async def highwaters(self, *partitions: TP) -> dict[TP, int]:
        """Return the offset after the last record."""
        lanes = {tp: self._lane(tp) for tp in partitions}
        ends = await self._in_thread(lambda s: s.ends(lanes.values()))
        return {tp: ends[lane] for tp, lane in lanes.items()}

    def key_partition(
        self, topic: str, key: bytes | None, partition: int | None = None
    ) -> int | None:
        """Partition that a key belongs to."""
        found: Topic | None = self.transport.topic(topic)
        if found is None or partition is not None:
            return partition
        chosen: int = self.transport.partition(found, key)
        return chosen

    def _new_topicpartition(self, topic: str, partition: int) -> TP:
        return TP(topic, partition)

    def _lane(self, tp: TP) -> int:
        topic: Topic | None = self.transport.topic(tp.topic)
        if topic is None:
            raise UnknownTopic(tp.topic)
        return topic.lanes[tp.partition]

    async def _in_thread(self, function: Any) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reader, function, self.transport.writer.store)
