"""The pipeline, for SREs: "is it us or them?"."""

from grafana.alerts.rule import Text
from grafana.dashboards.parts import CRISIS, NORMAL, WATCH, Board, Panel, Query, Row
from grafana.promql import latest

LAST_SUCCESS = latest("siaga_connector_last_success_timestamp_seconds", "connector")


def _rate(metric: str, by: str) -> str:
    return f"sum by ({by}) (rate({metric}[5m]))"


def _quantiles(metric: str) -> tuple[Query, ...]:
    return tuple(
        Query(f"histogram_quantile({share}, sum by (le) (rate({metric}_bucket[5m])))", legend)
        for share, legend in ((0.5, "50 %"), (0.95, "95 %"), (0.99, "99 %"))
    )


def _curve(title: str, about: Text, *queries: Query, unit: str = "short", width: int = 8) -> Panel:
    return Panel("timeseries", title, about, queries, unit=unit, width=width, height=7)


def _number(
    title: str, about: Text, expr: str, unit: str, steps: tuple[tuple[float, str], ...]
) -> Panel:
    query = Query(expr, instant=True)
    return Panel(
        "stat",
        title,
        about,
        (query,),
        unit=unit,
        width=6,
        height=4,
        steps=steps,
        no_value="NO DATA",
    )


PIPELINE = Board(
    "pipeline",
    Text(id="Pipa data", en="Pipeline"),
    Text(
        id="Apakah masalahnya di kita atau di sumber?",
        en="Is it us or them?",
    ),
    (
        Row(
            Text(id="Sekilas", en="At a glance"),
            (
                _number(
                    "Workers",
                    Text(id="Pekerja yang hidup.", en="Workers that live."),
                    "count(last_over_time(siaga_worker_up[1m]) == 1) or vector(0)",
                    "short",
                    ((0, CRISIS), (1, NORMAL)),
                ),
                _number(
                    "Since last tick",
                    Text(
                        id="Detak terakhir; tanpa detak tidak ada menit yang ditutup.",
                        en="The last tick; without ticks no minute closes.",
                    ),
                    "time() - max(last_over_time(siaga_last_tick_timestamp_seconds[1d]))",
                    "s",
                    ((0, NORMAL), (60, WATCH), (120, CRISIS)),
                ),
                _number(
                    "Blind sources",
                    Text(id="Sumber yang tidak terdengar.", en="Sources that are not heard."),
                    f"sum({latest('siaga_source_blind', 'source')})",
                    "short",
                    ((0, NORMAL), (1, CRISIS)),
                ),
                _number(
                    "Behind",
                    Text(id="Rekaman yang belum dikerjakan.", en="Records not yet worked."),
                    f"sum({latest('siaga_worker_lag_records', 'partition')})",
                    "short",
                    ((0, NORMAL), (1000, WATCH), (5000, CRISIS)),
                ),
            ),
        ),
        Row(
            Text(id="Mereka: sumber", en="Them: the sources"),
            (
                _curve(
                    "Source lag",
                    Text(
                        id="Umur dari yang belum ditunjukkan sumber. Naik di sini: mereka.",
                        en="Age of what a source has not shown yet. Rising here: them.",
                    ),
                    Query(
                        "max by (source) "
                        '(last_over_time(siaga_source_lag_seconds{source!=""}[2m]))',
                        "{{source}}",
                    ),
                    Query(
                        "max by (connector) "
                        '(last_over_time(siaga_source_lag_seconds{connector!=""}[2m]))',
                        "{{connector}} (connector)",
                    ),
                    unit="s",
                ),
                _curve(
                    "Since last success",
                    Text(
                        id="Sejak terakhir kali konektor berhasil mengambil data.",
                        en="Since each connector last fetched.",
                    ),
                    Query(f"time() - ({LAST_SUCCESS} > 0)", "{{connector}}"),
                    unit="s",
                ),
                _curve(
                    "Failed fetches",
                    Text(
                        id="Kegagalan per detik: retryable dicoba lagi, fatal butuh orang.",
                        en="Failures a second: retryable is tried again, fatal needs a person.",
                    ),
                    Query(
                        _rate("siaga_connector_failures_total", "connector, kind"),
                        "{{connector}} {{kind}}",
                    ),
                ),
            ),
        ),
        Row(
            Text(id="Kita: aliran", en="Us: the stream"),
            (
                _curve(
                    "Mentions a second",
                    Text(id="Yang dihitung, per kanal.", en="What is counted, by channel."),
                    Query(_rate("siaga_mentions_total", "channel"), "{{channel}}"),
                ),
                _curve(
                    "End-to-end latency",
                    Text(
                        id="Dari terbit di sumber sampai dinilai.",
                        en="From published at the source to scored.",
                    ),
                    *_quantiles("siaga_end_to_end_latency_seconds"),
                    unit="s",
                ),
                _curve(
                    "Our share of the latency",
                    Text(
                        id="Dari diambil konektor sampai dinilai: bagian kita.",
                        en="From collected to scored: what we add.",
                    ),
                    *_quantiles("siaga_collected_to_scored_seconds"),
                    unit="s",
                ),
                _curve(
                    "Lag by partition",
                    Text(
                        id="Rekaman yang belum dikerjakan; satu partisi saja: satu merek besar.",
                        en="Records not yet worked; a single partition: one big brand.",
                    ),
                    Query(latest("siaga_worker_lag_records", "partition"), "{{partition}}"),
                ),
                _curve(
                    "Dead letters by reason",
                    Text(
                        id="Masukan yang tidak terbaca; tidak ada yang hilang.",
                        en="Input that could not be read; none of it is lost.",
                    ),
                    Query(
                        _rate("siaga_dead_letters_total", "stage, reason"), "{{stage}} {{reason}}"
                    ),
                    Query(
                        _rate("siaga_connector_dead_letters_total", "connector, reason"),
                        "{{connector}} {{reason}}",
                    ),
                ),
                _curve(
                    "Stream gaps",
                    Text(
                        id="Lompatan offset: sembuh sendiri, atau hilang karena retensi.",
                        en="Jumps of the offset: healed, or lost to retention.",
                    ),
                    Query("sum by (kind) (increase(siaga_stream_gaps_total[15m]))", "{{kind}}"),
                ),
                Panel(
                    "table",
                    "Model",
                    Text(
                        id="Versi model yang membaca sebutan; dua sekaligus: pembaruan berjalan.",
                        en="Model version in use; two at once: an update is on its way.",
                    ),
                    (
                        Query(
                            "count by (version) (last_over_time(siaga_model_info[2m]))",
                            "{{version}}",
                            instant=True,
                        ),
                    ),
                    width=12,
                    height=6,
                ),
                _curve(
                    "Scrapes that answer",
                    Text(
                        id="1 selama Prometheus mendapat jawaban dari proses itu.",
                        en="1 while Prometheus gets an answer from that process.",
                    ),
                    Query("up", "{{job}} {{instance}}"),
                    width=12,
                ),
            ),
        ),
    ),
)
