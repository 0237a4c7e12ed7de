"""The file and simulated sources keep the contract of every connector."""

from pathlib import Path

import pytest

from connectors.contract import Context
from connectors.sources.file import FileConnector, FileSettings
from connectors.sources.simulated import scenario
from connectors.sources.simulated.source import SimulatedConnector, SimulatedSettings
from connectors.sources.simulated.traffic import Traffic
from connectors.testkit import ConnectorSuite

IDS = tuple(str(n) for n in range(1, 10))


class FileSuite(ConnectorSuite):
    expected_ids = IDS
    order = IDS
    folder: Path

    @pytest.fixture(autouse=True)
    def _recorded(self, tmp_path: Path) -> None:
        rows = [f'{n},2025-01-01T00:00:0{n}Z,"kopi\n{n}"' for n in self.order]
        rows.insert(4, "rusak")
        (tmp_path / "a.csv").write_text("\n".join(["id,time,text", *rows]) + "\n")
        self.folder = tmp_path

    def connector(self, context: Context) -> FileConnector:
        return FileConnector(FileSettings(path=self.folder / "a.csv", page_items=2), context)


class TestFile(FileSuite):
    """In the order of its rows."""


class TestFileNewestFirst(FileSuite):
    """In the order of time."""

    order = tuple(reversed(IDS))


SMALL = SimulatedSettings(weeks=0.2, base_rate=0.2)


class TestSimulated(ConnectorSuite):
    expected_ids = tuple(
        {
            seen.item.native_id
            for traffic in [Traffic(scenario(SMALL.seed, weeks=0.2, base_rate=0.2))]
            for hour in range(traffic.hours)
            for seen in traffic.hour(hour)
        }
    )

    def connector(self, context: Context) -> SimulatedConnector:
        return SimulatedConnector(SMALL, context)
