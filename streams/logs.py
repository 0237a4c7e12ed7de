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
    "asyncio",
)


def _no_machinery(record: logging.LogRecord) -> bool:
    # Faust's services name each of their starts and stops, under the loggers of our modules.
    return record.levelno > logging.INFO or not str(record.msg).startswith("[^")


def set_up(level: int = logging.INFO) -> None:
    """Write to standard error; libraries only from WARNING on."""
    logging.basicConfig(
        level=level, format="%(asctime)s %(levelname)-7s %(name)s  %(message)s", force=True
    )
    for handler in logging.getLogger().handlers:
        handler.addFilter(_no_machinery)
    # Its event loop names each pass above 0.1 s; on a busy machine that says nothing.
    logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)
    for name in NOISY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
