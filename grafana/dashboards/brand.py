"""One brand: its signals with observed, expected and upper, and what the talk is about."""

from grafana.alerts.rule import Text
from grafana.dashboards.parts import (
    NEGATIVE,
    NEUTRAL,
    POSITIVE,
    Board,
    Panel,
    Query,
    Row,
    band,
)
from grafana.promql import latest, level

RATE = 'rate(siaga_mentions_total{{brand=~"$brand",channel=~"$channel"}}[5m])'
PER_MINUTE = f"60 * sum by ({{by}}) ({RATE})"


def _per_minute(by: str) -> str:
    return PER_MINUTE.format(by=by)


BRAND = Board(
    "brand",
    Text(id="Merek", en="Brand"),
    Text(
        id="Semua tentang satu merek: tingkat, sinyal, isi pembicaraan.",
        en="All about one brand: level, signals, what the talk is about.",
    ),
    (
        Row(
            Text(id="Tingkat", en="Level"),
            (
                Panel(
                    "state-timeline",
                    "Severity",
                    Text(
                        id="Tingkat insiden sepanjang waktu. Tanda: insiden dibuka, naik, ditutup.",
                        en="Level over time. Marks: incidents opened, raised, closed.",
                    ),
                    (Query(level(brand="$brand"), "{{brand}}"),),
                    width=16,
                    height=5,
                    levels=True,
                ),
                Panel(
                    "bargauge",
                    "Surprise now",
                    Text(
                        id="-log10 peluang: 3 berarti sekali dalam seribu menit, 6 dalam sejuta.",
                        en="-log10 of the chance: 3 is once in a thousand minutes, 6 in a million.",
                    ),
                    (
                        Query(
                            latest("siaga_anomaly_score", "signal", brand="$brand"),
                            "{{signal}}",
                            instant=True,
                        ),
                    ),
                    width=8,
                    height=5,
                    steps=((0, "#56B4E9"), (3, "#E69F00"), (6, "#D55E00")),
                    no_value="warming up",
                ),
            ),
        ),
        Row(
            Text(id="Sinyal terhadap kebiasaan", en="Signals against their habit"),
            (
                band(
                    "volume",
                    "Mentions per minute",
                    Text(
                        id="Semua sebutan. Di atas pita: sekali dalam seribu menit.",
                        en="All mentions. Above the band: once in a thousand minutes.",
                    ),
                ),
                band(
                    "negative_share",
                    "Negative share",
                    Text(
                        id="Porsi negatif; naik walau jumlahnya biasa berarti satu masalah nyata.",
                        en="Negative share; when it rises at normal volume, one problem is real.",
                    ),
                    unit="percentunit",
                ),
                band(
                    "negative",
                    "Negative mentions per minute",
                    Text(id="Sebutan negatif saja.", en="Negative mentions only."),
                    width=8,
                ),
                band(
                    "reach",
                    "Reach",
                    Text(
                        id="Orang yang mungkin melihat sebutan di menit itu.",
                        en="People who may have seen the minute's mentions.",
                    ),
                    width=8,
                ),
                band(
                    "authors",
                    "Distinct authors",
                    Text(
                        id="Penulis berbeda: sedikit penulis dengan banyak sebutan mungkin bot.",
                        en="Distinct authors: few of them with many mentions may be bots.",
                    ),
                    width=8,
                ),
                band(
                    "velocity",
                    "Reach of a single complaint",
                    Text(
                        id="Satu keluhan yang menyebar cepat (viral).",
                        en="One complaint that spreads fast.",
                    ),
                ),
                band(
                    "slow_burn",
                    "Complaints piling up",
                    Text(
                        id="Keluhan yang menumpuk selama berjam-jam tanpa lonjakan.",
                        en="Complaints piling up over hours without a peak.",
                    ),
                ),
            ),
        ),
        Row(
            Text(id="Isi pembicaraan", en="What the talk is about"),
            (
                Panel(
                    "timeseries",
                    "Sentiment",
                    Text(
                        id="Sebutan per menit menurut sentimen.",
                        en="Mentions a minute by sentiment.",
                    ),
                    (Query(_per_minute("sentiment"), "{{sentiment}}"),),
                    width=8,
                    stack=True,
                    colours={"negative": NEGATIVE, "neutral": NEUTRAL, "positive": POSITIVE},
                ),
                Panel(
                    "timeseries",
                    "Channels",
                    Text(id="Sebutan per menit menurut kanal.", en="Mentions a minute by channel."),
                    (Query(_per_minute("channel"), "{{channel}}"),),
                    width=8,
                    stack=True,
                ),
                Panel(
                    "state-timeline",
                    "Topics",
                    Text(
                        id="Tingkat menurut topik keluhan.",
                        en="Level by topic of complaint.",
                    ),
                    (
                        Query(
                            latest("siaga_topic_level", "topic", brand="$brand", topic="$topic"),
                            "{{topic}}",
                        ),
                    ),
                    width=8,
                    levels=True,
                ),
                Panel(
                    "timeseries",
                    "Share of voice",
                    Text(
                        id="Bagian setiap merek dari semua sebutan, rata-rata satu jam.",
                        en="Each brand's part of all mentions, averaged over an hour.",
                    ),
                    (
                        Query(
                            "sum by (brand) (rate(siaga_mentions_total[1h]))"
                            " / scalar(sum(rate(siaga_mentions_total[1h])))",
                            "{{brand}}",
                        ),
                    ),
                    width=16,
                    unit="percentunit",
                ),
                Panel(
                    "bargauge",
                    "New phrases",
                    Text(
                        id="Penulis dari tiap frasa yang baru ramai (paling banyak lima). Frasa "
                        "dan contohnya: `siaga themes`.",
                        en="Authors of each phrase that is new for the brand (five at most). The "
                        "phrases and examples: `siaga themes`.",
                    ),
                    (
                        # No lookback: a phrase that is no longer new shall go
                        Query(
                            'max by (rank) (siaga_theme_authors{brand="$brand"})',
                            "{{rank}}",
                            instant=True,
                        ),
                    ),
                    width=8,
                    no_value="none",
                ),
            ),
        ),
    ),
    variables=("brand", "channel", "topic"),
)
