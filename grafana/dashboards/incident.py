"""One brand's incident: from the first mention to recovery, with its clocks."""

from grafana.alerts.rule import Text
from grafana.dashboards.parts import ALERT, CRISIS, NORMAL, WATCH, Board, Panel, Query, Row, band
from grafana.promql import latest, level

BRAND = 'brand=~"$brand"'
SINCE = f"siaga_incident_unacknowledged_since_timestamp_seconds{{{BRAND}}}"
ONSET = f"siaga_incident_onset_timestamp_seconds{{{BRAND}}}"
WAITING = ((0, NORMAL), (300, WATCH), (900, ALERT), (3600, CRISIS))


def _clock(title: str, about: Text, expr: str, **more: object) -> Panel:
    values: dict[str, object] = {"width": 6, "height": 5, "unit": "s", "steps": WAITING} | more
    query = Query(expr, "{{brand}}", instant=True)
    return Panel("stat", title, about, (query,), no_value="-", **values)  # type: ignore[arg-type] # keyword names are checked by the dataclass itself


INCIDENT = Board(
    "incident",
    Text(id="Insiden", en="Incident"),
    Text(
        id="Dari sebutan pertama sampai pulih: jam, tingkat, penggerak.",
        en="From the first mention to recovery: clocks, levels, drivers.",
    ),
    (
        Row(
            Text(id="Jam", en="Clocks"),
            (
                _clock(
                    "Since onset",
                    Text(id="Sejak awal insiden.", en="Since the incident began."),
                    f"time() - min by (brand) (last_over_time({ONSET}[2m]))",
                    steps=((0, NORMAL),),
                ),
                _clock(
                    "Waiting for acknowledgement",
                    Text(
                        id="Belum ada yang menerima sejak ini. Kosong: sudah diterima.",
                        en="Nobody has acknowledged since. Empty: somebody has.",
                    ),
                    f"time() - min by (brand) (last_over_time({SINCE}[2m]))",
                ),
                _clock(
                    "First response overdue",
                    Text(
                        id="1: jawaban pertama terlambat untuk tingkat ini.",
                        en="1: the first response is later than this level allows.",
                    ),
                    latest("siaga_response_overdue", "brand", "level", brand="$brand"),
                    unit="short",
                    steps=((0, NORMAL), (1, CRISIS)),
                ),
                _clock(
                    "Oldest wait",
                    Text(
                        id="Keluhan tertua yang belum dijawab.",
                        en="The oldest complaint without an answer.",
                    ),
                    "time() - min by (brand) (last_over_time("
                    f"siaga_oldest_unanswered_timestamp_seconds{{{BRAND}}}[2m]))",
                ),
            ),
        ),
        Row(
            Text(id="Jalannya", en="Its course"),
            (
                Panel(
                    "state-timeline",
                    "Levels",
                    Text(id="Tingkat sepanjang insiden.", en="Levels through the incident."),
                    (Query(level(brand="$brand"), "{{brand}}"),),
                    width=24,
                    height=5,
                    levels=True,
                ),
                band(
                    "volume",
                    "Mentions per minute",
                    Text(
                        id="Kembali ke dalam pita berarti mereda.",
                        en="Back inside the band means recovery.",
                    ),
                ),
                band(
                    "negative_share",
                    "Negative share",
                    Text(
                        id="Turun setelah jawaban berarti jawaban itu berhasil.",
                        en="Falling after a response means that the response works.",
                    ),
                    unit="percentunit",
                ),
                Panel(
                    "timeseries",
                    "Surprise by signal",
                    Text(
                        id="Sinyal mana yang menggerakkan; 3 berarti sekali dalam seribu menit.",
                        en="Which signal drives it; 3 is once in a thousand minutes.",
                    ),
                    (Query(latest("siaga_anomaly_score", "signal", brand="$brand"), "{{signal}}"),),
                ),
                Panel(
                    "timeseries",
                    "Unanswered by age",
                    Text(
                        id="Keluhan yang belum dijawab, menurut umurnya.",
                        en="Complaints without an answer, by age.",
                    ),
                    (
                        Query(
                            latest("siaga_unanswered_complaints", "age", brand="$brand"), "{{age}}"
                        ),
                    ),
                    stack=True,
                ),
                Panel(
                    "timeseries",
                    "Time to first response",
                    Text(
                        id="Setengah dan 90% jawaban pertama 24 jam terakhir datang dalam waktu "
                        "ini.",
                        en="Half and 90 % of the last 24 hours' first responses came within this "
                        "time.",
                    ),
                    tuple(
                        Query(
                            f"histogram_quantile({share}, sum by (le) "
                            "(last_over_time(siaga_first_response_seconds_bucket[2m])))",
                            legend,
                        )
                        for share, legend in ((0.5, "50 %"), (0.9, "90 %"))
                    ),
                    width=24,
                    unit="s",
                ),
            ),
        ),
    ),
    variables=("brand",),
    since="now-3h",
)
