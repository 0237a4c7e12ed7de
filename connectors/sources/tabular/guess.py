"""A first look at a person's file: its source's name, its brands and channels."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from connectors.contract import Fatal
from connectors.ingest.fold import slug
from connectors.sources.tabular.mapping import Columns, Field
from connectors.sources.tabular.opening import open_table
from connectors.sources.tabular.rows import Row
from streams.service import CannotStart

MOST_BRANDS = 100
"""Titles that are noted at the first look."""
MOST_CHANNELS = 20
"""More are no closed set: the column holds something else."""


def source_name(path: Path) -> str:
    """Return a label-safe name for a file.

    >>> source_name(Path("data/Tweets 2015.csv.gz"))
    'tweets-2015'
    """
    return slug(path.name.partition(".")[0])[:63].strip("-_") or "file"


class Found(NamedTuple):
    """What the first look has shown."""

    brands: dict[str, str]
    """Title by name."""
    source: dict[str, Any]
    """Keys of the `file` source that reads it."""


def guess(
    path: Path,
    brand_column: str | None = None,
    mapped: Mapping[Field, str] | None = None,
    *,
    most_brands: int = MOST_BRANDS,
) -> Found:
    """Read the file once and say how to replay it.

    Without a brand column all rows are about one brand, named after the file. `mapped` names
    columns that are not to be guessed. Brands beyond `most_brands` are left out.

    Raises
    ------
    CannotStart
        If the file cannot be read as CSV or JSON lines with texts and times.
    """
    try:
        table = open_table(path, form="auto", delimiter=None, encoding="utf-8", growing=False)
    except Fatal as e:
        raise CannotStart(str(e)) from e
    if table is None:
        raise CannotStart(f"{path} is empty")
    with table.file:
        known: dict[Field, str] = {**(mapped or {})}
        if brand_column:
            known["brand"] = brand_column
        columns = Columns(known, table.rows.header)
        if missing := columns.missing(table.rows.header):
            there = ", ".join(table.rows.header)
            raise CannotStart(f"{path} lacks {missing[0]}; its columns are: {there}")
        brands: dict[str, str] = {}
        channels: dict[str, None] = {}
        while (row := table.rows.next()) is not None:
            _note(row, columns, brands, channels, most_brands)
    source: dict[str, Any] = {"columns": dict(columns.names), "run": "live"}
    if not brands:
        name = slug(path.stem) or "brand"
        brands = {name: path.stem}
        source["brand"] = name
    if 0 < len(channels) <= MOST_CHANNELS:
        source["channels"] = sorted(channels)
    return Found(brands, source)


def _note(
    row: Row,
    columns: Columns,
    brands: dict[str, str],
    channels: dict[str, None],
    most_brands: int,
) -> None:
    if row.values is None:
        return
    brand = columns.value(row.values, "brand").strip()
    if brand and len(brands) < most_brands:
        brands.setdefault(slug(brand), brand)
    channel = slug(columns.value(row.values, "channel"))
    if channel and len(channels) <= MOST_CHANNELS:
        channels.setdefault(channel)
