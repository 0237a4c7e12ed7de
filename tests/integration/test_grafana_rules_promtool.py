"""When the exported rules fire and when they must not, minute by minute, by promtool."""

import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from local_process import Missing
from local_prometheus import install

from grafana.alerts import rules
from grafana.alerts.as_prometheus import rule_file
from grafana.settings import GrafanaSettings
from grafana.yaml import dump

SETTINGS = GrafanaSettings()
QUIET_LEVEL = ('siaga_severity_level{brand="melati"}', "0x200")


@dataclass(frozen=True)
class Scenario:
    """Series (one sample a minute), and which alert fires in which minutes only."""

    promise: str
    alert: str
    series: dict[str, str]
    fires: tuple[str, ...]
    silent: tuple[str, ...]
    labels: dict[str, str] = field(default_factory=dict)


def _level(values: str) -> dict[str, str]:
    return {'siaga_severity_level{brand="melati"}': values}


def _scored(observed: str, expected: str) -> dict[str, str]:
    return {
        'siaga_observed{brand="melati",signal="volume"}': observed,
        'siaga_expected{brand="melati",signal="volume"}': expected,
        'siaga_anomaly_score{brand="melati",signal="volume"}': "5x200",
    }


def _share(negative: str, others: str) -> dict[str, str]:
    of = 'siaga_mentions_total{brand="melati",channel="forum",sentiment="%s"}'
    return {
        of % "negative": negative,
        of % "neutral": others,
        'siaga_expected{brand="melati",signal="negative_share"}': "0.2x400",
    }


# promtool counts "0 since the epoch" as now: minute 100 is time() == 6000
SINCE = 'siaga_incident_unacknowledged_since_timestamp_seconds{brand="melati",level="%s"}'

SCENARIOS = (
    Scenario(
        "a level is told as it is and ends with it",
        "SiagaLevel",
        _level("0x9 2x9 0x9") | _scored("118x30", "12x30"),
        fires=("10m", "19m"),
        silent=("9m", "20m", "25m"),
        labels={"severity": "alert", "audience": "channel oncall"},
    ),
    Scenario(
        "levels exclude each other",
        "SiagaLevel",
        _level("1x9 3x9"),
        fires=("12m",),
        silent=(),
        labels={"severity": "crisis", "audience": "channel oncall management"},
    ),
    Scenario(
        "a brand that no worker exports for a minute keeps its alert",
        "SiagaLevel",
        _level("2x5 _ 2x9"),
        fires=("5m", "6m", "7m"),
        silent=(),
        labels={"severity": "alert", "audience": "channel oncall"},
    ),
    Scenario("a quiet week is silent", "SiagaLevel", _level("0x200"), (), ("1m", "100m")),
    Scenario(
        "an announced campaign is silent while the worker judges it normal",
        "SiagaLevel",
        _level("0x200")
        | _scored("400x200", "380x200")
        | {'siaga_event_announced{brand="melati"}': "1x200"},
        (),
        ("1m", "60m"),
    ),
    Scenario(
        "a security topic fires at once and at any volume",
        "SiagaSecurityTopic",
        {'siaga_topic_level{brand="melati",topic="security"}': "0x4 1x4 0x9"},
        fires=("5m", "9m"),
        silent=("4m", "12m"),
        labels={"severity": "alert", "topic": "security"},
    ),
    Scenario(
        "another topic does not count as security",
        "SiagaSecurityTopic",
        {'siaga_topic_level{brand="melati",topic="delivery"}': "3x20"},
        (),
        ("10m",),
    ),
    Scenario(
        "three brands at ALERT are one shared crisis",
        "SiagaManyBrands",
        {f'siaga_severity_level{{brand="{b}"}}': "0x4 2x9 0x9" for b in ("a", "b", "c")},
        fires=("7m",),
        silent=("4m", "18m"),
        labels={"severity": "crisis"},
    ),
    Scenario(
        "two brands are not many",
        "SiagaManyBrands",
        {f'siaga_severity_level{{brand="{b}"}}': "3x20" for b in ("a", "b")},
        (),
        ("10m",),
    ),
    Scenario(
        "a share that is high for hours fires though the level is normal",
        "SiagaNegativeForHours",
        dict([QUIET_LEVEL]) | _share("0+2x9 23+5x300", "0+8x9 77+5x300"),
        fires=("190m",),
        silent=("9m", "20m"),
        labels={"severity": "watch"},
    ),
    Scenario(
        "a high share of a handful is chance",
        "SiagaNegativeForHours",
        dict([QUIET_LEVEL]) | _share("0+0.08x400", "0+0.02x400"),
        (),
        ("30m", "190m", "300m"),
    ),
    Scenario(
        "a high share is not told twice while a level is raised",
        "SiagaNegativeForHours",
        _level("2x400") | _share("0+5x400", "0+5x400"),
        (),
        ("190m",),
    ),
    Scenario(
        "on-call is reminded of a crisis after five minutes and not before",
        "SiagaUnacknowledged",
        _level("3x200") | {SINCE % "3": "6000x200"},
        fires=("106m", "114m"),
        silent=("103m", "104m"),
        labels={"severity": "alert", "audience": "channel oncall"},
    ),
    Scenario(
        "an acknowledgement ends the reminder in its minute",
        "SiagaUnacknowledged",
        _level("3x200")
        | {
            SINCE % "3": "6000x108 _x9",
            'siaga_incident_acknowledged{brand="melati"}': "0x108 1x9",
        },
        fires=("106m", "108m"),
        silent=("109m", "112m"),
        labels={"severity": "alert"},
    ),
    Scenario(
        "a snooze pauses the ladder until it ends",
        "SiagaUnacknowledged",
        _level("3x200")
        | {
            SINCE % "3": "6000x200",
            'siaga_incident_snoozed_until_timestamp_seconds{brand="melati"}': "6540x200",
        },
        fires=("110m", "114m"),
        silent=("106m", "108m"),
        labels={"severity": "alert", "audience": "channel oncall"},
    ),
    Scenario(
        "management is told after fifteen minutes",
        "SiagaUnacknowledged",
        _level("3x200") | {SINCE % "3": "6000x200"},
        fires=("116m", "150m"),
        silent=(),
        labels={"severity": "crisis", "audience": "channel oncall management"},
    ),
    Scenario(
        "an ALERT waits longer than a crisis",
        "SiagaUnacknowledged",
        _level("2x200") | {SINCE % "2": "6000x200"},
        fires=("116m",),
        silent=("106m", "114m"),
        labels={"severity": "alert", "audience": "channel oncall"},
    ),
    Scenario(
        "an acknowledgement stops the ladder",
        "SiagaUnacknowledged",
        _level("3x200") | {SINCE % "3": "6000x110 stale"},
        fires=("109m",),
        silent=("114m", "130m"),
        labels={"severity": "alert", "audience": "channel oncall"},
    ),
    Scenario(
        "a late first response in a crisis is told as a crisis",
        "SiagaResponseOverdue",
        _level("3x30") | {'siaga_response_overdue{brand="melati",level="3"}': "0x9 1x9 0x9"},
        fires=("12m",),
        silent=("9m", "22m"),
        labels={"severity": "crisis", "audience": "channel oncall"},
    ),
    Scenario(
        "a drill does not reach management",
        "SiagaDrill",
        {'siaga_drill_level{brand="melati",management="no"}': "0x4 3x9 0x9"},
        fires=("7m",),
        silent=("4m", "18m"),
        labels={"severity": "drill", "audience": "channel oncall"},
    ),
    Scenario(
        "a drill reaches management if it says so",
        "SiagaDrill",
        {'siaga_drill_level{brand="melati",management="yes"}': "0x4 3x9 0x9"},
        fires=("7m",),
        silent=("4m", "18m"),
        labels={"severity": "drill", "audience": "channel oncall management"},
    ),
    Scenario(
        "a source that stays blind is told, a hiccup is not",
        "SiagaSourceBlind",
        {'siaga_source_blind{source="forum"}': "0x4 1 0x4 1x9 0x9"},
        fires=("14m",),
        silent=("5m", "6m", "9m", "26m"),
        labels={"severity": "page", "audience": "operations"},
    ),
    Scenario(
        "a connector that has not fetched for a quarter of an hour",
        "SiagaConnectorFailing",
        {'siaga_connector_last_success_timestamp_seconds{connector="forum"}': "60+60x9 600x40"},
        fires=("27m",),
        silent=("9m", "20m", "25m"),
        labels={"severity": "page", "audience": "operations"},
    ),
    Scenario(
        "lag that stays",
        "SiagaWorkerLag",
        {'siaga_worker_lag_records{partition="0"}': "0x4 9000 0x4 9000x9 0x9"},
        fires=("14m",),
        silent=("5m", "9m", "28m"),
        labels={"severity": "page"},
    ),
    Scenario(
        "slow scoring",
        "SiagaLatency",
        {
            'siaga_end_to_end_latency_seconds_bucket{le="30"}': "0x30",
            'siaga_end_to_end_latency_seconds_bucket{le="60"}': "0+60x30",
            'siaga_end_to_end_latency_seconds_bucket{le="+Inf"}': "0+60x30",
        },
        fires=("12m",),
        silent=("3m",),
        labels={"severity": "ticket"},
    ),
    Scenario(
        "fast scoring is silent",
        "SiagaLatency",
        {
            'siaga_end_to_end_latency_seconds_bucket{le="0.5"}': "0+60x30",
            'siaga_end_to_end_latency_seconds_bucket{le="+Inf"}': "0+60x30",
        },
        (),
        ("12m", "25m"),
    ),
    Scenario(
        "a tenth of the input unreadable",
        "SiagaDeadLetters",
        {
            'siaga_dead_letters_total{stage="decode",reason="no_json"}': "0+10x60",
            'siaga_mentions_total{brand="melati",channel="x",sentiment="neutral"}': "0+90x60",
        },
        fires=("20m",),
        silent=("1m",),
        labels={"severity": "ticket"},
    ),
    Scenario(
        "one in a hundred unreadable is silent",
        "SiagaDeadLetters",
        {
            'siaga_dead_letters_total{stage="decode",reason="no_json"}': "0+1x60",
            'siaga_mentions_total{brand="melati",channel="x",sentiment="neutral"}': "0+99x60",
        },
        (),
        ("20m", "50m"),
    ),
    Scenario(
        "a gap in the stream",
        "SiagaStreamGap",
        {'siaga_stream_gaps_total{kind="healed"}': "0x9 1x60"},
        fires=("11m",),
        silent=("9m", "30m"),
        labels={"severity": "ticket"},
    ),
    Scenario(
        "a worker that stays away",
        "SiagaWorkerMissing",
        {'siaga_worker_up{instance="a"}': "1x9 stale _x9 1x9"},
        fires=("14m",),
        silent=("9m", "23m"),
        labels={"severity": "page"},
    ),
    Scenario(
        "no tick for minutes",
        "SiagaNoData",
        {"siaga_last_tick_timestamp_seconds": "0+60x9 540x20"},
        fires=("14m",),
        silent=("9m", "11m"),
        labels={"severity": "page", "audience": "operations oncall"},
    ),
    Scenario(
        "a worker that is restarted",
        "SiagaNoData",
        {"siaga_last_tick_timestamp_seconds": "0+60x9 stale _ 720+60x20"},
        fires=(),
        silent=("9m", "10m", "11m", "12m", "20m"),
    ),
    Scenario("no data at all", "SiagaNoData", {"up": "1x30"}, ("2m", "20m"), ("0m",)),
)


WORDS: dict[str, Any] = {
    "name": "the summary tells observed and expected",
    "interval": "1m",
    "input_series": [
        {"series": name, "values": values}
        for name, values in (_level("0x4 3x9") | _scored("118x30", "12x30")).items()
    ],
    "alert_rule_test": [
        {
            "alertname": "SiagaLevel",
            "eval_time": "6m",
            "exp_alerts": [
                {
                    "exp_labels": {
                        "brand": "melati",
                        "severity": "crisis",
                        "audience": "channel oncall management",
                        "by_siaga": "yes",
                        "thread": "level",
                    },
                    "exp_annotations": {
                        "summary": "CRISIS: melati. Mentions: 118 a minute, usually 12.",
                        "description": "Observed 118 a minute, expected 12. Evidence and "
                        "samples are on the incident's page: acknowledge first, then read.",
                        "runbook": "siaga grafana runbook SiagaLevel",
                    },
                }
            ],
        }
    ],
}


@pytest.fixture(scope="module")
def promtool() -> Path:
    """The promtool of the local Prometheus."""
    try:
        return install() / "promtool"
    except Missing as e:
        pytest.skip(f"promtool: this machine lacks {e}")


def test_every_rule_has_a_firing_and_a_silent_test() -> None:
    names = {rule.name for rule in rules(SETTINGS.thresholds)}
    assert {each.alert for each in SCENARIOS if each.fires} == names
    assert {each.alert for each in SCENARIOS if each.silent} == names


@pytest.mark.services
def test_rules_fire_in_their_minutes_and_in_no_others(promtool: Path, tmp_path: Path) -> None:
    text = dump(rule_file(rules(SETTINGS.thresholds), SETTINGS, "en"))
    (tmp_path / "rules.yml").write_text(text)
    tests = [*(_as_test(each) for each in SCENARIOS), WORDS]
    document = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": tests}
    (tmp_path / "tests.yml").write_text(dump(document))
    checked = subprocess.run(
        [promtool, "check", "rules", "rules.yml"], cwd=tmp_path, capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    done = subprocess.run(
        [promtool, "test", "rules", "tests.yml"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _as_test(scenario: Scenario) -> dict[str, Any]:
    """Counts alerts through Prometheus' own ALERTS series, so that texts need no repeating."""
    labels = {"alertname": scenario.alert, "alertstate": "firing", **scenario.labels}
    inside = ",".join(f'{key}="{value}"' for key, value in labels.items())
    any_severity = f'ALERTS{{alertname="{scenario.alert}",alertstate="firing"}}'
    checks = [_check(f"count(ALERTS{{{inside}}})", at, 1) for at in scenario.fires]
    # Exactly one: no second severity beside it
    checks += [_check(f"count({any_severity})", at, 1) for at in scenario.fires]
    checks += [_check(f"count({any_severity}) or vector(0)", at, 0) for at in scenario.silent]
    return {
        "name": scenario.promise,
        "interval": "1m",
        "input_series": [{"series": name, "values": v} for name, v in scenario.series.items()],
        "promql_expr_test": checks,
    }


def _check(expr: str, at: str, count: int) -> dict[str, Any]:
    sample = {"labels": "{}", "value": count}
    return {"expr": expr, "eval_time": at, "exp_samples": [sample]}
