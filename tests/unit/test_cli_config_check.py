"""`siaga config check` speaks of a file, or says that there is none."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.cli import build


def test_a_folder_without_a_configuration_is_not_fine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(build(), ["config", "check"])
    assert told.exit_code == 1
    assert "there is no siaga.toml here; siaga init writes one" in told.output
    Path("siaga.toml").write_text('[brands.toko]\nnames = ["Toko"]\n')
    told = CliRunner().invoke(build(), ["config", "check"])
    assert (told.exit_code, "Brands: toko" in told.output) == (0, True)


@pytest.mark.parametrize("line", ['id = "a/b c"', 'id = ""', 'instance = "a b"'])
def test_a_worker_whose_name_no_topic_may_have_is_told_by_its_key(
    tmp_path: Path, line: str
) -> None:
    config = tmp_path / "siaga.toml"
    config.write_text(f'[brands.toko]\nnames = ["Toko"]\n[worker]\n{line}\n')
    told = CliRunner().invoke(build(), ["config", "check", "-c", str(config)])
    assert isinstance(told.exception, Exception)
    assert f"worker.{line.split()[0]}" in str(told.exception)
