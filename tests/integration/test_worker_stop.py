"""A worker that stops is gone at once, however many brands it holds."""

import asyncio
import gc
from types import SimpleNamespace

from detectors.anomaly.bank import BankConfig
from streams.pipeline.state import BrandState
from streams.worker.app import _stop


async def done() -> None:
    """Flush or stop: there is nothing to do."""


def test_the_collector_has_no_state_to_look_through_at_the_exit() -> None:
    brand = BrandState("live", "toko", BankConfig())
    bank = brand.bank
    app = SimpleNamespace(consumer=None, stop=done)
    core = SimpleNamespace(flush=done, states={0: brand})
    assert any(known is bank for known in gc.get_objects())
    try:
        asyncio.run(_stop(app, core))  # type: ignore[arg-type] # all that a stop asks of them
        assert not any(known is bank for known in gc.get_objects())
    finally:
        gc.unfreeze()
