"""Rules about what people have not done yet: acknowledge, answer."""

from grafana.alerts.rule import Case, Number, Rule, Severity, Text
from grafana.promql import else_zero_per_brand, latest, selector
from grafana.settings import Audience, Thresholds

SINCE = "siaga_incident_unacknowledged_since_timestamp_seconds"
SNOOZED = f"{latest('siaga_incident_snoozed_until_timestamp_seconds', 'brand')} > time()"
"""A snooze pauses the ladder; the worker ends it when the level rises."""
TAKEN = f"{latest('siaga_incident_acknowledged', 'brand')} > 0"
"""Said aloud, as the worker's series merely vanishes, which queries see two minutes later."""
REPLAY_S = 30 * 86_400
"""Older than this is no incident that waits, but a replay of old data on its own clock."""


def people_rules(thresholds: Thresholds) -> tuple[Rule, ...]:
    """The rules of this file."""
    return (_unacknowledged(thresholds), _overdue())


def _age(level: str) -> str:
    # The exporter gives a time, not an age: an age would freeze with the worker
    since = f"last_over_time({selector(SINCE, level=level)}[2m])"
    return f"(time() - min by (brand) ({since}))"


def _waiting(minutes: dict[str, tuple[int, int | None]]) -> str:
    steps = []
    for level, (start, end) in minutes.items():
        age, last_s = _age(level), REPLAY_S if end is None else 60 * end
        # The level that was is still seen for two minutes, and would hide the one that is
        now = f"({latest('siaga_severity_level', 'brand')} == {level})"
        steps.append(
            f"(({age} >= bool {60 * start}) * ({age} < bool {last_s}) and on (brand) {now})"
        )
    hushed = f"({SNOOZED}) or ({TAKEN})"
    return else_zero_per_brand(f"(({' or '.join(steps)}) unless on (brand) ({hushed}))")


def _unacknowledged(thresholds: Thresholds) -> Rule:
    alert, crisis = (
        thresholds.unacknowledged_alert_minutes,
        thresholds.unacknowledged_crisis_minutes,
    )
    first = _waiting({"2": alert, "3": crisis})
    last = _waiting({"2": (alert[1], None), "3": (crisis[1], None)})
    return Rule(
        name="SiagaUnacknowledged",
        group="people",
        cases=(
            Case(first, "alert", ("channel", "oncall")),
            Case(last, "crisis", ("channel", "oncall", "management")),
        ),
        above=0.5,
        for_s=0,
        thread="unacknowledged",
        summary=Text(
            id="{brand}: sudah {waiting} belum ada yang menerima tugas.",
            en="{brand}: nobody has acknowledged for {waiting}.",
        ),
        description=Text(
            id="Insiden terbuka dan belum ada yang mengambilnya. Buka halaman insiden dan terima.",
            en="An incident is open and nobody has taken it. Open its page and acknowledge.",
        ),
        why="The age itself is the wait: no `for`. An acknowledgement resolves it at the next "
        "evaluation. Each brand is at one step of the ladder at a time: on-call is reminded, then "
        "management is told.",
        numbers=(Number("waiting", _age("2|3"), "duration"),),
        dashboard="incident",
        panel="Waiting for acknowledgement",
    )


def _overdue() -> Rule:
    heard: tuple[Audience, ...] = ("channel", "oncall")
    cases: tuple[tuple[str, Severity], ...] = (("0|1|2", "alert"), ("3", "crisis"))
    return Rule(
        name="SiagaResponseOverdue",
        group="people",
        cases=tuple(
            Case(
                else_zero_per_brand(latest("siaga_response_overdue", "brand", level=level)),
                severity,
                heard,
            )
            for level, severity in cases
        ),
        above=0.5,
        for_s=0,
        thread="response",
        summary=Text(
            id="{brand}: jawaban pertama terlambat.",
            en="{brand}: the first response is overdue.",
        ),
        description=Text(
            id="Merek belum menulis apa pun tentang insiden ini. Pernyataan singkat yang jujur "
            "lebih baik daripada diam.",
            en="The brand has written nothing about this incident. A short, honest holding "
            "statement beats silence.",
        ),
        why="The clock of the incident (15 or 60 minutes by severity) is the wait: no `for`.",
        dashboard="incident",
        panel="First response overdue",
    )
