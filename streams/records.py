"""The records that travel through the log: frozen values, one struct a kind.

Times are aware UTC datetimes. A record that can be produced twice carries a deterministic id, so
"exactly once" means once per id after a consumer drops repeats.
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from detectors.anomaly.reading import Reading
from detectors.incidents.explanation import Organic, Without

Run = str
"""`live`, or the name of a replay, backfill or drill: each run has its own watermark and state."""

Time = Annotated[datetime, msgspec.Meta(tz=True)]
"""An aware time; a naive one is refused when a record is decoded."""

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Text = Annotated[str, msgspec.Meta(max_length=65_536)]
Word = Annotated[str, msgspec.Meta(max_length=4_096)]
"""Bounds of what is decoded, far beyond those of the door: other programs write to the log, too."""

LIVE: Run = "live"

Sentiment = Literal["negative", "neutral", "positive"]
SENTIMENTS: tuple[Sentiment, ...] = ("negative", "neutral", "positive")


class Engagement(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a source says of a mention's spread; 0 is "none or unknown"."""

    likes: Count = 0
    replies: Count = 0
    reposts: Count = 0
    views: Count = 0
    followers: Count = 0
    """Followers of the author when the mention was collected."""
    account_days: Count = 0
    """Days that the author's account had existed when this was written; a new one counts as 1."""


class Mention(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One text about one brand. `id` is `source:native_id`; the key of a mention is (brand, id)."""

    id: Word
    source: Word
    published_at: Time
    collected_at: Time
    text: Text = ""
    author: Word = ""
    url: Word = ""
    lang: Word = ""
    kind: Word = "post"
    revision: int = 0
    """Grows with each edit that the source reports; the same (id, revision) is a repeat."""
    in_reply_to: Word = ""
    engagement: Engagement = Engagement()
    rating: float | None = None
    """Stars of a review, 1..5."""
    own: bool = False
    """Written by the brand itself: it stops a response clock and is no complaint."""
    deleted: bool = False
    simulated: bool = False


class Batch(msgspec.Struct, frozen=True, tag="batch", omit_defaults=True):
    """1..500 mentions of one brand in one record of `siaga.mentions.v1` (key: brand)."""

    brand: str
    mentions: tuple[Mention, ...]
    run: Run = LIVE


class Tick(msgspec.Struct, frozen=True, tag="tick", omit_defaults=True):
    """Sent to every partition every few seconds by each connector's runner.

    `watermark`: no mention published before it is expected from `source` any more. `clock`: the
    time that this run takes as "now" (a replay's own clock). A source that ends says so.
    """

    source: Word
    watermark: Time
    clock: Time
    run: Run = LIVE
    healthy: bool = True
    ended: bool = False


MentionsRecord = Batch | Tick


class Scored(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A mention with what was understood of it."""

    mention: Mention
    sentiment: Sentiment
    probabilities: tuple[float, float, float]
    """(negative, neutral, positive), summing to 1."""
    topics: tuple[str, ...] = ()
    language: str = ""
    flags: tuple[str, ...] = ()
    model: str = ""
    fate: Literal["on_time", "late", "revision"] = "on_time"


class ScoredBatch(msgspec.Struct, frozen=True, omit_defaults=True):
    """Record of `siaga.scored.v1` (key: brand), one per mentions record that held fresh mentions.

    `id` is `run/topic/partition/offset` of that record; if it was too large for one, the further
    ones end in `+`, `++`, ...
    """

    id: str
    brand: str
    mentions: tuple[Scored, ...]
    run: Run = LIVE


class Counts(msgspec.Struct, frozen=True, omit_defaults=True):
    """Sums over the on-time mentions of one brand in one minute; own mentions are apart."""

    mentions: int = 0
    negative: int = 0
    neutral: int = 0
    positive: int = 0
    negative_mass: float = 0.0
    """Sum of the negative probabilities."""
    authors: int = 0
    """Distinct authors of the minute."""
    reach: float = 0.0
    """People who may have seen the minute's mentions, by engagement (see pipeline/minutes.py)."""
    top_reach: float = 0.0
    """Reach of the single furthest-spreading negative mention known in the minute."""
    own: int = 0
    by_channel: dict[str, int] = {}
    by_topic: dict[str, int] = {}
    """Non-positive mentions by topic (a complaint may count under several)."""


class Minute(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A closed minute of a brand: record of `siaga.minutes.v1` (key: brand). Never changes."""

    id: str
    """`run/brand/start` with start in epoch seconds."""
    brand: str
    start: Time
    counts: Counts
    run: Run = LIVE
    readings: tuple[Reading, ...] = ()
    level: int = 0
    incident: str = ""
    blind: tuple[str, ...] = ()
    """Sources that were silent beyond their habit in this minute."""


class Sample(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A mention quoted as evidence."""

    id: str
    source: str
    author: str
    text: str
    published_at: Time
    sentiment: Sentiment
    url: str = ""
    reach: float = 0.0
    topics: tuple[str, ...] = ()
    simulated: bool = False


class LevelChange(msgspec.Struct, frozen=True):
    level: int
    at: Time


class Incident(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """State of an incident after a change: record of `siaga.incidents.v1`.

    Key: incident id; partitioned by brand; compacted. `id` is `run/brand/epoch s` of the minute
    that opened it.
    """

    id: str
    brand: str
    level: int
    peak: int
    signal: str
    onset: Time
    opened_at: Time
    updated_at: Time
    observed: float
    expected: float
    upper: float
    score: float
    run: Run = LIVE
    closed_at: Time | None = None
    sequence: int = 0
    """Grows by one with each change; the same (id, sequence) is a repeat."""
    change: str = "opened"
    """opened | level | evidence | acknowledged | snoozed | false_alarm | closed | reopened"""
    readings: tuple[Reading, ...] = ()
    history: tuple[LevelChange, ...] = ()
    topics: dict[str, float] = {}
    """Share of the excess by topic."""
    channels: dict[str, float] = {}
    authors: dict[str, float] = {}
    phrases: dict[str, float] = {}
    clusters: dict[str, float] = {}
    """By near-duplicate text (its beginning). Each of these tables adds up to 1 with "other"."""
    without: Without | None = None
    """What would be left without the largest contributor, and its score."""
    organic: Organic = Organic()
    window_observed: float = 0.0
    """Sum since the onset, beside the strongest minute in `observed`."""
    window_expected: float = 0.0
    samples: tuple[Sample, ...] = ()
    spreading: tuple[Sample, ...] = ()
    """The furthest-spreading negative mentions since the onset."""
    first: Sample | None = None
    flags: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    """Of a parent (brand "*", many brands at once): the ids of the brands' own incidents."""
    sentences: dict[str, str] = {}
    """By language ("id", "en"): what happened, in under 40 words."""
    acknowledged_by: str = ""
    acknowledged_at: Time | None = None
    snoozed_until: Time | None = None
    """A person asked for silence until then; a higher level ends it."""
    simulated: bool = False


class Action(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a person did about an incident: record of `siaga.actions.v1` (partitioned by brand)."""

    id: str
    kind: str
    """ack | note | snooze | false_alarm | close"""
    incident: str
    brand: str
    who: str
    at: Time
    run: Run = LIVE
    text: str = ""
    until: Time | None = None
    via: str = ""


class Label(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A correction by a person, or a review's stars: record of `siaga.feedback.v1`."""

    id: str
    who: str
    """Who said so; of a rating its source."""
    at: Time
    mention: str
    text: str
    sentiment: Sentiment | None = None
    topics: tuple[str, ...] | None = None
    was_sentiment: Sentiment | None = None
    """What the model in use said when the label was given."""
    was_topics: tuple[str, ...] | None = None
    kind: Literal["label", "rating", "promote", "rollback"] = "label"
    version: str = ""


class Event(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A planned event that people announce: record of `siaga.events.v1` (key: id; compacted).

    An event that was called off is told by a deletion of its key.
    """

    id: str
    brand: str
    """A brand's name, or "*" for all of them."""
    start: Time
    end: Time
    who: str
    at: Time
    """When it was announced."""
    kind: str = "campaign"
    """campaign | outage | other"""
    note: str = ""


class DeadLetter(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Input that could not become a mention: record of `siaga.dead.v1`. Lost never, fatal never."""

    id: str
    """`stage:origin` or `stage:hash`: the same bad input from the same place has the same id."""
    stage: str
    """door | decode | understand | …: where it stopped"""
    reason: str
    """A word of the closed set in streams/pipeline/decode.py and connectors/ingest/door.py."""
    detail: str
    """A sentence for a person: what was wrong and what to do."""
    at: Time
    origin: str
    """Source and position: file and line, topic, partition and offset, or native id."""
    original: bytes
    """The first 64 KB."""
    length: int
    sha256: str
    run: Run = LIVE
    brand: str = ""
