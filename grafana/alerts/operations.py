"""Rules about the service itself: they reach the SRE and not the comms team."""

from functools import partial

from grafana.alerts.rule import Case, Number, Rule, Text
from grafana.promql import latest
from grafana.settings import Thresholds

WORKERS = "count(last_over_time(siaga_worker_up[1m]) == 1) or vector(0)"
ABSENT = "Series that vanish with their worker are SiagaWorkerMissing's and SiagaNoData's business."


SINCE_TICK = "time() - max(last_over_time(siaga_last_tick_timestamp_seconds[10m]))"
"""A worker that is restarted takes its series along for a minute: that is no silence yet."""

_rule = partial(Rule, group="operations", dashboard="pipeline")


def operations_rules(thresholds: Thresholds) -> tuple[Rule, ...]:
    """The rules of this file."""
    return (
        _source_blind(),
        _connector_failing(thresholds),
        _lag(thresholds),
        _latency(thresholds),
        _dead_letters(thresholds),
        _gaps(),
        _worker_missing(thresholds),
        _no_data(thresholds),
    )


def _source_blind() -> Rule:
    return _rule(
        name="SiagaSourceBlind",
        cases=(Case(latest("siaga_source_blind", "source"), "page", ("operations",)),),
        above=0.5,
        for_s=120,
        thread="source",
        labels=("source",),
        summary=Text(
            id="Sumber {source} buta: tidak ada yang terdengar darinya.",
            en="Source {source} is blind: nothing is heard from it.",
        ),
        description=Text(
            id="Sepi bukan berarti tenang: selama sumber ini buta, krisis di sana tidak terlihat.",
            en="Silence is not calm: while this source is blind, a crisis there goes unseen.",
        ),
        why="2 minutes: the worker's own limit has passed already; a restart is shorter. " + ABSENT,
        panel="Blind sources",
    )


def _connector_failing(thresholds: Thresholds) -> Rule:
    silent_s = 60 * thresholds.connector_silent_minutes
    last = latest("siaga_connector_last_success_timestamp_seconds", "connector")
    return _rule(
        name="SiagaConnectorFailing",
        cases=(Case(f"time() - ({last} > 0)", "page", ("operations",)),),
        above=silent_s,
        for_s=60,
        thread="source",
        labels=("connector",),
        summary=Text(
            id="Konektor {connector} sudah {value} tidak berhasil mengambil data.",
            en="Connector {connector} has not fetched for {value}.",
        ),
        description=Text(
            id="Lihat kegagalannya di dasbor pipa data: token ditolak, kuota habis, sumber mati.",
            en="See its failures on the pipeline dashboard: token refused, rate limit, or source "
            "down.",
        ),
        why="The age is the wait; 1 minute rides over a restart of `siaga connect`. " + ABSENT,
        panel="Since last success",
        style="duration",
    )


def _lag(thresholds: Thresholds) -> Rule:
    return _rule(
        name="SiagaWorkerLag",
        cases=(
            Case(
                f"sum({latest('siaga_worker_lag_records', 'partition')})", "page", ("operations",)
            ),
        ),
        above=thresholds.lag_records,
        for_s=120,
        thread="worker",
        labels=(),
        summary=Text(
            id="Pekerja tertinggal {value} rekaman.",
            en="Workers are {value} records behind.",
        ),
        description=Text(
            id="Peringatan krisis jadi terlambat. Tambah pekerja, atau lihat apa yang lambat.",
            en="Alerts come late. Add a worker, or see what is slow.",
        ),
        why="2 minutes: a burst or a rebalance is worked off sooner. " + ABSENT,
        panel="Lag by partition",
    )


def _latency(thresholds: Thresholds) -> Rule:
    rate = "rate(siaga_end_to_end_latency_seconds_bucket[5m])"
    return _rule(
        name="SiagaLatency",
        # NaN without mentions, which is above nothing
        cases=(Case(f"histogram_quantile(0.95, sum by (le) ({rate}))", "ticket", ("operations",)),),
        above=thresholds.latency_seconds,
        for_s=300,
        thread="worker",
        labels=(),
        summary=Text(
            id="Dari terbit sampai dinilai: 95% dalam {value}, terlalu lama.",
            en="From published to scored: 95 % within {value}, too long.",
        ),
        description=Text(
            id="Bandingkan dengan kelambatan sumber: kita atau mereka?",
            en="Compare with the sources' lag: is it us or them?",
        ),
        why="5 minutes: one slow page of a source is not a trend. " + ABSENT,
        panel="End-to-end latency",
        style="duration",
    )


def _dead_letters(thresholds: Thresholds) -> Rule:
    dead = "(sum(rate(siaga_dead_letters_total[10m])) + 0)"
    connectors = "(sum(rate(siaga_connector_dead_letters_total[10m])) or vector(0))"
    mentions = "(sum(rate(siaga_mentions_total[10m])) or vector(0))"
    bad = f"(({dead} or vector(0)) + {connectors})"
    return _rule(
        name="SiagaDeadLetters",
        cases=(Case(f"{bad} / clamp_min({bad} + {mentions}, 1e-9)", "ticket", ("operations",)),),
        above=thresholds.dead_letters_ratio,
        for_s=300,
        thread="source",
        labels=(),
        summary=Text(
            id="{value} masukan tidak dapat dibaca.",
            en="{value} of the input could not be read.",
        ),
        description=Text(
            id="Tidak hilang: `siaga dead-letters list` menunjukkan asal dan sebabnya.",
            en="Nothing is lost: `siaga dead-letters list` shows where it came from and why.",
        ),
        why="5 minutes: one bad file is a matter for working hours. " + ABSENT,
        panel="Dead letters by reason",
        style="ratio",
    )


def _gaps() -> Rule:
    return _rule(
        name="SiagaStreamGap",
        cases=(Case("sum(increase(siaga_stream_gaps_total[15m]))", "ticket", ("operations",)),),
        above=0.5,
        for_s=0,
        thread="worker",
        labels=(),
        summary=Text(
            id="Aliran melompati rekaman ({value} kali dalam 15 menit).",
            en="The stream skipped records ({value} times in 15 minutes).",
        ),
        description=Text(
            id="Pekerja menyembuhkan celah itu sendiri; yang hilang karena retensi tidak kembali.",
            en="The worker heals gaps itself; what retention has removed does not come back.",
        ),
        why="Any jump is one too many: no `for`. " + ABSENT,
        panel="Stream gaps",
    )


def _worker_missing(thresholds: Thresholds) -> Rule:
    return _rule(
        name="SiagaWorkerMissing",
        cases=(Case(f"{thresholds.workers} - ({WORKERS})", "page", ("operations",)),),
        above=0.5,
        for_s=60,
        thread="worker",
        labels=(),
        summary=Text(
            id="{value} pekerja hilang.",
            en="{value} worker(s) missing.",
        ),
        description=Text(
            id=f"Seharusnya ada {thresholds.workers}. Yang lain mengambil alih mereknya; jika "
            "tidak ada, tidak ada yang dinilai.",
            en=f"There should be {thresholds.workers}. Others take over its brands; with none "
            "left, nothing is scored.",
        ),
        why="1 minute: a restart takes 5 to 15 s. The query always has a result.",
        panel="Workers",
    )


def _no_data(thresholds: Thresholds) -> Rule:
    return _rule(
        name="SiagaNoData",
        cases=(Case(SINCE_TICK, "page", ("operations", "oncall")),),
        above=thresholds.no_data_seconds,
        for_s=60,
        thread="worker",
        labels=(),
        summary=Text(
            id="Siaga tidak menerima data: {value} tanpa detak.",
            en="Siaga receives no data: {value} without a tick.",
        ),
        description=Text(
            id="Selama ini berlangsung tidak ada krisis yang akan diberitahukan. Pantau manual.",
            en="While this lasts, no crisis will be told. Watch by hand.",
        ),
        why="The dead-man switch: no data and a failing Prometheus are exactly what it is for. On "
        "call hears too, as nothing else will reach them.",
        no_data="Alerting",
        on_error="Alerting",
        numbers=(Number("age", SINCE_TICK, "duration"),),
        panel="Since last tick",
        style="duration",
    )
