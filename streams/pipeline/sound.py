"""What a record of the mentions topic must be besides well-formed, or the stream chokes on it.

The connectors' door sees to all of this; another program that writes to the topic may not. Nothing
here asks a clock: a worker whose own one is wrong must not bury good mentions.
"""

from datetime import UTC, datetime

from streams.records import Batch, Mention, MentionsRecord, Tick

OLDEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
"""A watermark never goes back: one tick of the year 9999 would make every later mention late."""

MOST_RUN_CHARS = 63


def problem_of(record: MentionsRecord) -> str | None:
    """Why a record as a whole cannot be taken, as a sentence; None if it can."""
    run = record.run
    # A bar would tear the keys of the state apart.
    if not run or len(run) > MOST_RUN_CHARS or "|" in run or not run.isprintable():
        return f"run {run[:80]!r} is no name: use letters, digits, - and _"
    if isinstance(record, Tick):
        for what, at in (("watermark", record.watermark), ("clock", record.clock)):
            if not _of_our_time(at):
                return f"the tick's {what} {at.isoformat()} is no time of ours (1970 to 2099)"
    return None


def problem_of_mention(mention: Mention) -> str | None:
    """The same for one mention of a batch."""
    at = mention.published_at
    if not _of_our_time(at):
        return f"published_at {at.isoformat()} is no time of ours (1970 to 2099)"
    return None


def all_sound(batch: Batch) -> bool:
    """Whether every mention can be taken."""
    return all(_of_our_time(mention.published_at) for mention in batch.mentions)


def _of_our_time(at: datetime) -> bool:
    return OLDEST <= at < LATEST
