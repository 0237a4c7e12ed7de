"""Incidents, mentions and samples as the browser gets them: public text made safe (pure)."""

from collections.abc import Mapping
from typing import Any

from detectors.incidents.explanation import OTHER
from response.page.view import RunView, is_open, with_actions
from response.text import limit, link, shown
from streams.records import Incident, Sample, Scored

SAMPLES_SHOWN = 5

Json = dict[str, Any]


def as_acted(incident: Incident, run: RunView) -> Incident:
    """The incident with what people did, before the worker has heard of it."""
    return with_actions(incident, run.actions.get(incident.id, ()))


def incident_json(
    incident: Incident,
    run: RunView,
    titles: Mapping[str, str],
    language: str,
    *,
    brief: bool = False,
) -> Json:
    """An incident; `brief` leaves evidence out."""
    acted = as_acted(incident, run)
    out: Json = {
        "id": acted.id,
        "brand": acted.brand,
        "title": titles.get(acted.brand) or acted.brand,
        "level": acted.level if is_open(acted) else 0,
        "peak": acted.peak,
        "signal": acted.signal,
        "onset": acted.onset.timestamp(),
        "opened": acted.opened_at.timestamp(),
        "updated": acted.updated_at.timestamp(),
        "closed": acted.closed_at.timestamp() if acted.closed_at else None,
        "change": acted.change,
        "observed": acted.observed,
        "expected": acted.expected,
        "upper": limit(acted.expected, acted.upper),
        "score": acted.score,
        "sentence": shown(sentence(acted, language)),
        "acknowledged_by": shown(acted.acknowledged_by, 60),
        "acknowledged": acted.acknowledged_at.timestamp() if acted.acknowledged_at else None,
        "simulated": acted.simulated,
    }
    if brief:
        return out
    return out | {
        "drivers": {
            "topics": shares(acted.topics),
            "channels": named(acted.channels),
            "authors": named(acted.authors),
            "phrases": named(acted.phrases),
        },
        "flags": [shown(f, 60) for f in acted.flags],
        "first": sample_json(acted.first) if acted.first else None,
        "samples": [sample_json(s) for s in acted.samples[:SAMPLES_SHOWN]],
        "history": [[c.level, c.at.timestamp()] for c in acted.history],
        "notes": [
            {
                "kind": a.kind,
                "who": shown(a.who, 60),
                "at": a.at.timestamp(),
                "text": shown(a.text, 500),
                "via": shown(a.via, 40),
                "until": a.until.timestamp() if a.until else None,
            }
            for a in run.actions.get(acted.id, ())
        ],
    }


def sentence(incident: Incident, language: str) -> str:
    """What happened, in the reader's language if the worker wrote it, else in any."""
    return incident.sentences.get(language) or next(iter(incident.sentences.values()), "")


def shares(parts: Mapping[str, float], most: int = 5) -> list[tuple[str, float]]:
    """The largest shares first; names are the public's words."""
    top = sorted(parts.items(), key=lambda p: (-p[1], p[0]))[:most]
    return [(shown(name, 60), share) for name, share in top]


def named(parts: Mapping[str, float]) -> list[tuple[str, float]]:
    """As `shares`, without what the explanation could not name."""
    return shares({name: share for name, share in parts.items() if name != OTHER})


def mention_json(brand: str, scored: Scored) -> Json:
    mention = scored.mention
    return {
        "id": mention.id,
        "brand": brand,
        "at": mention.published_at.timestamp(),
        "source": mention.source,
        "author": shown(mention.author, 40),
        "text": shown(mention.text, 280),
        "url": link(mention.url),
        "sentiment": scored.sentiment,
        "sure": scored.probabilities[_ORDER[scored.sentiment]],
        "topics": list(scored.topics),
        "flags": list(scored.flags),
        "own": mention.own,
        "late": scored.fate == "late",
        "edited": scored.fate == "revision",
        "simulated": mention.simulated,
        "rating": mention.rating,
    }


def sample_json(sample: Sample) -> Json:
    return {
        "id": sample.id,
        "at": sample.published_at.timestamp(),
        "source": sample.source,
        "author": shown(sample.author, 40),
        "text": shown(sample.text, 280),
        "url": link(sample.url),
        "sentiment": sample.sentiment,
        "topics": list(sample.topics),
        "reach": sample.reach,
        "simulated": sample.simulated,
    }


_ORDER = {"negative": 0, "neutral": 1, "positive": 2}
