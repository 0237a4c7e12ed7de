"""`siaga backtest mentions`, from flags to files: what reads the clock and writes is here."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter

import typer

from streams.backtest.announced import read_events
from streams.backtest.compare import Pair, compare
from streams.backtest.history import CannotRead, History, Request, open_history
from streams.backtest.labels import BadLabels, Judged, Label, judge, read_labels
from streams.backtest.outbreaks import outbreaks
from streams.backtest.replay import Progress, replay
from streams.backtest.result import Result
from streams.backtest.told import delays_s, document
from streams.config import DEFAULT_PATH, load
from streams.events import Calendar
from streams.pipeline.config import PipelineConfig
from streams.records import Event
from streams.settings import BrandSettings, RootSettings
from streams.worker.service import pipeline_config


@dataclass(frozen=True)
class Asked:
    """Flags of the command."""

    files: tuple[Path, ...]
    config: Path | None = None
    against: Path | None = None
    report: Path | None = None
    json_out: Path | None = None
    labels: Path | None = None
    events: Path | None = None
    max_pages_per_week: float | None = None
    columns: dict[str, str] = field(default_factory=dict)
    time_zone: str | None = None
    time_format: str = "auto"
    form: str = "auto"
    jobs: int | None = None


def run(asked: Asked) -> int:
    """Replay, write what was asked for and return the exit status: 1 if the gate is closed."""
    try:
        return _run(asked)
    except (CannotRead, BadLabels) as e:
        typer.echo(f"siaga: {e}", err=True)
    except OSError as e:
        typer.echo(f"siaga: {e.filename}: {e.strerror}", err=True)
    return 2


def _run(asked: Asked) -> int:
    for path in (asked.report, asked.json_out):
        if path is not None and not path.parent.is_dir():
            raise CannotRead(f"{path}: no such folder")  # before an hour of replay, not after it
    labels = read_labels(asked.labels) if asked.labels else []
    settings = load(asked.config)
    history = open_history(
        Request(
            files=asked.files,
            brands=settings.brands,
            columns=asked.columns,
            time_zone=asked.time_zone,
            time_format=asked.time_format,
            form=asked.form,
        )
    )
    names = _names(asked.config or DEFAULT_PATH, asked.against)
    events = read_events(asked.events, history) if asked.events else []
    announced = Calendar(events).announced
    configs = [(names[0], _config(settings, history, announced))]
    if asked.against is not None:
        configs.append((names[1], _config(load(asked.against), history, announced)))
    began = perf_counter()
    results = _replayed(settings, history, configs, asked.jobs)
    for result, (_, config) in zip(results, configs, strict=True):
        result.outbreaks = outbreaks(result, config)
    seconds = perf_counter() - began
    judged = [judge(result, labels) for result in results] if labels else []
    pairs = compare(*results) if len(results) > 1 else []
    if asked.json_out is not None:
        made = document(
            results, history.tally, judged=judged, pairs=pairs, events=events, seconds=seconds
        )
        asked.json_out.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", "utf-8")
    if asked.report is not None:
        _report(asked.report, settings, history, results, labels, judged, pairs, events)
    _tell(history, results, judged, pairs, seconds)
    if history.tally.rows and not history.tally.mentions:
        # No page in nothing is no good news: a gate must not open for a wrong column.
        raise CannotRead("no row became a mention: see the columns, the time format and the brands")
    return _gate(results[0], asked.max_pages_per_week)


def _names(first: Path, second: Path | None) -> tuple[str, str]:
    """How the configurations are called: by file name if that tells them apart."""
    if second is None or first.name != second.name:
        return first.name, second.name if second else ""
    return str(first), str(second)


def _config(
    settings: RootSettings, history: History, announced: Callable[[str, int], bool]
) -> PipelineConfig:
    """The dials of a configuration for the brands of the history."""
    brands: dict[str, BrandSettings] = {**history.brands, **settings.brands}
    return pipeline_config(settings.model_copy(update={"brands": brands}), announced)


def _replayed(
    settings: RootSettings,
    history: History,
    configs: list[tuple[str, PipelineConfig]],
    jobs: int | None,
) -> list[Result]:
    from detectors.language.understanding import Language, LanguageConfig

    reader = Language(LanguageConfig(taxonomy=settings.taxonomy.taxonomy))
    with _progress(history) as tell:
        return replay(
            history.records,
            configs,
            reader,
            brands=len(history.brands),
            jobs=jobs,
            progress=tell,
        )


@contextmanager
def _progress(history: History) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("{task.percentage:>3.0f} %"),
        BarColumn(),
        TextColumn("{task.fields[mentions]:,} mentions"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    task = bar.add_task("replay", total=1.0, mentions=0)
    seen = told = 0

    def tell(count: int) -> None:
        nonlocal seen, told
        seen += count
        if seen - told >= 500:
            told = seen
            bar.update(task, completed=history.tally.done_ratio, mentions=seen)

    with bar:
        yield tell


def _report(
    path: Path,
    settings: RootSettings,
    history: History,
    results: list[Result],
    labels: list[Label],
    judged: list[Judged],
    pairs: list[Pair],
    events: list[Event],
) -> None:
    from streams.backtest.report import Story, render

    story = Story(
        results=results,
        tally=history.tally,
        titles={name: brand.title or name for name, brand in history.brands.items()},
        language=settings.language,
        time_zone=settings.time_zone,
        labels=labels,
        judged=judged,
        pairs=pairs,
        events=events,
    )
    path.write_text(render(story), "utf-8")


def _tell(
    history: History,
    results: list[Result],
    judged: list[Judged],
    pairs: list[Pair],
    seconds: float,
) -> None:
    tally = history.tally
    typer.echo(
        f"{tally.mentions:,} mentions of {len(results[0].brands)} brands in {seconds:.1f} s"
        f" ({tally.mentions / max(seconds, 0.001):,.0f}/s)"
        + (f"; {tally.dead:,} rows could not be read ({tally.why()})" if tally.dead else "")
        + (f"; {tally.unmatched:,} rows name no brand" if tally.unmatched else "")
    )
    for n, result in enumerate(results):
        delays = delays_s(result)
        line = (
            f"{result.name}: {result.pages} pages in {result.brand_weeks:.1f} brand-weeks"
            f" ({result.pages_per_week:.2f} a brand-week)"
        )
        if delays:
            line += f", median {median(delays) / 60:.0f} min after the onset"
        typer.echo(line)
        for parent in result.outbreaks:
            typer.echo(f"  many brands at once: {parent.sentences['en']}")
        if judged:
            told = judged[n]
            typer.echo(
                f"  labels: {told.found} found, {told.missed} missed,"
                f" {told.false_pages} false pages ({told.per_brand_week:.2f} a brand-week)"
            )
    if len(results) > 1:
        both = [p for p in pairs if p.first and p.second]
        typer.echo(
            f"both page {len(both)} times; only {results[0].name}:"
            f" {sum(p.second is None for p in pairs)};"
            f" only {results[1].name}: {sum(p.first is None for p in pairs)}"
        )


def _gate(result: Result, most: float | None) -> int:
    if most is None or result.pages_per_week <= most:
        return 0
    typer.echo(
        f"siaga: {result.pages_per_week:.2f} pages a brand-week are more than the allowed {most:g}",
        err=True,
    )
    return 1
