"""Speed of the way in: matching, the door, and each source up to a log in memory.

make bench-connectors
"""

import asyncio
import json
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from connectors.contract import Context, Item
from connectors.ingest.door import Door
from connectors.ingest.match import Matcher
from connectors.ingest.runner import Runner
from connectors.memory_log import MemoryLog
from connectors.sources.feeds.feed import entries
from connectors.sources.file import FileConnector, FileSettings
from connectors.sources.kafka import KafkaConnector, KafkaSettings
from connectors.sources.simulated import scenario
from connectors.sources.simulated.traffic import Traffic
from connectors.sources.webhook import WebhookConnector, WebhookSettings, sign
from streams.log.port import LogRecord
from streams.settings import BrandSettings

SECRET = "bench secret, long enough"  # noqa: S105  # of this benchmark
NOW = datetime.now(UTC)


def rate(work: Callable[[], int]) -> float:
    began = time.process_time()
    count = work()
    return count / (time.process_time() - began)


def matching(text: str, count: int = 100_000) -> float:
    brands = {f"b{n}": BrandSettings(names=(f"merek{n} corp",)) for n in range(500)}
    matcher = Matcher(brands)

    def work() -> int:
        for _ in range(count):
            matcher.match(text)
        return count

    return rate(work)


def door(count: int = 30_000) -> float:
    way = Door("bench", Matcher({"kopi": BrandSettings(names=("kopi",))}))
    item = Item(native_id="1", published_at=NOW, text="kopi enak banget " * 5, author="siti")

    def work() -> int:
        for _ in range(count):
            way.admit(item, now=NOW)
        return count

    return rate(work)


def shop() -> float:
    run = Traffic(scenario(1, weeks=1))
    return rate(lambda: sum(len(run.hour(h)) for h in range(run.hours)))


def mapped(count: int = 20_000) -> float:
    source = KafkaConnector(KafkaSettings(topic="t"), Context("bench"))
    row = {"id": 1, "created_at": NOW.isoformat(), "text": "kopi enak banget", "user": "siti"}
    record = LogRecord("t", 0, 1, None, json.dumps(row).encode(), 0)

    def work() -> int:
        for _ in range(count):
            source._item(record)
        return count

    return rate(work)


def feed(each: int = 200, times: int = 20) -> float:
    entry = (
        "<item><guid>{n}</guid><title>Kopi naik harga</title><link>https://news.example/{n}</link>"
        "<pubDate>Wed, 01 Jan 2025 00:00:00 GMT</pubDate><description>&lt;p&gt;"
        + "kopi dan teh naik lagi " * 10
        + "&lt;/p&gt;</description></item>"
    )
    items = "".join(entry.format(n=n) for n in range(each))
    body = f"<rss><channel>{items}</channel></rss>".encode()
    return rate(lambda: sum(len(entries(body)) for _ in range(times)))


def file(name: str, lines: list[str]) -> float:
    """A whole run: read, door, batches, append, cursors, ticks."""

    async def play(path: Path) -> int:
        log = MemoryLog()
        await log.ensure()
        settings = FileSettings(path=path)
        connector = FileConnector(settings, Context("file"))
        way = Door("file", Matcher({"kopi": BrandSettings(names=("kopi",))}), run="replay")
        runner = Runner("file", connector, settings, way, log, partitions=(0,))
        await runner.run()
        return runner.standing.mentions

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_text("\n".join(lines) + "\n")
        return rate(lambda: asyncio.run(play(path)))


def rows(form: str, count: int = 20_000) -> list[str]:
    stamps = [(datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=n)).isoformat() for n in
              range(count)]  # fmt: skip
    if form == "csv":
        return ["id,time,text", *(f"{n},{at},kopi telat {n}" for n, at in enumerate(stamps))]
    return [
        json.dumps({"id": n, "time": at, "text": f"kopi telat {n}"}) for n, at in enumerate(stamps)
    ]


async def send(port: int, bodies: list[bytes]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for body in bodies:
        signature = sign(SECRET.encode(), body, now=datetime.now(UTC))
        head = (
            "POST / HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nX-Siaga-Signature: {signature}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        reply = await reader.readuntil(b"\r\n\r\n")
        if b" 202 " not in reply.partition(b"\r\n")[0]:
            raise RuntimeError(reply.decode())
        length = int(reply.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
    writer.close()


async def webhook(each: int, requests: int) -> float:
    log = MemoryLog()
    await log.ensure()
    settings = WebhookSettings(port=0)
    connector = WebhookConnector(settings, Context("hook", environ={settings.secret_env: SECRET}))
    way = Door("hook", Matcher({"kopi": BrandSettings(names=("kopi",))}))
    task = asyncio.create_task(Runner("hook", connector, settings, way, log, partitions=(0,)).run())
    while not connector.port:  # noqa: ASYNC110  # set by the server
        await asyncio.sleep(0.01)
    stamp = NOW.isoformat()
    bodies = [
        json.dumps(
            [{"id": f"{r}-{n}", "time": stamp, "text": "kopi telat"} for n in range(each)]
        ).encode()
        for r in range(requests)
    ]
    began = time.process_time()
    # A plain client: httpx costs several times what the server does.
    await asyncio.gather(*(send(connector.port, bodies[n::20]) for n in range(20)))
    spent = time.process_time() - began
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return each * requests / spent


if __name__ == "__main__":
    ascii_text = "kenapa paket belum sampai padahal sudah seminggu lebih nih kak tolong dong " * 1
    print("per second of one core's CPU time (the webhook's includes its client)")
    for name, value in (
        ("match, no brand, ASCII", matching(ascii_text)),
        ("match, no brand, emoji", matching(ascii_text + "😡é")),
        ("door, one mention", door()),
        ("simulated shop", shop()),
        ("kafka, one record to item", mapped()),
        ("rss, entries of a feed", feed()),
        ("file, CSV to the log", file("a.csv", rows("csv"))),
        ("file, JSON lines to the log", file("a.jsonl", rows("jsonl"))),
        ("webhook, 1 a request", asyncio.run(webhook(1, 1500))),
        ("webhook, 50 a request", asyncio.run(webhook(50, 200))),
    ):
        print(f"{name:28} {value:>12,.0f}")
