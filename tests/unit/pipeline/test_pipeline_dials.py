"""`[detection]` and `[severity]`: bounds, unknown keys, and brands that differ."""

import pytest

from detectors.anomaly.config import BankConfig
from detectors.incidents.severity import SeverityConfig
from streams.config import ConfigError, parse
from streams.worker.service import pipeline_config


def test_without_sections_the_dials_are_the_defaults_of_the_code() -> None:
    config = pipeline_config(parse(""))
    assert config.bank == BankConfig(utc_offset_s=7 * 3600)  # Asia/Jakarta
    assert config.severity == SeverityConfig()


def test_days_begin_at_local_midnight_without_daylight_saving() -> None:
    def hours(zone: str) -> float:
        return pipeline_config(parse(f'time_zone = "{zone}"')).bank.utc_offset_s / 3600

    zones = ("Europe/Berlin", "America/New_York", "Australia/Sydney", "Asia/Kathmandu", "UTC")
    assert [hours(zone) for zone in zones] == [1, -5, 10, 5.75, 0]


def test_a_brand_differs_in_what_it_names_and_in_nothing_else() -> None:
    text = """
[brands.toko]
[brands.kurir]
[severity]
alert_excess = 15
[severity.brands.toko]
alert_evidence = 5.5
"""
    config = pipeline_config(parse(text))
    assert config.severity_of("toko") == SeverityConfig(alert_excess=15.0, alert_evidence=5.5)
    assert config.severity_of("kurir") == SeverityConfig(alert_excess=15.0)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[severity]\nalert_exces = 15", 'siaga.toml:2: unknown key severity.alert_exces; did you'),
        ("[detection]\nbase_days = -1", "siaga.toml:2: detection.base_days"),
        ("[detection]\nstep_s = 30", "siaga.toml:2: unknown key detection.step_s"),
        ("[severity]\nfloor_share = 1.5", "siaga.toml:2: severity.floor_share"),
        ("[severity.brands.nobody]\nalert_excess = 9", "there is no [brands.nobody]"),
    ],
)  # fmt: skip
def test_mistakes_are_named_by_key_and_line(text: str, told: str) -> None:
    with pytest.raises(ConfigError) as e:
        parse(text)
    assert told in str(e.value)
