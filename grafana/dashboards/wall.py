"""The wall: an office TV, readable from five metres; it answers "is anything wrong, and where?"."""

from grafana.alerts.rule import Text
from grafana.dashboards.parts import (
    ALERT,
    BAND,
    CRISIS,
    NORMAL,
    WATCH,
    Board,
    Panel,
    Query,
    Row,
)
from grafana.promql import latest, level

NOW = "max by (brand) (last_over_time(siaga_severity_level[2m] @ end()))"
UNANSWERED = latest("siaga_unanswered_complaints", "brand", "age")
SCORE = "max by (brand) (last_over_time(siaga_anomaly_score[2m] @ end()))"
WORST = f"topk(1, (1000 * {NOW} + clamp_max({SCORE}, 999)) or on (brand) (1000 * {NOW}))"
"""The brand that matters: highest level, then the greatest surprise; fixed over the window."""


def _of_worst(signal: str, title: str, about: Text, unit: str) -> Panel:
    queries = tuple(
        Query(
            f'max(max by (brand) (last_over_time(siaga_{kind}{{signal="{signal}"}}[2m]))'
            f" and on (brand) {WORST})",
            kind.capitalize(),
        )
        for kind in ("upper", "expected", "observed")
    )
    return Panel("timeseries", title, about, queries, unit=unit, height=9, colours=BAND)


WALL = Board(
    "wall",
    Text(id="Dinding", en="Wall"),
    Text(
        id="Untuk TV kantor: merek menurut tingkat, dan yang paling penting di atas.",
        en="For the office TV: brands by level, the one that matters on top.",
    ),
    (
        Row(
            Text(id="Sekarang", en="Now"),
            (
                Panel(
                    "stat",
                    "Matters most",
                    Text(
                        id="Merek dengan tingkat tertinggi, lalu yang paling mengejutkan.",
                        en="The brand at the highest level, then the most surprising one.",
                    ),
                    (Query(WORST, "{{brand}}", instant=True),),
                    width=10,
                    height=8,
                    steps=((0, NORMAL), (1000, WATCH), (2000, ALERT), (3000, CRISIS)),
                    options={"textMode": "name", "text": {"titleSize": 64, "valueSize": 96}},
                    no_value="-",
                ),
                Panel(
                    "stat",
                    "Brands by severity",
                    Text(
                        id="Tingkat setiap merek; yang tertinggi di depan.",
                        en="Level of each brand, the highest first.",
                    ),
                    (Query(f"sort_desc({level()})", "{{brand}}", instant=True),),
                    width=10,
                    height=8,
                    levels=True,
                    options={"textMode": "value_and_name", "text": {"valueSize": 36}},
                    no_value="-",
                ),
                Panel(
                    "stat",
                    "Since last tick",
                    Text(
                        id="Umur data. Di atas dua menit, layar ini tidak boleh dipercaya.",
                        en="Age of the data. Above two minutes do not believe this screen.",
                    ),
                    (
                        Query(
                            "time() - max(last_over_time(siaga_last_tick_timestamp_seconds[1d]))",
                            instant=True,
                        ),
                    ),
                    width=4,
                    height=4,
                    unit="s",
                    steps=((0, NORMAL), (60, WATCH), (120, CRISIS)),
                    no_value="NO DATA",
                ),
                Panel(
                    "stat",
                    "Blind sources",
                    Text(
                        id="Sumber yang tidak terdengar lagi: sepi di sini bukan tenang.",
                        en="Sources that are not heard any more: silence there is not calm.",
                    ),
                    (Query(f"sum({latest('siaga_source_blind', 'source')})", instant=True),),
                    width=4,
                    height=4,
                    steps=((0, NORMAL), (1, CRISIS)),
                    no_value="?",
                ),
            ),
        ),
        Row(
            Text(id="Merek yang paling penting", en="The brand that matters most"),
            (
                _of_worst(
                    "volume",
                    "Mentions per minute",
                    Text(
                        id="Sebutan terhadap pita yang diperkirakan dari kebiasaan merek itu.",
                        en="Mentions against the band expected from the brand's own habits.",
                    ),
                    "short",
                ),
                _of_worst(
                    "negative_share",
                    "Negative share",
                    Text(
                        id="Porsi sebutan negatif terhadap pita yang diperkirakan.",
                        en="Share of negative mentions against the expected band.",
                    ),
                    "percentunit",
                ),
            ),
        ),
        Row(
            Text(id="Menunggu jawaban", en="Waiting for an answer"),
            (
                Panel(
                    "bargauge",
                    "Unanswered complaints",
                    Text(
                        id="Keluhan yang belum dijawab merek, menurut umurnya.",
                        en="Complaints that the brand has not answered, by age.",
                    ),
                    (
                        Query(
                            f"sum by (age) ({UNANSWERED})",
                            "{{age}}",
                            instant=True,
                        ),
                    ),
                    width=16,
                    height=6,
                    steps=((0, NORMAL), (10, WATCH), (50, ALERT)),
                    no_value="0",
                ),
                Panel(
                    "stat",
                    "Oldest wait",
                    Text(
                        id="Sejak kapan keluhan tertua menunggu.",
                        en="How long the oldest complaint has waited.",
                    ),
                    (
                        Query(
                            "time() - min(last_over_time("
                            "siaga_oldest_unanswered_timestamp_seconds[2m]))",
                            instant=True,
                        ),
                    ),
                    width=8,
                    height=6,
                    unit="s",
                    steps=((0, NORMAL), (3600, WATCH), (14_400, ALERT)),
                    no_value="-",
                ),
            ),
        ),
    ),
)
