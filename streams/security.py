"""TLS and SASL for Kafka: the `[log]` section becomes what kafka-python and Faust ask for."""

import os
import ssl
from typing import Any

from streams.service import CannotStart
from streams.settings import LogSettings


def kafka_options(settings: LogSettings) -> dict[str, Any]:
    """Keyword arguments for kafka-python's clients (empty values left out).

    Raises
    ------
    CannotStart
        If a file cannot be read or the password's variable is not set.
    """
    options: dict[str, Any] = {"security_protocol": settings.security}
    if context := tls_context(settings):
        options["ssl_context"] = context
    if sasl := _sasl(settings):
        mechanism, username, password = sasl
        options |= {
            "sasl_mechanism": mechanism,
            "sasl_plain_username": username,
            "sasl_plain_password": password,
        }
    return options


def faust_credentials(settings: LogSettings) -> Any:
    """Value of Faust's `broker_credentials`; None for a plain connection.

    Raises
    ------
    CannotStart
        As `kafka_options`.
    """
    import faust

    context = tls_context(settings)
    if sasl := _sasl(settings):
        mechanism, username, password = sasl
        return faust.SASLCredentials(
            username=username, password=password, mechanism=mechanism, ssl_context=context
        )
    return faust.SSLCredentials(context) if context else None


def tls_context(settings: LogSettings) -> ssl.SSLContext | None:
    """Return the TLS context; None when `security` names no TLS.

    Raises
    ------
    CannotStart
        If a certificate or key cannot be read.
    """
    if not settings.security.endswith("SSL"):
        return None
    try:
        context = ssl.create_default_context(
            cafile=str(settings.ca_file) if settings.ca_file else None
        )
        if settings.certificate_file:
            context.load_cert_chain(settings.certificate_file, settings.key_file)
    except (OSError, ssl.SSLError) as e:
        files = [settings.ca_file, settings.certificate_file, settings.key_file]
        named = ", ".join(str(f) for f in files if f)
        raise CannotStart(
            f"[log] TLS files ({named}) cannot be read: {e}. "
            "ca_file, certificate_file and key_file must be readable PEM files."
        ) from e
    return context


def _sasl(settings: LogSettings) -> tuple[str, str, str] | None:
    """(mechanism, username, password), or None without SASL."""
    if not settings.security.startswith("SASL"):
        return None
    if not settings.username or not settings.password_env:
        raise CannotStart(
            f"[log] security = {settings.security} needs username, and password_env, the name of "
            "the environment variable that holds the password"
        )
    password = os.environ.get(settings.password_env)
    if not password:
        raise CannotStart(
            f"[log] the environment variable {settings.password_env} (password_env) is not set"
        )
    return settings.sasl_mechanism or "PLAIN", settings.username, password


def faust_options(settings: LogSettings) -> dict[str, Any]:
    """Keyword arguments for `faust.App`: `broker_credentials`, or nothing for a plain connection.

    Raises
    ------
    CannotStart
        As `kafka_options`.
    """
    credentials = faust_credentials(settings)
    return {} if credentials is None else {"broker_credentials": credentials}
