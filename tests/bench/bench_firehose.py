"""The whole network's posts on one core: from the WebSocket to the door, with a hundred brands.

    make bench-firehose                 # or ARGS="--posts 200000 --brands 500"

A Jetstream host in another process sends frames as fast as they are taken. Measured is this
process's CPU: WebSocket, decoding, items, matching. One row a way of connecting goes to
build/bench/firehose.json. The need is 5,000 posts a second (the network's peaks are below 1,000).
"""

import argparse
import asyncio
import json
import multiprocessing
import random
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, cast

import zstandard
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from connectors.contract import Context, Page
from connectors.ingest.door import Door
from connectors.ingest.match import Matcher
from connectors.sources.bluesky.source import BlueskyConnector, BlueskySettings
from connectors.sources.bluesky.tid import tid
from streams.settings import BrandSettings

NEEDED_PER_S = 5_000
NAMED_EVERY = 500
DISTINCT = 5_000
T0_US = 1_760_000_000_000_000

TEXT = (
    "hari ini saya mau pergi ke pasar beli sayur dan buah sambil dengar lagu bagus sekali "
    "good morning everyone the weather is nice today que lindo día 今日は いい 天気 ですね "
    "セール komt eraan ☕️ 😀 #minggupagi @teman.example"
)
WORDS = TEXT.split()


def frame(n: int, rng: random.Random) -> bytes:
    """Return a frame as `subscribeEvents` sends it, with a text of a usual length."""
    us = T0_US + n * 1000
    seen = f"{datetime.fromtimestamp(us / 1e6, UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    words = rng.choices(WORDS, k=rng.randint(3, 40))
    if n % NAMED_EVERY == 0:
        words.append("tokoraya")
    record = {
        "$type": "app.bsky.feed.post",
        "createdAt": seen,
        "langs": ["id"],
        "text": " ".join(words),
        "reply": {"parent": {"cid": "bafyrei", "uri": "at://did:plc:x/app.bsky.feed.post/3"}},
    }
    payload = {
        "$type": "network.bsky.jetstream.subscribeEvents#commit",
        "seq": n + 1,
        "did": f"did:plc:{rng.randrange(10**24):024d}",
        "time": seen,
        "witnessedAt": seen,
        "rev": tid(us),
        "operation": "create",
        "collection": "app.bsky.feed.post",
        "rkey": tid(us),
        "cid": "bafyreidwaivazkwu67xztlmuobx35hs2lnfh3kolmgfmucldvhd3sgzcqi",
        "record": record,
    }
    return json.dumps({"$type": "message", "payload": payload}, ensure_ascii=False).encode()


def host(posts: int, address: Connection) -> None:
    """Run the host's process."""
    rng = random.Random(7)
    frames = [frame(n, rng) for n in range(posts)]
    trained = zstandard.train_dictionary(64 * 1024, cast("list[Any]", frames[:DISTINCT]), dict_id=9)
    packer = zstandard.ZstdCompressor(dict_data=trained)
    packed = [packer.compress(f) for f in frames]

    def before(connection: ServerConnection, request: Request) -> Response | None:
        del connection
        if "getZstdDictionary" not in request.path:
            return None
        body = trained.as_bytes()
        return Response(200, "OK", Headers({"Content-Length": str(len(body))}), body)

    async def send(connection: ServerConnection) -> None:
        path = connection.request.path if connection.request else ""
        for one in packed if "zstdDictionary=" in path else frames:
            await connection.send(one, text="zstdDictionary=" not in path)
        await connection.wait_closed()

    async def run() -> None:
        async with serve(send, "127.0.0.1", 0, process_request=before, compression=None) as server:
            address.send(next(iter(server.sockets)).getsockname()[1])
            await asyncio.Event().wait()

    asyncio.run(run())


def doors(brands: int) -> Door:
    """Return a door that matches so many brands by names and handles."""
    known = {
        f"merek{n}": BrandSettings(names=(f"merek{n}", f"toko ke{n}"), handles=(f"merek{n}_id",))
        for n in range(brands - 1)
    }
    return Door("bluesky", Matcher({"tokoraya": BrandSettings(names=("tokoraya",)), **known}))


async def read(port: int, posts: int, door: Door, *, compress: bool) -> dict[str, Any]:
    """Read all posts through the door; return what it took."""
    settings = BlueskySettings(
        hosts=(f"127.0.0.1:{port}",), tls=False, allow_private=True, compress=compress
    )
    connector = BlueskyConnector(settings, Context("bluesky"))
    now = datetime.fromtimestamp(T0_US / 1e6, UTC) + timedelta(days=1)
    seen = named = 0
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    async with aclosing(cast("AsyncGenerator[Page, None]", connector.stream(None))) as pages:
        async for page in pages:
            for item in page.items:
                named += len(door.admit(item, now=now).mentions)
            seen += len(page.items)
            if seen >= posts:
                break
    cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    if named != -(-posts // NAMED_EVERY):
        sys.exit(f"wrong: {named} posts name the brand, {-(-posts // NAMED_EVERY)} were sent")
    return {
        "way": "zstd" if compress else "plain",
        "posts": posts,
        "cpu_us_per_post": round(cpu_s / posts * 1e6, 1),
        "posts_per_cpu_s": round(posts / cpu_s),
        "posts_per_wall_s": round(posts / wall_s),
        "ratio_to_need": round(posts / cpu_s / NEEDED_PER_S, 1),
    }


def main() -> None:
    """Measure and print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--posts", type=int, default=60_000)
    options.add_argument("--brands", type=int, default=100)
    options.add_argument("--out", type=Path, default=Path("build/bench/firehose.json"))
    chosen = options.parse_args()
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=host, args=(chosen.posts, theirs), daemon=True)
    process.start()
    try:
        port = ours.recv()
        rows = []
        for compress in (False, True):
            door = doors(chosen.brands)
            row = asyncio.run(read(port, chosen.posts, door, compress=compress))
            rows.append(row)
            print("  ".join(f"{k} {v}" for k, v in row.items()))
    finally:
        process.terminate()
        process.join()
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps({"brands": chosen.brands, "rows": rows}, indent=1) + "\n")
    slow = [r for r in rows if r["posts_per_cpu_s"] < NEEDED_PER_S]
    if slow:
        sys.exit(f"below {NEEDED_PER_S} posts a second: {slow}")


if __name__ == "__main__":
    main()
