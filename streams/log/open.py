"""Opens the log that the configuration names; nothing else chooses between the two."""

from pathlib import Path

from streams.log.port import Log
from streams.settings import RootSettings


def embedded_path(settings: RootSettings) -> Path:
    """Return the file of the embedded log."""
    return settings.data_dir / "log.db"


def open_log(settings: RootSettings) -> Log:
    """Open the log.

    Raises
    ------
    Unavailable
        If it cannot be reached or opened now.
    CannotStart
        If the file of the embedded log is damaged or of a newer version.
    """
    if settings.log.kind == "kafka":
        from streams.log.kafka import KafkaLog

        return KafkaLog(settings.log)
    from streams.log.embedded import EmbeddedLog

    return EmbeddedLog(embedded_path(settings), settings.log.partitions, settings.log.prefix)
