"""The levels of severity in people's words, by their numbers (detectors/incidents/severity.py)."""

from collections.abc import Mapping

LEVEL_WORDS: Mapping[str, tuple[str, str, str, str]] = {
    "id": ("NORMAL", "WASPADA", "SIAGA", "AWAS"),
    "en": ("NORMAL", "WATCH", "ALERT", "CRISIS"),
}
"""By language; the English ones stand in JSON, too."""
