"""The topics: names and settings. We create them; Faust does not create source topics."""

import msgspec

MENTIONS = "siaga.mentions.v1"
SCORED = "siaga.scored.v1"
MINUTES = "siaga.minutes.v1"
INCIDENTS = "siaga.incidents.v1"
FEEDBACK = "siaga.feedback.v1"
ACTIONS = "siaga.actions.v1"
CURSORS = "siaga.cursors.v1"
DEAD = "siaga.dead.v1"
EVENTS = "siaga.events.v1"

DAY_MS = 86_400_000


def state_topic(worker_id: str) -> str:
    """Changelog of the workers' states, by their group: as many partitions as the mentions."""
    return f"{worker_id}.state.v1"


class TopicSpec(msgspec.Struct, frozen=True):
    """How a topic is made. `partitions` None: the configured number (12 by default)."""

    name: str
    partitions: int | None = None
    compacted: bool = False
    retention_ms: int | None = None
    """None: kept for ever."""


TOPICS: tuple[TopicSpec, ...] = (
    TopicSpec(MENTIONS, retention_ms=7 * DAY_MS),
    TopicSpec(SCORED, retention_ms=7 * DAY_MS),
    TopicSpec(MINUTES, retention_ms=400 * DAY_MS),
    TopicSpec(INCIDENTS, compacted=True),
    TopicSpec(FEEDBACK, partitions=1),
    TopicSpec(ACTIONS),
    TopicSpec(CURSORS, partitions=1, compacted=True),
    TopicSpec(DEAD, retention_ms=30 * DAY_MS),
    TopicSpec(EVENTS, partitions=1, compacted=True),
)


def all_topics(worker_id: str) -> tuple[TopicSpec, ...]:
    """The product's topics and the changelog of one worker group."""
    return (*TOPICS, TopicSpec(state_topic(worker_id), compacted=True))
