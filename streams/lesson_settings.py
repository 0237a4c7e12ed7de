"""`[lessons]` of `siaga.toml`: when a correction counts, and when a promotion does no harm."""

from typing import Final

from pydantic import Field

from detectors.language.lesson_config import LessonConfig
from streams.section import Section

_DEFAULT: Final = LessonConfig()


class LessonSettings(Section):
    """Must be the same on every worker; `LessonConfig` says what each one means."""

    free_labels: int = Field(default=_DEFAULT.free_labels, ge=1, le=100_000)
    person_share_ratio: float = Field(default=_DEFAULT.person_share_ratio, ge=0.0, le=1.0)
    held_out_every: int = Field(default=_DEFAULT.held_out_every, ge=2, le=1_000)
    least_held_out: int = Field(default=_DEFAULT.least_held_out, ge=1, le=_DEFAULT.held_out_most)
    harm_ratio: float = Field(default=_DEFAULT.harm_ratio, ge=0.0, le=0.2)

    def config(self) -> LessonConfig:
        """The thresholds of the book of lessons."""
        return LessonConfig(**self.model_dump())
