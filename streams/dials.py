"""The dials of detection as sections of `siaga.toml`, made from the dataclasses that hold them.

Defaults, names and reasons stay where they are used (`BankConfig`, `SeverityConfig`); here they
get bounds, and unknown keys become mistakes with a line.
"""

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from pydantic import Field, create_model

from detectors.anomaly.config import BankConfig
from detectors.incidents.severity import SeverityConfig
from streams.section import Name, Section

SHAPE = frozenset({"step_s", "scales_s", "share_scales_s", "slow_scales_s", "block_s"})
"""Not offered: they are the shape of what was learned, and another shape would lose it."""
ELSEWHERE = frozenset({"utc_offset_s"})
"""Not offered either: `time_zone` says it."""

WATCHED_TOPICS = ("app", "delivery", "refund", "security", "service")
"""Topics with series of their own unless the configuration says otherwise."""

MOST_SERIES = 12
"""Topics, and channels, that may have series: each costs a bank per brand that talks about it."""

_POSITIVE = frozenset({"base_days", "rhythm_days", "carry_s", "score_cap", "floor_per_minute"})
_SHARES = frozenset(
    {
        "alert_negative_share",
        "announced_negative_share",
        "floor_share",
        "hold_fraction",
        "share_points",
        "alert_share_rise",
        "slow_part",
        "slow_hold",
    }
)


def _dials(config: type[BankConfig] | type[SeverityConfig]) -> dict[str, Any]:
    """Field definitions for pydantic, by dial."""
    defaults = asdict(config())
    made: dict[str, Any] = {}
    for dial in fields(config):
        if dial.name in SHAPE | ELSEWHERE:
            continue
        value = defaults[dial.name]
        bounds: dict[str, Any] = {"le": 1} if dial.name in _SHARES else {"le": 1e9}
        bounds |= {"gt": 0} if dial.name in _POSITIVE else {"ge": 0}
        made[dial.name] = (type(value), Field(default=value, **bounds))
    return made


class DetectionSection(Section):
    """`[detection]`: how a series is watched; docs/detection.md explains the dials."""

    topics: tuple[Name, ...] = Field(default=WATCHED_TOPICS, max_length=MOST_SERIES)
    """Topics that are watched apart, brand by brand; [] for none."""
    channels: tuple[Name, ...] = Field(default=(), max_length=MOST_SERIES)
    """Channels that are watched apart."""

    def bank(self, time_zone: str = "UTC") -> BankConfig:
        """The dials as detectors take them, for brands that live in a time zone."""
        dials = self.model_dump(exclude={"topics", "channels"})
        return BankConfig(**dials, utc_offset_s=_standard_offset_s(time_zone))


def _standard_offset_s(time_zone: str) -> int:
    """Offset without daylight saving: an hour's shift twice a year would move every learned day."""
    midwinter = datetime(2026, 1, 1, tzinfo=ZoneInfo(time_zone))
    offset = (midwinter.utcoffset() or timedelta()) - (midwinter.dst() or timedelta())
    return int(offset.total_seconds())


class SeverityDials(Section):
    """The dials of `SeverityConfig`, all of them optional."""


class SeveritySection(SeverityDials):
    """`[severity]`: what takes a level; `[severity.brands.NAME]` holds what differs for a brand."""

    brands: Mapping[Name, SeverityDials] = {}

    def config(self) -> SeverityConfig:
        """The dials of all brands."""
        return SeverityConfig(**self.model_dump(exclude={"brands"}))

    def by_brand(self) -> dict[str, SeverityConfig]:
        """The dials of the brands that differ."""
        common = self.config()
        return {
            brand: replace(common, **dials.model_dump(exclude_unset=True))
            for brand, dials in self.brands.items()
        }


if TYPE_CHECKING:
    DetectionSettings = DetectionSection
    SeveritySettings = SeveritySection
else:
    _OneBrand = create_model("OneBrand", __base__=SeverityDials, **_dials(SeverityConfig))
    DetectionSettings = create_model("Detection", __base__=DetectionSection, **_dials(BankConfig))
    SeveritySettings = create_model(
        "Severity",
        __base__=SeveritySection,
        brands=(dict[Name, _OneBrand], {}),
        **_dials(SeverityConfig),
    )
