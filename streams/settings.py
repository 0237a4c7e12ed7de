"""One root model of `siaga.toml`, built from the packages' `siaga.settings` entry points.

Every section is a pydantic model with `extra="forbid"`; secrets come from the environment only:
a key that ends in `_env` names the variable.
"""

from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal, TypeVar
from zoneinfo import ZoneInfo

from pydantic import Field, PrivateAttr, create_model, field_validator, model_validator

from streams.dials import DetectionSettings, SeveritySettings
from streams.lesson_settings import LessonSettings
from streams.reload import ConfigFile
from streams.section import Name, Section
from streams.taxonomy import TaxonomySettings

__all__ = [
    "BrandSettings",
    "LogSettings",
    "MetricsSettings",
    "Name",
    "RootSettings",
    "Section",
    "WorkerSettings",
    "root_model",
]

S = TypeVar("S", bound=Section)


class LogSettings(Section):
    """Where records live: `embedded` (SQLite in data_dir, one process) or `kafka`."""

    kind: Literal["embedded", "kafka"] = "embedded"
    bootstrap: tuple[str, ...] = ("127.0.0.1:9092",)
    prefix: str = Field(default="", pattern=r"^[a-zA-Z0-9._-]{0,40}$")
    """Before every topic name (several teams, or tests, on one Kafka); logs add and strip it."""
    partitions: int = Field(default=12, ge=1, le=1000)
    replication: int = Field(default=1, ge=1, le=9)
    security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    username: str | None = None
    password_env: str | None = None
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None


class BrandSettings(Section):
    """How a brand is recognised. The table's key is its name (label and record key)."""

    title: str = ""
    names: tuple[str, ...] = ()
    """Names as people write them; matched at word boundaries, case and accents folded."""
    handles: tuple[str, ...] = ()
    """Accounts without @ that people address."""
    keywords: tuple[str, ...] = ()
    exclusions: tuple[str, ...] = ()
    """Phrases that make a match void ("siaga satu" is no mention of Siaga)."""
    own_accounts: tuple[str, ...] = ()
    """Accounts that the brand itself writes from; its replies stop clocks."""


class MetricsSettings(Section):
    host: str = "127.0.0.1"
    port: int = Field(default=9108, ge=0, le=65535)


class WorkerSettings(Section):
    """How the stream is worked. Defaults suit one laptop and one worker of a cluster alike."""

    id: str = Field(default="siaga", pattern=r"^[a-zA-Z0-9._-]{1,100}$")
    """Consumer group and prefix of the changelog topics."""
    instance: str = Field(default="", pattern=r"^[a-zA-Z0-9._-]{0,200}$")
    """Static member name; unique a worker. Empty: host and metrics port."""
    allowed_lateness_s: int = Field(default=120, ge=0, le=86_400)
    blind_after_s: int = Field(default=300, ge=30, le=86_400)
    """A source without a healthy tick for this long (by its run's clock) no longer holds back."""
    dedupe_horizon_s: int = Field(default=172_800, ge=60)
    state_dir: Path | None = None
    """Folder of the worker's scratch file, on a disk; None: data_dir."""


class RootSettings(Section):
    """The part of the root that streams/ owns; `load` adds the other packages' sections."""

    language: Literal["id", "en"] = "id"
    """What the comms team reads: alerts, page, sentences."""
    time_zone: str = "Asia/Jakarta"
    data_dir: Path = Path("siaga-data")
    shown_run: str = "live"
    """The run that metrics, page and alerts show; a replay can be shown on purpose."""
    log: LogSettings = LogSettings()
    brands: dict[Name, BrandSettings] = Field(default_factory=dict)
    metrics: MetricsSettings = MetricsSettings()
    worker: WorkerSettings = WorkerSettings()
    detection: DetectionSettings = DetectionSettings()
    severity: SeveritySettings = SeveritySettings()
    taxonomy: TaxonomySettings = TaxonomySettings()
    """What mentions can be about."""
    lessons: LessonSettings = LessonSettings()
    """How the team's corrections teach."""
    _file: ConfigFile | None = PrivateAttr(default=None)

    @property
    def file(self) -> ConfigFile | None:
        """The file that services may follow (`streams.reload.changes`); None: built by hand."""
        return self._file

    def came_from(self, file: ConfigFile) -> None:
        """Note the file, once, where the settings are read."""
        self._file = file

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as e:
            msg = f"unknown time zone {value!r}; use an IANA name such as Asia/Jakarta"
            raise ValueError(msg) from e
        return value

    @model_validator(mode="after")
    def _brands_exist(self) -> "RootSettings":
        for brand in self.severity.brands:
            if brand not in self.brands:
                msg = f"[severity.brands.{brand}]: there is no [brands.{brand}]"
                raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _watched_topics_exist(self) -> "RootSettings":
        names = self.taxonomy.taxonomy.names
        if "topics" in self.detection.model_fields_set:
            for topic in self.detection.topics:
                if topic not in names:
                    msg = f"[detection] topics: unknown topic {topic!r}; use {', '.join(names)}"
                    raise ValueError(msg)
        return self

    def section(self, kind: type[S]) -> S:
        """The value of another package's section, by its class.

        Raises
        ------
        LookupError
            If no installed package registers that class under `siaga.settings`.
        """
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, kind):
                return value
        msg = f"{kind.__name__} is not registered under the entry point group siaga.settings"
        raise LookupError(msg)


@cache
def root_model() -> type[RootSettings]:
    """The root model with every installed package's section (entry point name = table name)."""
    fields: dict[str, Any] = {}
    for point in sorted(entry_points(group="siaga.settings"), key=lambda p: p.name):
        section: type[Section] = point.load()
        fields[point.name] = (section, section())
    return create_model("Settings", __base__=RootSettings, **fields)
