"""Rules about a brand: levels, security, many at once, slow burns, drills."""

from grafana.alerts.rule import Case, Number, Rule, Severity, Text
from grafana.promql import driver_expected, driver_observed, else_zero_per_brand, latest, level
from grafana.settings import Audience, Thresholds

HOLD = (
    "The worker's own detectors already waited for evidence: no further `for`. No data and a "
    "failing Prometheus are SiagaNoData's business; brands keep their level meanwhile."
)

DRIVER = (
    Number("observed", driver_observed(), "signal"),
    Number("expected", driver_expected(), "signal"),
    Number("observed_hourly", f"60 * ({driver_observed()})"),
    Number("expected_hourly", f"60 * ({driver_expected()})"),
)
"""What the summary of a level tells: the signal that surprises most, observed and expected."""

LEVELS: tuple[tuple[int, Severity, tuple[Audience, ...]], ...] = (
    (1, "watch", ("channel",)),
    (2, "alert", ("channel", "oncall")),
    (3, "crisis", ("channel", "oncall", "management")),
)


def brand_rules(thresholds: Thresholds) -> tuple[Rule, ...]:
    """The rules of this file."""
    return (
        _level(),
        _security(thresholds),
        _many_brands(thresholds),
        _negative_for_hours(thresholds),
        _drill(),
    )


def _level() -> Rule:
    # `== bool`: exactly one of the three is 1 (Grafana has no inhibition), and at NORMAL all are 0,
    # so that an alert resolves at the next evaluation
    cases = tuple(Case(f"{level()} == bool {n}", name, heard) for n, name, heard in LEVELS)
    return Rule(
        name="SiagaLevel",
        group="level",
        cases=cases,
        above=0.5,
        for_s=0,
        thread="level",
        summary=Text(
            id="{level}: {brand}. {signal}: {observed}, biasanya {expected}.",
            en="{level}: {brand}. {signal}: {observed}, usually {expected}.",
        ),
        description=Text(
            id="Teramati {observed}, perkiraan {expected}. Bukti dan contoh ada di halaman "
            "insiden: terima dulu, lalu baca.",
            en="Observed {observed}, expected {expected}. Evidence and samples are on the "
            "incident's page: acknowledge first, then read.",
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
        cases=(
            Case(
                latest("siaga_topic_level", "brand", "topic", topic=topics),
                "alert",
                ("channel", "oncall"),
            ),
        ),
        above=0.5,
        for_s=0,
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
        why="Any volume counts, so there is no `for`; SiagaLevel has told of the brand by then. "
        + HOLD,
        panel="Topics",
    )


def _many_brands(thresholds: Thresholds) -> Rule:
    return Rule(
        name="SiagaManyBrands",
        group="brand",
        cases=(
            Case(
                f"count({level()} >= 2) or vector(0)", "crisis", ("channel", "oncall", "management")
            ),
        ),
        above=thresholds.many_brands - 0.5,
        for_s=30,
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
    said = f"sum by (brand) (increase(siaga_mentions_total{hours}))"
    angry = f'sum by (brand) (increase(siaga_mentions_total{{sentiment="negative"}}{hours}))'
    share = f"{angry} / {said}"
    usual = f'max by (brand) (avg_over_time(siaga_expected{{signal="negative_share"}}{hours}))'
    return Rule(
        name="SiagaNegativeForHours",
        group="brand",
        # Only while no level is raised: that would be told already
        cases=(
            Case(
                else_zero_per_brand(
                    f"({said} > bool {thresholds.negative_share_least_mentions})"
                    f" * ({share} > bool {thresholds.negative_share_times} * {usual})"
                    f" * ({share} > bool {thresholds.negative_share_least_ratio})"
                    f" * ({level()} == bool 0)"
                ),
                "watch",
                ("channel",),
            ),
        ),
        above=0.5,
        for_s=600,
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
    heard: tuple[tuple[str, tuple[Audience, ...]], ...] = (
        ("no", ("channel", "oncall")),
        ("yes", ("channel", "oncall", "management")),
    )
    return Rule(
        name="SiagaDrill",
        group="brand",
        cases=tuple(
            Case(latest("siaga_drill_level", "brand", management=management), "drill", audiences)
            for management, audiences in heard
        ),
        above=0.5,
        for_s=0,
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
        why="A drill shall reach people as a crisis would, but not take its turn: it may be half a "
        "minute later. Management only where the drill's name asks for it.",
        panel="Severity",
    )
