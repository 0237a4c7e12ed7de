"""`siaga replay`: one file through the pipeline, with its columns given by flags."""

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import Any

import typer
from pydantic import ValidationError

from connectors.assemble import make_runners
from connectors.ingest import cursors
from connectors.shell.terminal import harmless
from connectors.sources.file import FileSettings
from connectors.sources.tabular.guess import source_name
from streams.log.port import Log
from streams.settings import RootSettings


def file_settings(*, path: Path, run: str, **values: Any) -> FileSettings:
    """Build the source's settings from the flags.

    Raises
    ------
    typer.BadParameter
        With a sentence a mistake.
    """
    if not path.is_file():
        raise typer.BadParameter(f"no such file: {path}")
    name = source_name(path)
    try:
        return FileSettings.model_validate(
            {"type": "file", "path": path, "run": run or f"replay-{name}"[:63], **values}
        )
    except ValidationError as e:
        told = (f"{'.'.join(map(str, x['loc']))}: {x['msg']}" for x in e.errors())
        raise typer.BadParameter("; ".join(told)) from e


def replay(settings: RootSettings, source: FileSettings, *, again: bool) -> int:
    """Publish a file and say what became of it; return the exit status."""
    from streams.logs import set_up

    set_up()
    if not settings.brands:
        typer.echo("No brands are configured: add [brands.NAME] tables to siaga.toml.", err=True)
        return 2
    return asyncio.run(_replay(settings, source, again=again))


async def _replay(settings: RootSettings, source: FileSettings, *, again: bool) -> int:
    from streams.log.open import open_log

    log: Log = open_log(settings)
    name = source_name(source.path)
    try:
        if again:
            from streams.topics import TOPICS

            await log.ensure(TOPICS)
            await log.append([cursors.forget(name, source.run)])
        [runner] = await make_runners(settings, log, {name: source})
        standing = runner.standing
        before, dead_before = standing.mentions, standing.dead_letters
        task = asyncio.create_task(runner.run())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):  # not on Windows
                loop.add_signal_handler(number, task.cancel)
        stopped = asyncio.create_task(_until_stopped(runner.stopped, task))
        with contextlib.suppress(asyncio.CancelledError):
            await task
        stopped.cancel()
    finally:
        await log.close()
    published = standing.mentions - before
    dead = standing.dead_letters - dead_before
    typer.echo(
        f"{source.path}: {published} mentions published in run {source.run!r}, "
        f"{dead} dead letters ({standing.state})"
    )
    if standing.state == "stopped":
        typer.echo(f"Stopped: {harmless(standing.detail)}", err=True)
        return 1
    if dead:
        typer.echo("See what was wrong: siaga dead-letters list")
    if standing.state == "ended" and not published and before:
        typer.echo("It was read to its end before; --again reads it once more.")
    return 0


async def _until_stopped(stopped: asyncio.Event, task: "asyncio.Task[None]") -> None:
    await stopped.wait()
    task.cancel()
