"""Rules about a brand: levels, security, many at once, slow burns, drills."""

from grafana.alerts.rule import Number, Rule, Severity, Text
from grafana.promql import driver_expected, driver_observed, else_zero_per_brand, latest, level
from grafana.settings import Audience, Thresholds

HOLD = (
    "The worker's own detectors already waited for evidence: no further `for`. No data and a "
    "failing Prometheus are SiagaNoData's business; brands keep their level meanwhile."
)

DRIVER = (
    Number("observed", driver_observed(), "signal"),
    Number("expected", driver_expected(), "signal"),
)
"""What the summary of a level tells: the signal that surprises most, observed and expected."""

LEVELS: tuple[tuple[int, str, Severity, str, str, tuple[Audience, ...]], ...] = (
    (1, "SiagaWatch", "watch", "WASPADA", "WATCH", ("channel",)),
    (2, "SiagaAlert", "alert", "SIAGA", "ALERT", ("channel", "oncall")),
    (3, "SiagaCrisis", "crisis", "AWAS", "CRISIS", ("channel", "oncall", "management")),
)


def brand_rules(thresholds: Thresholds) -> tuple[Rule, ...]:
    """The rules of this file."""
    return (
        *(_level_rule(*each) for each in LEVELS),
        _security(thresholds),
        _many_brands(thresholds),
        _negative_for_hours(thresholds),
        _drill(),
    )


def _level_rule(
    number: int,
    name: str,
    severity: Severity,
    title_id: str,
    title_en: str,
    audiences: tuple[Audience, ...],
) -> Rule:
    return Rule(
        name=name,
        group="brand",
        # `== bool`: exactly one of the three is 1 (Grafana has no inhibition), and at NORMAL all
        # are 0, so that an alert resolves at the next evaluation
        expr=f"{level()} == bool {number}",
        above=0.5,
        for_s=0,
        severity=severity,
        audiences=audiences,
        thread="level",
        summary=Text(
            id=f"{title_id}: {{brand}}. {{signal}} {{observed}}, biasanya {{expected}}.",
            en=f"{title_en}: {{brand}}. {{signal}} {{observed}}, usually {{expected}}.",
        ),
        description=Text(
            id=f"Tingkat {title_id} untuk {{brand}}: {{signal}} teramati {{observed}}, "
            "perkiraan {expected}. Bukti dan contoh ada di halaman insiden.",
            en=f"{{brand}} is at {title_en}: {{signal}} observed {{observed}}, expected "
            "{expected}. Evidence and samples are on the incident's page.",
        ),
        why=HOLD,
        numbers=DRIVER,
        panel="Severity",
    )


def _security(thresholds: Thresholds) -> Rule:
    topics = "|".join(thresholds.security_topics)
    return Rule(
        name="SiagaSecurityTopic",
        group="brand",
        expr=latest("siaga_topic_level", "brand", "topic", topic=topics),
        above=0.5,
        for_s=0,
        severity="alert",
        audiences=("channel", "oncall"),
        thread="security",
        labels=("brand", "topic"),
        summary=Text(
            id="{brand}: keluhan keamanan data ({topic}), tingkat {value}.",
            en="{brand}: complaints about data security ({topic}), level {value}.",
        ),
        description=Text(
            id="Orang menulis tentang akun dibajak atau data bocor. Jumlahnya boleh kecil: beri "
            "tahu tim keamanan sebelum menjawab.",
            en="People write of stolen accounts or leaked data. Few are enough: tell the security "
            "team before you answer.",
        ),
        why="Any volume counts, so there is no `for`. " + HOLD,
        panel="Topics",
    )


def _many_brands(thresholds: Thresholds) -> Rule:
    return Rule(
        name="SiagaManyBrands",
        group="brand",
        expr=f"count({level()} >= 2) or vector(0)",
        above=thresholds.many_brands - 0.5,
        for_s=30,
        severity="crisis",
        audiences=("channel", "oncall", "management"),
        thread="many",
        labels=(),
        summary=Text(
            id="{value} merek sekaligus di tingkat SIAGA atau AWAS.",
            en="{value} brands at ALERT or CRISIS at the same time.",
        ),
        description=Text(
            id="Sebab bersama mungkin di luar merek: pembayaran, kurir, jaringan, atau satu "
            "sumber data. Periksa itu dulu.",
            en="The cause may be shared: payments, a courier, a network, or one data source. Look "
            "at those first.",
        ),
        why="30 s: levels of several brands change in the same minute, in any order. " + HOLD,
        dashboard="wall",
        panel="Brands by severity",
    )


def _negative_for_hours(thresholds: Thresholds) -> Rule:
    hours = f"[{thresholds.negative_share_hours}h]"
    share = f'max by (brand) (avg_over_time(siaga_observed{{signal="negative_share"}}{hours}))'
    usual = f'max by (brand) (avg_over_time(siaga_expected{{signal="negative_share"}}{hours}))'
    return Rule(
        name="SiagaNegativeForHours",
        group="brand",
        # Only while no level is raised: that would be told already
        expr=else_zero_per_brand(
            f"({share} > bool {thresholds.negative_share_times} * {usual})"
            f" * ({share} > bool {thresholds.negative_share_least_ratio})"
            f" * ({level()} == bool 0)"
        ),
        above=0.5,
        for_s=600,
        severity="watch",
        audiences=("channel",),
        thread="slow",
        summary=Text(
            id="{brand}: porsi negatif {share} selama berjam-jam, biasanya {usual}.",
            en="{brand}: negative share {share} for hours, usually {usual}.",
        ),
        description=Text(
            id=f"Jumlah sebutan biasa saja, tetapi sudah {thresholds.negative_share_hours} jam "
            "lebih banyak yang negatif. Baca contohnya: biasanya satu masalah yang belum dijawab.",
            en=f"Volume is normal, but for {thresholds.negative_share_hours} hours more of it is "
            "negative. Read samples: it is mostly one problem that nobody has answered.",
        ),
        why="10 minutes: an average over hours moves slowly and must not flap at its edge. " + HOLD,
        numbers=(Number("share", share, "ratio"), Number("usual", usual, "ratio")),
        panel="Negative share",
    )


def _drill() -> Rule:
    return Rule(
        name="SiagaDrill",
        group="brand",
        expr=latest("siaga_drill_level", "brand"),
        above=0.5,
        for_s=0,
        severity="drill",
        audiences=("channel", "oncall"),
        thread="drill",
        summary=Text(
            id="LATIHAN: {brand} di tingkat {value}. Ini bukan krisis sungguhan.",
            en="DRILL: {brand} at level {value}. This is not a real crisis.",
        ),
        description=Text(
            id="Latihan sedang berjalan. Kerjakan seperti sungguhan, tetapi jangan menulis ke "
            "publik.",
            en="A drill is running. Act as if it were real, but publish nothing.",
        ),
        why="A drill shall reach people as fast as a crisis would; management is left out.",
        panel="Severity",
    )
