"""The service `page` as it runs: its address, its end, and why it does not start."""

import asyncio
import contextlib
import logging
import re
import socket
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from response.page.service import serve
from streams.codec import encode
from streams.log.port import Entry
from streams.service import CannotStart
from streams.topics import MINUTES, TOPICS


def test_it_logs_its_address_serves_the_stream_and_ends_within_5_s(
    make: SimpleNamespace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "siaga.page")

    async def test() -> None:
        log = make.log()
        await log.ensure(TOPICS)
        task = asyncio.create_task(serve(make.settings("[page]\nport = 0", tmp_path), log))
        for _ in range(200):
            await asyncio.sleep(0.02)
            if found := re.search(r"live page: (http://127\.0\.0\.1:\d+)", caplog.text):
                break
        assert found
        async with (
            httpx.AsyncClient(base_url=found[1], timeout=10) as client,
            client.stream("GET", "/events") as stream,
        ):
            lines = stream.aiter_lines()
            await log.append([Entry(MINUTES, b"kirana", encode(make.minute(0)))])
            async for line in lines:
                if '"title":"Kirana Belanja"' in line:
                    break
            # an open stream must not hold up the end
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait_for(task, 5)
        assert task.cancelled()

    asyncio.run(asyncio.wait_for(test(), 30))


def test_a_taken_port_is_a_sentence(make: SimpleNamespace, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = make.settings(f"[page]\nport = {port}", tmp_path)
        with pytest.raises(CannotStart, match=rf"127\.0\.0\.1:{port}.*\[page\] port"):
            asyncio.run(serve(settings, make.log()))


def test_it_is_never_open_to_others_without_users(make: SimpleNamespace, tmp_path: Path) -> None:
    settings = make.settings('[page]\nhost = "0.0.0.0"\nport = 0', tmp_path)
    with pytest.raises(CannotStart, match="siaga user add"):
        asyncio.run(serve(settings, make.log()))
