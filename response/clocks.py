"""Which complaints wait for an answer, and which incidents for the brand's first word (pure).

One definition for the metrics, the page and the wall. A *complaint* is a negative mention that
expects an answer: not the brand's own, not deleted, and no spam, giveaway or pure repost. It is
*unanswered* until an own mention replies to it, for at most 24 hours after its publication: nobody
answers yesterday's complaint first. An incident's *first response* is the first own reply to a
complaint published since its onset, or the first own post that is no reply (a statement) since
then; routine replies to older complaints do not count. `replied` by a person counts, too: answers
are also given where no connector looks.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from streams.records import Action, Incident, LevelChange, Mention, Scored

HORIZON_S = 24 * 3600.0
KEPT = 5000
"""Complaints, and own words, kept a brand; more unanswered ones than this are shown as so many."""
SILENT_FLAGS = frozenset({"spam", "giveaway", "repost"})
"""Marks of `detectors.language.flags` on what expects no answer."""
AGES: tuple[tuple[str, float], ...] = (
    ("15m", 900.0),
    ("1h", 3600.0),
    ("4h", 4 * 3600.0),
    ("24h", HORIZON_S),
)
"""Label and upper end of the ages by which the waiting are told."""


def expects_answer(scored: Scored) -> bool:
    """Is it a complaint that the brand should answer?"""
    return (
        scored.sentiment == "negative"
        and not scored.mention.own
        and not scored.mention.deleted
        and SILENT_FLAGS.isdisjoint(scored.flags)
    )


class Word(msgspec.Struct, frozen=True, gc=False):
    """Something the brand wrote: when, and since when what it answers has been there."""

    at: float
    about: float
    answers: bool = False
    """The first reply to a complaint, and no statement."""


@dataclass(slots=True)
class Complaints:
    """Unanswered complaints of one brand, and what the brand wrote. Times are epoch seconds."""

    waiting: OrderedDict[str, float] = field(default_factory=OrderedDict)
    """Id to the time of publication."""
    early: OrderedDict[str, float] = field(default_factory=OrderedDict)
    """Replies to what has not been seen (sources differ in speed): id to the time of the reply."""
    answered: OrderedDict[str, None] = field(default_factory=OrderedDict)
    """An edit or a repeat of an answered complaint is no new one."""
    words: deque[Word] = field(default_factory=lambda: deque(maxlen=KEPT))

    def scored(self, scored: Scored) -> None:
        """Work in one mention."""
        mention = scored.mention
        if mention.own:
            self._reply(mention)
            return
        published = mention.published_at.timestamp()
        if not expects_answer(scored):
            # Deleted, or edited into something that asks for nothing.
            self.waiting.pop(mention.id, None)
            return
        if mention.id in self.waiting or mention.id in self.answered:
            return
        if (replied := self.early.pop(mention.id, None)) is not None:
            self._answered(mention.id, replied, published)
            return
        self.waiting[mention.id] = published
        while len(self.waiting) > KEPT:
            self.waiting.popitem(last=False)

    def _reply(self, mention: Mention) -> None:
        at = mention.published_at.timestamp()
        if mention.deleted:
            return
        if not mention.in_reply_to:
            self.words.append(Word(at, at))
            return
        # A source names the parent by its native id; mentions are keyed `source:native_id`.
        for parent in (mention.in_reply_to, f"{mention.source}:{mention.in_reply_to}"):
            published = self.waiting.pop(parent, None)
            if published is not None:
                self._answered(parent, at, published)
            elif parent not in self.answered:
                self.early.setdefault(parent, at)
        while len(self.early) > KEPT:
            self.early.popitem(last=False)

    def _answered(self, mention_id: str, at: float, published: float) -> None:
        # After a day nobody waits any more, so that it is no first response either.
        self.words.append(Word(at, published, answers=at - published <= HORIZON_S))
        self.answered[mention_id] = None
        while len(self.answered) > KEPT:
            self.answered.popitem(last=False)

    def response_times(self, now: float) -> list[float]:
        """Seconds from complaint to first reply, of the last day's replies."""
        return [
            # Clocks of two sources may differ by seconds.
            max(0.0, word.at - word.about)
            for word in list(self.words)
            if word.answers and word.at > now - HORIZON_S
        ]

    def unanswered(self, now: float) -> tuple[int, float | None]:
        """How many complaints wait, and when the oldest of them was published."""
        waiting = self._since(now - HORIZON_S)
        return len(waiting), min(waiting, default=None)

    def by_age(self, now: float) -> dict[str, int]:
        """How many wait, by the labels of `AGES`; every label is there."""
        found = dict.fromkeys((label for label, _ in AGES), 0)
        for published in self._since(now - HORIZON_S):
            age = now - published
            found[next(label for label, end in AGES if age < end or end == HORIZON_S)] += 1
        return found

    def _since(self, first: float) -> list[float]:
        # A copy: metrics are read in a thread of their own.
        return [published for published in list(self.waiting.values()) if published > first]

    def forget(self, now: float) -> None:
        """Let go of what has waited beyond the horizon; bounds the memory of busy brands."""
        for mention_id in [k for k, at in self.waiting.items() if at <= now - HORIZON_S]:
            del self.waiting[mention_id]

    def first_response(self, incident: Incident) -> float | None:
        """When the brand first wrote about an incident, as far as mentions tell."""
        onset = incident.onset.timestamp()
        return min((w.at for w in list(self.words) if w.about >= onset), default=None)


def first_word(
    incident: Incident, complaints: Complaints | None, actions: Iterable[Action]
) -> float | None:
    """When the brand first responded to an incident: what it wrote, or what a person reported."""
    said = [a.at.timestamp() for a in actions if a.kind == "replied"]
    written = complaints.first_response(incident) if complaints else None
    return min([*said, *([] if written is None else [written])], default=None)


def due_at(incident: Incident, minutes: Mapping[int, int]) -> float | None:
    """When the first response to an incident is due; None if its levels have no clock.

    The clock of each level starts when the incident reached it: the earliest deadline counts, so
    that neither a rise nor a fall of the level gives more time.
    """
    history = incident.history or (LevelChange(incident.level, incident.opened_at),)
    deadlines = [c.at.timestamp() + 60 * minutes[c.level] for c in history if c.level in minutes]
    return min(deadlines, default=None)


def overdue(
    incident: Incident, responded: float | None, minutes: Mapping[int, int], *, now: float
) -> bool:
    """Is the first response to an open incident later than its severity allows?"""
    due = due_at(incident, minutes)
    return responded is None and due is not None and now >= due
