"""What holds in every log: how large a record may be, and where a read begins."""

from collections.abc import Mapping

from streams.log.port import MAX_RECORD_BYTES, Entry, Position


def check_size(entry: Entry) -> None:
    """Refuse a record that not every log can take.

    Raises
    ------
    ValueError
        If key and value together are over `MAX_RECORD_BYTES`.
    """
    size = len(entry.key or b"") + len(entry.value or b"")
    if size > MAX_RECORD_BYTES:
        raise ValueError(
            f"a record of {size} bytes for {entry.topic} is over the "
            f"{MAX_RECORD_BYTES} bytes that a record may have"
        )


def check_start(start: Position | str) -> None:
    """Refuse a place to begin that is none.

    Raises
    ------
    ValueError
        If it is another word than "earliest" or "latest".
    """
    if isinstance(start, str) and start not in ("earliest", "latest"):
        raise ValueError(f"start is 'earliest', 'latest' or offsets by partition, not {start!r}")


def first_offsets(
    start: Position | str, *, starts: Mapping[int, int], ends: Mapping[int, int]
) -> dict[int, int]:
    """Where a read of the partitions in `ends` begins: at what is asked for, if it is kept.

    >>> first_offsets({0: 3, 1: 9}, starts={0: 5, 1: 0, 2: 1}, ends={0: 7, 1: 8, 2: 4})
    {0: 5, 1: 8, 2: 1}
    """
    if start == "latest":
        return dict(ends)
    asked = {} if isinstance(start, str) else start
    return {p: min(max(asked.get(p, 0), starts[p]), end) for p, end in ends.items()}
