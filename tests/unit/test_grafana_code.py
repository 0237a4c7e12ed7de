"""Rules, routes, dashboards, runbooks and files hold together."""

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from detectors.anomaly.bank import SIGNALS
from grafana.alerts import rules
from grafana.alerts.as_grafana import INTERVALS_S, Context, as_grafana, group_title
from grafana.alerts.routing import MissingSecret, contact_points, mute_timings, policy
from grafana.alerts.rule import Language, Rule
from grafana.alerts.wording import SIGNALS as NAMED
from grafana.alerts.wording import recorded_as
from grafana.dashboards import BOARDS, dashboards
from grafana.export import export
from grafana.runbooks import NoRunbook, runbook
from grafana.settings import Audience, GrafanaSettings, QuietHours, Weekday
from streams.config import load

ALL = rules(GrafanaSettings().thresholds)
LANGUAGES: tuple[Language, ...] = get_args(Language)


def settings(**more: Any) -> GrafanaSettings:
    contacts = {
        "tim": {"type": "slack", "url_env": "HOOK", "quiet_hours": True},
        "bos": {"type": "email", "addresses": ["a@b.example"], "audience": "management"},
        "sre": {"type": "telegram", "chat_id": -100, "token_env": "T", "audience": "operations"},
    }
    base = {"contacts": contacts, "quiet_hours": {"start": "22:00", "until": "06:00"}}
    return GrafanaSettings.model_validate(base | more)


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.name)
def test_every_rule_links_to_a_panel_that_exists_and_says_why(rule: Rule) -> None:
    titles = {
        board.key: {panel.title for row in board.rows for panel in row.panels} for board in BOARDS
    }
    assert rule.panel in titles[rule.dashboard]
    assert len(rule.why) > 40
    assert rule.thread.isidentifier()


def test_a_level_waits_for_no_other_rule_in_two_of_three_ticks_of_grafana() -> None:
    ticks_s = range(0, 300, 10)
    due = [
        [rule.name for rule in ALL if tick_s % INTERVALS_S[group_title(rule)] == 0]
        for tick_s in ticks_s
    ]
    assert all("SiagaLevel" in names for names in due)
    assert sum(names == ["SiagaLevel"] for names in due) * 3 >= 2 * len(due)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.name)
def test_every_rule_has_a_runbook_and_texts_without_open_places(
    rule: Rule, language: Language
) -> None:
    page = runbook(rule.name, language)
    assert page.startswith(f"# {rule.name}\n")
    assert page.count("\n## ") == 5
    body = as_grafana(rule, Context(settings(), language))
    for text in body["annotations"].values():
        outside = re.sub(r"\{\{.*?\}\}", "", text)
        assert "{" not in outside
        assert text.count("{{ if ") + text.count("{{ with ") == text.count("{{ end }}")
    assert len(body["uid"]) <= 40


def test_no_runbook_is_without_its_alert() -> None:
    pages = {path.name for path in Path(runbook.__code__.co_filename).parent.glob("*.md")}
    assert pages == {f"{rule.name}.{language}.md" for rule in ALL for language in LANGUAGES}
    with pytest.raises(NoRunbook, match="SiagaLevel"):
        runbook("../settings", "en")


def test_every_signal_of_the_detectors_has_a_name_for_people() -> None:
    assert set(NAMED) == set(SIGNALS)


def test_a_recorded_number_means_one_query() -> None:
    seen: dict[str, str] = {}
    for rule in ALL:
        for number in rule.numbers:
            assert seen.setdefault(recorded_as(rule, number), number.expr) == number.expr


def test_crisis_reaches_management_and_operations_never_do_and_a_drill_if_it_says_so() -> None:
    heard: dict[str, set[Audience]] = {}
    for rule in ALL:
        for case in rule.cases:
            heard.setdefault(case.severity, set()).update(case.audiences)
            if case.severity == "drill":
                assert ("management" in case.audiences) == ('management=~"yes"' in case.expr)
    assert "management" in heard["crisis"]
    for severity in ("page", "ticket", "watch", "alert"):
        assert "management" not in heard[severity]
    assert heard["ticket"] == {"operations"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_dashboards_have_unique_ids_described_panels_and_no_overlap(language: Language) -> None:
    for board in dashboards("siaga", language):
        ids = [panel["id"] for panel in board["panels"]]
        assert len(ids) == len(set(ids)), board["uid"]
        cells: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            place = panel["gridPos"]
            own = {
                (place["x"] + dx, place["y"] + dy)
                for dx in range(place["w"])
                for dy in range(place["h"])
            }
            assert place["x"] + place["w"] <= 24
            assert not cells & own, (board["uid"], panel["title"])
            cells |= own
            assert panel["type"] == "row" or panel["description"]


def test_quiet_hours_cross_midnight_and_crisis_ignores_them() -> None:
    quiet, other = mute_timings(settings(), "Asia/Jakarta")
    assert quiet["time_intervals"][0]["times"] == [
        {"start_time": "22:00", "end_time": "24:00"},
        {"start_time": "00:00", "end_time": "06:00"},
    ]
    branch = policy(settings())
    assert branch is not None
    by_day, by_night = (route for route in branch["routes"] if "mute_time_intervals" in route)
    assert by_day["receiver"] == by_night["receiver"] == "siaga-tim"
    assert by_day["mute_time_intervals"] == [quiet["name"]]
    assert by_night["mute_time_intervals"] == [other["name"]]
    assert not any(label == "severity" for label, *_ in by_day["object_matchers"])
    assert ["severity", "=", "crisis"] in by_night["object_matchers"]


@pytest.mark.parametrize(
    ("start", "until"), [("22:00", "06:00"), ("12:30", "13:15"), ("18:00", "00:00")]
)
@pytest.mark.parametrize("days", [(), ("saturday", "sunday")])
def test_at_each_minute_of_the_week_one_branch_speaks(
    start: str, until: str, days: tuple[str, ...]
) -> None:
    hours = QuietHours.model_validate({"start": start, "until": until, "days": days})
    timings = mute_timings(settings().model_copy(update={"quiet_hours": hours}), "UTC")
    for day in get_args(Weekday):
        for minute in range(24 * 60):
            clock = f"{minute // 60:02}:{minute % 60:02}"
            muted = [
                any(
                    day in interval.get("weekdays", (day,))
                    and any(t["start_time"] <= clock < t["end_time"] for t in interval["times"])
                    for interval in timing["time_intervals"]
                )
                for timing in timings
            ]
            assert sum(muted) == 1, (day, clock)
            inside = start <= clock < until if start < until else clock >= start or clock < until
            assert muted[0] == (inside and day in (days or (day,)))


def test_a_changed_secret_is_a_new_contact_point_and_a_missing_one_is_named() -> None:
    first, second = (
        {point["name"]: point["uid"] for point in contact_points(settings(), {"HOOK": h, "T": "t"})}
        for h in ("https://one", "https://two")
    )
    assert first["siaga-tim"] != second["siaga-tim"]
    assert first["siaga-sre"] == second["siaga-sre"]
    with pytest.raises(MissingSecret, match="HOOK, T"):
        contact_points(settings(), {})


def test_unknown_contact_types_and_quiet_hours_without_times_are_mistakes() -> None:
    with pytest.raises(ValidationError, match="pigeon"):
        settings(contacts={"x": {"type": "pigeon"}})
    with pytest.raises(ValidationError, match="quiet_hours"):
        settings(quiet_hours=None)


def test_exported_files_hold_no_secret_and_are_the_same_each_time(tmp_path: Path) -> None:
    paths = export(settings(), tmp_path / "a", "id", "Asia/Jakarta")
    export(settings(), tmp_path / "b", "id", "Asia/Jakarta")
    for path in paths:
        text = path.read_text(encoding="utf-8")
        assert text == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_text(
            encoding="utf-8"
        )
        if path.suffix == ".json":
            json.loads(text)
    alerting = (tmp_path / "a/grafana/alerting/siaga.yaml").read_text(encoding="utf-8")
    assert '"$HOOK"' in alerting
    assert '"$T"' in alerting
    assert "$$" not in alerting


def test_the_files_in_deploy_are_those_that_the_code_writes(tmp_path: Path) -> None:
    kept = Path(__file__).parents[2] / "deploy" / "grafana"
    config = load(kept / "siaga.toml")
    written = export(config.section(GrafanaSettings), tmp_path, config.language, config.time_zone)
    fresh = {path.relative_to(tmp_path) for path in written}
    committed = {path.relative_to(kept) for path in kept.rglob("*") if path.is_file()}
    assert committed - {Path("siaga.toml")} == fresh, "run make grafana-files"
    for path in fresh:
        same = (kept / path).read_text("utf-8") == (tmp_path / path).read_text("utf-8")
        assert same, f"{path} is not what the code writes: run make grafana-files"
