"""Logging for the person on call: one line an event, time, where, what; libraries say less."""

import logging

NOISY = (
    "aiokafka",
    "faust",
    "mode",
    "kafka",
    "httpx",
    "httpcore",
    "uvicorn",
    "streams.worker.transport_consumer",
    "streams.worker.transport_producer",
    "asyncio",
)


def set_up(level: int = logging.INFO) -> None:
    """Write to standard error; libraries only from WARNING on."""
    logging.basicConfig(
        level=level, format="%(asctime)s %(levelname)-7s %(name)s  %(message)s", force=True
    )
    # Its event loop names each pass above 0.1 s; on a busy machine that says nothing.
    logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)
    for name in NOISY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
