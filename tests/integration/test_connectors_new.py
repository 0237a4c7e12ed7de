"""`siaga connector new` and `siaga init`: what they write works as it is."""

import subprocess
import sys
from pathlib import Path

import pytest

from connectors.settings import Sources
from connectors.shell.init import Answers, render, write
from connectors.shell.scaffold import write as new
from streams.config import parse
from streams.service import CannotStart


def test_a_new_connector_passes_its_own_contract_tests(tmp_path: Path) -> None:
    told = new("acme_forum", tmp_path)
    folder = tmp_path / "siaga-acme-forum"
    assert 'type = "acme_forum"' in told
    assert 'acme_forum = "siaga_acme_forum:AcmeForum"' in (folder / "pyproject.toml").read_text()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout


@pytest.mark.parametrize("name", ["", "Acme", "a-b", "../x", "1a", "x" * 60])
def test_a_name_that_is_no_package_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CannotStart):
        new(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    new("acme", tmp_path)
    with pytest.raises(CannotStart, match="already"):
        new("acme", tmp_path)
    write(tmp_path / "siaga.toml", Answers(name="Kopi"))
    with pytest.raises(CannotStart, match="already"):
        write(tmp_path / "siaga.toml", Answers(name="Teh"))


@pytest.mark.parametrize("name", ['Toko "Raya"\\', "Ünï & Co", "Kopi\nKenangan", "Café's"])
def test_init_writes_a_valid_configuration_for_any_name(name: str) -> None:
    settings = parse(render(Answers(name=name, handles="@a, b", language="en")))
    [brand] = settings.brands.values()
    assert brand.title == name.strip()
    assert brand.handles == ("a", "b")
    assert settings.section(Sources).by_name() == {}


def test_a_feed_becomes_a_source() -> None:
    settings = parse(render(Answers(name="Kopi", feed="https://news.example/kopi.xml")))
    assert list(settings.section(Sources).by_name()) == ["news"]


def test_answers_that_make_no_configuration_write_nothing(tmp_path: Path) -> None:
    for answers in (Answers(name="!!!"), Answers(name="Kopi", language="xx")):
        with pytest.raises(CannotStart):
            write(tmp_path / "siaga.toml", answers)
    assert not (tmp_path / "siaga.toml").exists()
