"""Judge one minute: from readings and evidence to the records of an incident."""

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from detectors.incidents.actions import Act, act
from detectors.incidents.announced import EVERY_BRAND
from detectors.incidents.detection import Detection
from detectors.incidents.episode import Change, Episode
from detectors.incidents.evidence import Evidence
from detectors.incidents.explain import Peak
from detectors.incidents.explanation import Explanation, Quote
from detectors.incidents.incident import IncidentState, step
from detectors.incidents.outbreak import Outbreak
from detectors.incidents.sentence import LANGUAGES, Facts, outbreak_sentence, sentence
from detectors.incidents.severity import SeverityConfig
from streams.records import Action, Incident, LevelChange, Sample

NO_NEWS = frozenset({"acknowledged", "snoozed", "false_alarm", "closed"})
"""Changes that are told with the evidence of before: nothing new was seen."""


def judge(
    state: IncidentState | None,
    evidence: Evidence,
    detection: Detection,
    *,
    brand_title: str,
    now: datetime,
    config: SeverityConfig,
    time_zone: str,
) -> tuple[IncidentState, tuple[Incident, ...]]:
    """Fold one closed minute, or look at an open one, and tell what changed.

    Parameters
    ----------
    now
        The run's clock.
    time_zone
        IANA name, for the times in sentences.
    """
    state, changes = step(state or IncidentState(), detection, now_s=now.timestamp(), config=config)
    return _told(state, changes, evidence, brand_title, time_zone)


def decide(
    state: IncidentState,
    evidence: Evidence,
    action: Action,
    *,
    brand_title: str,
    now: datetime,
    config: SeverityConfig,
    time_zone: str,
) -> tuple[IncidentState, tuple[Incident, ...]]:
    """Apply what a person did. A note changes no incident: it stands in the actions topic."""
    did = Act(
        id=action.id,
        kind=action.kind,
        incident=action.incident,
        who=action.who,
        at_s=int(action.at.timestamp()),
        until_s=int(action.until.timestamp()) if action.until else None,
    )
    state, changes = act(state, did, now_s=now.timestamp(), config=config)
    return _told(state, changes, evidence, brand_title, time_zone)


def _told(
    state: IncidentState,
    changes: tuple[Change, ...],
    evidence: Evidence,
    brand_title: str,
    time_zone: str,
) -> tuple[IncidentState, tuple[Incident, ...]]:
    if not changes:
        return state, ()
    records = []
    for change in changes:
        episode = change.episode
        known = (
            state.episode.explanation if state.episode and state.episode.id == episode.id else None
        )
        if change.kind not in NO_NEWS or known is None:
            known = _explained(evidence, change, known, brand_title)
        records.append(record(episode, known, change.kind, brand_title, time_zone))
        if state.episode is not None and state.episode.id == episode.id:
            told = msgspec.structs.replace(state.episode, explanation=known)
            state = msgspec.structs.replace(state, episode=told)
    return state, tuple(records)


def _explained(
    evidence: Evidence, change: Change, known: Explanation | None, brand_title: str
) -> Explanation:
    episode = change.episode
    fresh = evidence.explain(
        signal=episode.signal,
        onset_s=episode.onset_s,
        observed=episode.window_observed,
        expected=episode.window_expected,
        peak=Peak(episode.observed, episode.expected, episode.upper, episode.score),
        until_s=change.at_s,
        ignore=brand_title,
    )
    if known is not None and known.first is not None:
        # The first mention was seen closest to its time; later on it may be thinned away.
        first = known.first
        if fresh.first is None or first.at_s <= fresh.first.at_s:
            fresh = msgspec.structs.replace(fresh, first=first)
    return fresh


def record(
    episode: Episode,
    explanation: Explanation | None,
    change: str,
    brand_title: str,
    time_zone: str,
) -> Incident:
    """The record of an incident as it stands after a change."""
    told = explanation or Explanation(
        signal=episode.signal,
        onset_s=episode.onset_s,
        until_s=episode.updated_s,
        observed=episode.window_observed,
        expected=episode.window_expected,
    )
    facts = Facts(
        brand=brand_title or episode.brand,
        signal=episode.signal,
        observed=episode.window_observed or episode.observed,
        expected=episode.window_expected,
        onset_s=episode.onset_s,
        now_s=told.until_s,
        time_zone=time_zone,
        topic=episode.key.split("/")[1] if episode.key.startswith("topic/") else "",
        top_reach=told.spreading[0].reach if told.spreading else 0.0,
        closed=episode.closed_s is not None,
    )
    return Incident(
        id=episode.id,
        brand=episode.brand,
        run=episode.run,
        level=episode.level,
        peak=episode.peak,
        signal=episode.signal,
        onset=_time(episode.onset_s),
        opened_at=_time(episode.opened_s),
        updated_at=_time(episode.updated_s),
        closed_at=_time(episode.closed_s) if episode.closed_s is not None else None,
        observed=episode.observed,
        expected=episode.expected,
        upper=episode.upper,
        score=episode.score,
        sequence=episode.sequence,
        change=change,
        readings=episode.readings,
        history=tuple(LevelChange(level, _time(at_s)) for level, at_s in episode.history),
        topics=told.topics,
        channels=told.channels,
        authors=told.authors,
        phrases=told.phrases,
        clusters=told.clusters,
        without=told.without,
        organic=told.organic,
        window_observed=round(episode.window_observed, 3),
        window_expected=round(episode.window_expected, 3),
        spreading=tuple(_sample(quote) for quote in told.spreading),
        samples=tuple(_sample(quote) for quote in told.samples),
        first=_sample(told.first) if told.first else None,
        flags=(*episode.flags, *told.flags),
        sentences={language: sentence(facts, told, language) for language in LANGUAGES},
        acknowledged_by=episode.acknowledged_by,
        acknowledged_at=_time(episode.acknowledged_s)
        if episode.acknowledged_s is not None
        else None,
        snoozed_until=_time(episode.snoozed_until_s)
        if episode.snoozed_until_s is not None
        else None,
        simulated=episode.simulated or any(quote.simulated for quote in told.samples),
    )


def outbreak_record(outbreak: Outbreak, *, titles: Mapping[str, str], time_zone: str) -> Incident:
    """The parent incident of many brands, as a record of brand "*" (no brand can be named so).

    `observed` and `expected` count brands; `phrases` is empty and `authors` names nobody: the
    evidence stands with each brand's own incident, listed in `children`.
    """
    named = [titles.get(brand) or brand for brand in outbreak.brands]
    return Incident(
        id=outbreak.id,
        brand=EVERY_BRAND,
        run=outbreak.run,
        level=outbreak.level,
        peak=outbreak.peak_level,
        signal="outbreak",
        onset=_time(outbreak.onset_s),
        opened_at=_time(outbreak.opened_s),
        updated_at=_time(outbreak.updated_s),
        closed_at=_time(outbreak.closed_s) if outbreak.closed_s is not None else None,
        observed=float(len(outbreak.brands)),
        expected=outbreak.usual,
        upper=0.0,
        score=0.0,
        sequence=outbreak.sequence,
        change=outbreak.change if outbreak.change != "brands" else "evidence",
        topics=outbreak.topics,
        children=outbreak.incidents,
        sentences={
            language: outbreak_sentence(outbreak, named, language, time_zone)
            for language in LANGUAGES
        },
    )


def _sample(quote: Quote) -> Sample:
    return Sample(
        id=quote.id,
        source=quote.source,
        author=quote.author,
        text=quote.text,
        published_at=datetime.fromtimestamp(quote.at_s, UTC),
        sentiment=quote.sentiment,  # type: ignore[arg-type] # it was one of SENTIMENTS when observed
        url=quote.url,
        reach=quote.reach,
        topics=quote.topics,
        simulated=quote.simulated,
    )


def _time(epoch_s: int) -> datetime:
    return datetime.fromtimestamp(epoch_s, UTC)
