"""The way of a mention through the worker, in order: the one place where the stages meet.

decode -> dedupe -> understand -> minutes -> (watermark closes) -> detect -> judge

The worker, the backtest and the tests call the same two functions: `apply` for a record of
`siaga.mentions.v1` and `act` for a person's action.
"""

from datetime import datetime

from msgspec.structs import replace

from detectors.incidents.evidence import Observation
from streams.pipeline.channels import counted_as
from streams.pipeline.closing import close, glance, rests
from streams.pipeline.config import PipelineConfig
from streams.pipeline.decode import Origin, decode, letter
from streams.pipeline.hurry import hurries
from streams.pipeline.judge import decide
from streams.pipeline.minutes import OpenMinute, minute_of, reach_of
from streams.pipeline.outcome import Outcome
from streams.pipeline.portions import portions
from streams.pipeline.state import BrandState, Hot, PartitionState
from streams.pipeline.understand import Reader, understand
from streams.pipeline.watermark import Marks
from streams.records import (
    LIVE,
    Action,
    Batch,
    Mention,
    MentionsRecord,
    Scored,
    ScoredBatch,
    Tick,
)

BACKFILL = "backfill"
"""The run of an imported history: it trains and never alerts."""

FOLDED_AFTER_S = 3600
"""Of rest; a brand that is mentioned more often would be encoded and decoded again and again."""

MOST_FOLDED = 50
"""Brands of one tick: those of a start came to rest together, and records wait meanwhile."""


class Pipeline:
    """The stages with their configuration and the reader of texts.

    Parameters
    ----------
    encode
        False for a backtest: outcomes then hold values only.
    """

    def __init__(self, config: PipelineConfig, reader: Reader, *, encode: bool = True) -> None:
        self.config = config
        self.reader = reader
        self.encode = encode

    def apply(self, state: PartitionState, raw: bytes, *, origin: Origin, now: datetime) -> Outcome:
        """Take one record as it stood in the log; one that the state covers changes nothing."""
        out = Outcome(state.partition, self.encode, came_as_bytes=len(raw))
        fresh = origin.offset > state.applied
        decoded = decode(raw, origin=origin, now=now)
        if fresh:
            for dead in decoded.dead:
                out.bury(state, dead)
        if decoded.record is None:
            pass
        elif isinstance(decoded.record, Batch) and decoded.record.brand not in self.config.brands:
            if fresh:
                brand = decoded.record.brand
                detail = f"brand {brand!r} is not in the configuration; add [brands.NAME]"
                out.bury(state, letter(raw, "unknown_brand", detail, origin=origin, now=now))
        else:
            self.step(state, decoded.record, offset=origin.offset, out=out)
        state.applied = max(state.applied, origin.offset)
        return out

    def step(
        self,
        state: PartitionState,
        record: MentionsRecord,
        *,
        offset: int,
        out: Outcome | None = None,
    ) -> Outcome:
        """Take one decoded record of a configured brand, or a tick."""
        out = out or Outcome(state.partition, self.encode)
        if isinstance(record, Batch):
            self._batch(state, record, offset, out)
        elif offset > state.applied:
            self._tick(state, record, offset, out)
            state.applied = offset
        return out

    def act(self, state: PartitionState, action: Action, *, offset: int, now: datetime) -> Outcome:
        """Take what a person did about an incident of this partition."""
        out = Outcome(state.partition, self.encode)
        brand = state.brands.get((action.run, action.brand))
        if brand is None or brand.hot.acted >= offset:
            return out
        brand.hot.acted = offset
        state.touch(brand)
        if brand.incident is not None:
            brand.incident, incidents = decide(
                brand.incident,
                brand.evidence,
                action,
                brand_title=self.config.title(brand.brand),
                now=now,
                config=self.config.severity_of(brand.brand),
                time_zone=self.config.time_zone,
            )
            brand.changed.add("incident")
            out.publish_incidents(brand, incidents)
            state.wake(brand)
        return out

    def _tick(self, state: PartitionState, tick: Tick, offset: int, out: Outcome) -> None:
        out.tick, out.run = True, tick.run
        before = state.marks.get(tick.run, Marks())
        marks = state.marks[tick.run] = before.heard(tick)
        blind_after_s = self.config.blind_after_s
        heard = marks.heard_of(blind_after_s=blind_after_s)
        # When a source falls silent, resting brands first learn the quiet that was really heard.
        silenced = bool(heard.blind and not before.blind(blind_after_s=blind_after_s))
        heard_before = before.heard_of(blind_after_s=blind_after_s) if silenced else heard
        for brand in state.of_run(tick.run) if silenced else state.awake(tick.run):
            if brand.hot.applied >= offset:
                continue
            if rests(self.config, brand, heard):
                if not brand.habits.lively:
                    state.rest(brand)
                continue
            changed = silenced and close(self.config, brand, heard_before, out)
            changed |= close(self.config, brand, heard, out)
            changed |= glance(self.config, brand, marks.clock_s, out)
            if changed:
                brand.hot.applied = offset
                state.touch(brand)
            if silenced:
                state.wake(brand)
        if heard.watermark_s is not None:
            state.fold(tick.run, before_s=heard.watermark_s - FOLDED_AFTER_S, most=MOST_FOLDED)

    def _batch(self, state: PartitionState, batch: Batch, offset: int, out: Outcome) -> None:
        known = (batch.run, batch.brand) in state.brands
        brand = state.brand(batch.run, batch.brand)
        if brand.hot.applied >= offset:
            return
        brand.hot.applied = offset
        state.touch(brand)
        if not known:
            self._inherit(state, brand)
        marks = state.marks.get(batch.run, Marks())
        state.wake(brand)
        # A quiet brand catches up with the watermark before its next mention is counted.
        heard = marks.heard_of(blind_after_s=self.config.blind_after_s)
        close(self.config, brand, heard, out)
        watermark_s = heard.watermark_s
        admitted = (self._admit(brand, mention, watermark_s, out) for mention in batch.mentions)
        if scored := tuple(one for one in admitted if one is not None):
            name = f"{batch.run}/mentions/{state.partition}/{offset}"
            for portion in portions(scored, came_as_bytes=out.came_as_bytes):
                out.publish_scored(ScoredBatch(name, batch.brand, portion, batch.run))
                name += "+"
        clock_s = hurries(self.config.severity_of(brand.brand), brand, scored, marks)
        if clock_s is not None:
            glance(self.config, brand, clock_s, out)

    def _admit(
        self, brand: BrandState, mention: Mention, watermark_s: float | None, out: Outcome
    ) -> Scored | None:
        """Dedupe, understand and count one mention; None for a repeat."""
        hot = brand.hot
        channel = counted_as(mention.source, hot.totals)
        if channel != mention.source:
            mention = replace(mention, source=channel)
        published_s = mention.published_at.timestamp()
        freshness = brand.seen.admit(
            mention.id,
            mention.revision,
            published_s=published_s,
            watermark_s=published_s if watermark_s is None else watermark_s,
        )
        if freshness == "repeat":
            hot.repeats += 1
            out.repeats += 1
            return None
        if freshness == "revision":
            hot.revisions += 1
            scored = understand(self.reader, mention, "revision")
            told = scored.sentiment == "negative" and not mention.own
            if told and (at_s := _passing_minute(hot, mention)) is not None:
                # An edit is no further mention, but a post that is passed on may be going viral.
                hot.minutes.setdefault(at_s, OpenMinute()).spread(scored)
                hot.touched.add(at_s)
                brand.evidence.passed_on(_observation(scored, published_s))
                brand.changed.add("evidence")
            return scored
        minute_s = minute_of(published_s)
        late = hot.closed_through_s is not None and minute_s < hot.closed_through_s
        scored = understand(self.reader, mention, "late" if late else "on_time")
        if not mention.own:
            brand.count(mention.source, scored.sentiment)
        if late:
            hot.late += 1
            return scored
        hot.minutes.setdefault(minute_s, OpenMinute()).add(scored, self.config.watched)
        hot.touched.add(minute_s)
        hot.active_s = max(hot.active_s, minute_s)
        if not mention.own:
            brand.evidence.observe(_observation(scored, published_s))
            brand.changed.add("evidence")
        return scored

    def _inherit(self, state: PartitionState, brand: BrandState) -> None:
        """A brand that goes live starts with what an imported history taught."""
        past = state.brands.get((BACKFILL, brand.brand))
        if brand.run == LIVE and past is not None:
            brand.inherit(past)


def _passing_minute(hot: Hot, mention: Mention) -> int | None:
    """The minute in which a mention is passed on: the newest that has begun.

    A wrong stamp may have opened one that is still to come. Where nothing was said lately it is the
    next that closes; None before the first tick.
    """
    collected_s = mention.collected_at.timestamp()
    begun = [at for at in hot.minutes if at <= collected_s]
    return max(begun) if begun else hot.closed_through_s


def _observation(scored: Scored, published_s: float) -> Observation:
    mention = scored.mention
    return Observation(
        id=mention.id,
        at_s=published_s,
        source=mention.source,
        author=mention.author,
        text=mention.text,
        sentiment=scored.sentiment,
        negative=scored.probabilities[0],
        topics=scored.topics,
        reach=reach_of(mention.engagement),
        url=mention.url,
        followers=mention.engagement.followers,
        account_days=mention.engagement.account_days,
        simulated=mention.simulated,
    )
