"""What the stages need to know, made from the settings by the shell."""

from collections.abc import Callable
from dataclasses import dataclass, field

from detectors.anomaly.bank import BankConfig
from detectors.incidents.severity import SeverityConfig
from streams.pipeline.series import Watched


def nothing_announced(_brand: str, _minute_s: int) -> bool:
    """No planned events."""
    return False


@dataclass(frozen=True)
class PipelineConfig:
    """Dials of the pipeline; see `siaga.toml` for their meaning to a person."""

    brands: frozenset[str]
    titles: dict[str, str] = field(default_factory=dict)
    time_zone: str = "Asia/Jakarta"
    lateness_s: int = 120
    blind_after_s: int = 300
    dedupe_horizon_s: int = 172_800
    bank: BankConfig = field(default_factory=BankConfig)
    severity: SeverityConfig = field(default_factory=SeverityConfig)
    severity_by_brand: dict[str, SeverityConfig] = field(default_factory=dict)
    """Where a brand's dials differ."""
    watched: Watched = field(default_factory=Watched)
    """Topics and channels with series of their own."""
    announced: Callable[[str, int], bool] = nothing_announced
    """Whether an event was announced for a brand in the minute that starts at a time."""

    def title(self, brand: str) -> str:
        """Name of a brand as people write it."""
        return self.titles.get(brand, brand)

    def severity_of(self, brand: str) -> SeverityConfig:
        """Dials of a brand's levels."""
        return self.severity_by_brand.get(brand, self.severity)
