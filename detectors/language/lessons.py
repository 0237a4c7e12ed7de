"""The team's corrections: folded in log order into a shadow model, promoted when they do no harm.

Every worker folds the same records in the same order from the same shipped weights, so all hold
the same bits. The shadow learns at once; the active model, which scores mentions, changes only by
a `promote` record whose gates pass, and goes back by a `rollback` record.
"""

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from detectors.language.admission import STARS, Admission, LabelLike
from detectors.language.cases import Case, hard_cases
from detectors.language.lesson_config import LessonConfig
from detectors.language.understanding import (
    RATING_TRUST,
    SENTIMENTS,
    Language,
    LanguageConfig,
    Learned,
    Sentiment,
)

SNAPSHOT_FORMAT: Final = 2
DECISIONS_MOST: Final = 50


class Gate(msgspec.Struct, frozen=True):
    """How the shadow compares with the active model; `passed` allows a promotion."""

    passed: bool
    hard_active: float
    hard_shadow: float
    held_out_active: float | None
    held_out_shadow: float | None
    held_out: int
    reason: str = ""


class Decision(msgspec.Struct, frozen=True):
    """A promotion or rollback, done or refused."""

    kind: str
    who: str
    at: datetime
    version: str
    done: bool
    reason: str


class _Version(msgspec.Struct, frozen=True):
    version: str
    learned: Learned


class _Held(msgspec.Struct, frozen=True):
    text: str
    sentiment: Sentiment


class _Snapshot(msgspec.Struct):
    format: int
    base: str
    config: LessonConfig
    taxonomy: str
    next_offset: int
    labels: int
    learned: int
    capped: int
    admission: Admission
    held_out: list[_Held]
    decisions: list[Decision]
    shadow: Learned
    active: _Version
    versions: list[_Version]


class LessonBook:
    """All that people taught, as one value that every worker holds alike.

    Parameters
    ----------
    config, language
        Must be the same on every worker.
    """

    def __init__(
        self,
        config: LessonConfig = LessonConfig(),  # noqa: B008  # frozen
        language: LanguageConfig = LanguageConfig(),  # noqa: B008  # frozen
    ) -> None:
        self.config = config
        self.language = language
        self.active = Language(language)
        """The model that scores mentions; replaced, never changed, by a promotion."""
        self.base = self.active.version
        self.shadow = Language(language)
        self._topics = frozenset(self.active.taxonomy.names)
        self.next_offset = 0
        self.labels = self.learned = self.capped = 0
        self.admission = Admission()
        self.decisions: deque[Decision] = deque(maxlen=DECISIONS_MOST)
        self._held_out: deque[_Held] = deque(maxlen=config.held_out_most)
        self._versions: list[_Version] = [_Version(self.base, self.active.learned())]

    def apply(self, label: LabelLike, offset: int | None = None) -> None:
        """Fold one record; a repeat of an offset already folded changes nothing.

        Parameters
        ----------
        offset
            Place of the record in the log; None for the next.
        """
        place = self.next_offset if offset is None else offset
        if place < self.next_offset:
            return
        self.next_offset = place + 1
        if label.kind == "promote":
            self._promote(label)
        elif label.kind == "rollback":
            self._roll_back(label)
        else:
            self._label(label)

    def skip(self, offset: int) -> None:
        """Pass over a record that is no label."""
        self.next_offset = max(self.next_offset, offset + 1)

    def _label(self, label: LabelLike) -> None:
        by_stars = label.kind == "rating"
        self.labels += not by_stars
        sentiment = label.sentiment if label.sentiment in SENTIMENTS else None
        topics = label.topics and tuple(t for t in label.topics if t in self._topics)
        if sentiment is None and topics is None:
            return
        match self.admission.judge(label, sentiment, topics, self.config):
            case "learn":
                self.learned += 1
                trust = RATING_TRUST if by_stars else 1.0
                self.shadow.learn(label.text, sentiment, topics, trust)
            case "test" if sentiment is not None:
                self._held_out.append(_Held(label.text[:2000], sentiment))
            case "capped":
                self.capped += 1
            case _:  # a repeat, or a contradiction, which is shown
                pass

    @property
    def wants_stars(self) -> bool:
        """Whether a further rating would be learned."""
        return self.admission.room(STARS, self.config)

    @property
    def starred(self) -> int:
        """Ratings learned since the last promotion."""
        return self.admission.by_person.get(STARS, 0)

    def gate(self) -> Gate:
        """Compare the shadow with the active model on the hard cases and the held-out labels."""
        cases = hard_cases()
        hard_active = _accuracy(self.active, cases)
        hard_shadow = _accuracy(self.shadow, cases)
        held = [Case(h.sentiment, (), h.text) for h in self._held_out]
        enough = len(held) >= self.config.least_held_out
        held_active = _accuracy(self.active, held) if enough else None
        held_shadow = _accuracy(self.shadow, held) if enough else None
        reason = ""
        if hard_shadow < hard_active - self.config.harm_ratio:
            reason = (
                f"accuracy on the hard cases would fall from {hard_active:.3f} to {hard_shadow:.3f}"
            )
        elif (
            held_active is not None
            and held_shadow is not None
            and held_shadow < held_active - self.config.harm_ratio
        ):
            reason = (
                f"held-out labels: accuracy would fall from {held_active:.3f} to {held_shadow:.3f}"
            )
        return Gate(
            not reason, hard_active, hard_shadow, held_active, held_shadow, len(held), reason
        )

    def _promote(self, label: LabelLike) -> None:
        gate = self.gate()
        version = f"{self.base}+{self.learned}.{self.shadow.digest()[:8]}"
        if gate.passed and version != self.active.version:
            self.active = self.shadow.copy(version)
            self._versions.append(_Version(version, self.active.learned()))
            del self._versions[1 : -self.config.versions_kept]  # what ships stays
            self.admission.by_person = {}
        reason = gate.reason or "no harm on the hard cases and the held-out labels"
        self.decisions.append(
            Decision("promote", label.who, label.at, version, gate.passed, reason)
        )

    def _roll_back(self, label: LabelLike) -> None:
        """Return to a version (the one before, if none is named); its shadow starts anew there."""
        names = [v.version for v in self._versions]
        at = names.index(self.active.version) if self.active.version in names else len(names)
        wanted = label.version or (names[at - 1] if at > 0 else names[0])
        if wanted not in names:
            reason = f"unknown version; kept: {', '.join(names)}"
            self.decisions.append(Decision("rollback", label.who, label.at, wanted, False, reason))
            return
        kept = self._versions[names.index(wanted)]
        self._versions = self._versions[: names.index(wanted) + 1]
        self.active = Language.restored(self.language, kept.learned, kept.version)
        self.shadow = self.active.copy()
        self.admission.by_person = {}
        self.decisions.append(
            Decision(
                "rollback", label.who, label.at, wanted, True, "labels since then are forgotten"
            )
        )

    @property
    def versions(self) -> tuple[str, ...]:
        """Versions that a rollback can return to, oldest first."""
        return tuple(v.version for v in self._versions)

    @property
    def held_out(self) -> int:
        """Labels kept to test with."""
        return len(self._held_out)

    def digest(self) -> str:
        """Fingerprint of the active and the shadow model: equal on all workers."""
        return f"{self.active.version}:{self.active.digest()}:{self.shadow.digest()}"

    def snapshot(self) -> bytes:
        """The whole book, to start from without reading the log from its beginning."""
        state = _Snapshot(
            SNAPSHOT_FORMAT,
            self.base,
            self.config,
            self.active.taxonomy.digest(),
            self.next_offset,
            self.labels,
            self.learned,
            self.capped,
            self.admission,
            list(self._held_out),
            list(self.decisions),
            self.shadow.learned(),
            _Version(self.active.version, self.active.learned()),
            self._versions,
        )
        return msgspec.msgpack.encode(state)

    @classmethod
    def restore(
        cls,
        blob: bytes,
        config: LessonConfig = LessonConfig(),  # noqa: B008  # frozen
        language: LanguageConfig = LanguageConfig(),  # noqa: B008  # frozen
    ) -> "LessonBook":
        """A book from its snapshot.

        Raises
        ------
        ValueError
            If the snapshot is of other shipped weights, topics or thresholds, or of another
            format: fold the log from its beginning instead.
        """
        book = cls(config, language)
        try:
            state = msgspec.msgpack.decode(blob, type=_Snapshot)
        except msgspec.DecodeError as e:
            msg = f"not a snapshot of lessons: {e}; read siaga.feedback.v1 from its beginning"
            raise ValueError(msg) from e
        if state.format != SNAPSHOT_FORMAT or state.base != book.base:
            msg = (
                f"snapshot of weights {state.base} (format {state.format}) does not fit "
                f"{book.base}: read siaga.feedback.v1 from its beginning"
            )
            raise ValueError(msg)
        if state.taxonomy != book.active.taxonomy.digest():
            msg = "snapshot of other topics: read siaga.feedback.v1 from its beginning"
            raise ValueError(msg)
        if state.config != config:
            msg = "snapshot of other [lessons]: read siaga.feedback.v1 from its beginning"
            raise ValueError(msg)
        book.next_offset = state.next_offset
        book.labels, book.learned, book.capped = state.labels, state.learned, state.capped
        book.admission = state.admission
        book._held_out.extend(state.held_out)
        book.decisions.extend(state.decisions)
        book.shadow = Language.restored(language, state.shadow, book.base)
        book.active = Language.restored(language, state.active.learned, state.active.version)
        book._versions = state.versions
        return book


def _accuracy(model: Language, cases: Sequence[Case]) -> float:
    right = sum(model.understand(c.text).sentiment == c.sentiment for c in cases)
    return right / len(cases) if cases else 1.0
