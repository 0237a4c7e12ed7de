"""TLS and SASL come from one place, and a missing part is a sentence."""

from pathlib import Path

import pytest

from streams.security import faust_options, kafka_options
from streams.service import CannotStart
from streams.settings import LogSettings


def test_a_plain_connection_needs_nothing() -> None:
    assert kafka_options(LogSettings()) == {"security_protocol": "PLAINTEXT"}
    assert faust_options(LogSettings()) == {}


def test_scram_reaches_kafka_python_and_faust_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_PASSWORD", "secret")
    settings = LogSettings(
        security="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        username="siaga",
        password_env="BROKER_PASSWORD",  # noqa: S106 - a variable's name
    )
    ours = kafka_options(settings)
    theirs = faust_options(settings)["broker_credentials"]
    assert ours["security_protocol"] == theirs.protocol.value == "SASL_SSL"
    assert ours["sasl_mechanism"] == theirs.mechanism.value == "SCRAM-SHA-512"
    assert (ours["sasl_plain_username"], ours["sasl_plain_password"]) == ("siaga", "secret")
    assert (theirs.username, theirs.password) == ("siaga", "secret")
    assert ours["ssl_context"].check_hostname
    assert theirs.ssl_context.check_hostname
    assert "secret" not in repr(theirs)


def test_sasl_without_tls_keeps_its_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_PASSWORD", "secret")
    settings = LogSettings(security="SASL_PLAINTEXT", username="u", password_env="BROKER_PASSWORD")  # noqa: S106 - a variable's name
    assert "ssl_context" not in kafka_options(settings)
    assert kafka_options(settings)["sasl_mechanism"] == "PLAIN"
    assert faust_options(settings)["broker_credentials"].protocol.value == "SASL_PLAINTEXT"


def test_a_password_that_is_not_in_the_environment_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("BROKER_PASSWORD", raising=False)
    settings = LogSettings(security="SASL_SSL", username="u", password_env="BROKER_PASSWORD")  # noqa: S106 - a variable's name
    with pytest.raises(CannotStart, match="BROKER_PASSWORD"):
        kafka_options(settings)
    with pytest.raises(CannotStart, match="password_env"):
        faust_options(LogSettings(security="SASL_SSL", username="u"))


def test_an_unreadable_certificate_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "ca.pem"
    broken.write_text("no certificate")
    for path in (broken, tmp_path / "missing.pem"):
        with pytest.raises(CannotStart, match=path.name):
            kafka_options(LogSettings(security="SSL", ca_file=path))
