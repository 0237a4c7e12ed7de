"""Which topics an open incident is about: the level of each, for metrics."""

from collections.abc import Collection

from streams.pipeline.state import BrandState


def topic_levels(brand: BrandState, topics: Collection[str], *, evidence: float) -> dict[str, int]:
    """Level of each watched topic that the brand has heard of.

    A topic has the level of the open incident if it raised it, or surges as well (its evidence
    reaches `evidence`, what a WATCH takes); else 0.
    """
    begun = set(brand.series_names())
    levels = {topic: 0 for topic in topics if f"topic/{topic}" in begun}
    episode = brand.open_episode()
    if episode is None or brand.incident is None:
        return levels
    if episode.signal == "security":
        levels["security"] = episode.level
    if episode.key.startswith("topic/"):
        levels[episode.key.split("/")[1]] = episode.level
    for surge in brand.incident.surges:
        if surge.topic and surge.evidence >= evidence:
            levels[surge.topic] = episode.level
    return levels
