"""Kafka's errors as those of the port, in sentences that say what a person can do.

A refusal (password, certificate) shows only in kafka-python's own log, so that is listened to.
"""

import logging

from kafka import errors as kafka_errors

from streams.log.port import Unavailable
from streams.service import CannotStart
from streams.settings import LogSettings

_AUTHENTICATION = (
    kafka_errors.AuthorizationError,
    kafka_errors.SaslAuthenticationFailedError,
    kafka_errors.UnsupportedSaslMechanismError,
    kafka_errors.IllegalSaslStateError,
)

_HOPELESS = (
    kafka_errors.InvalidConfigurationError,
    kafka_errors.InvalidPartitionsError,
    kafka_errors.InvalidReplicationFactorError,
    kafka_errors.InvalidTopicError,
    kafka_errors.MessageSizeTooLargeError,
    kafka_errors.PolicyViolationError,
    kafka_errors.RecordListTooLargeError,
    kafka_errors.UnsupportedCodecError,
    kafka_errors.UnsupportedCompressionTypeError,
    kafka_errors.UnsupportedVersionError,
)
"""Answers that stay the same however often one asks: to wait would hide them."""


def plain(error: Exception, settings: LogSettings) -> Exception:
    """Turn a Kafka error into one of the port, as a sentence."""
    where = ", ".join(settings.bootstrap)
    # A refusal shows only in kafka-python's log; its exception says "timed out".
    refusal = str(error) if isinstance(error, _AUTHENTICATION) else _heard.refusal
    if refusal:
        return CannotStart(
            f"Kafka at {where} refuses us, or we refuse it ({refusal}); check security, ca_file, "
            "sasl_mechanism, username and password_env under [log], and the user's rights"
        )
    if isinstance(error, _HOPELESS):
        return CannotStart(
            f"Kafka at {where} will not do what we ask ({error}); check its settings against "
            "replication and partitions under [log], and that it takes records of 1 MiB"
        )
    guarded = "" if settings.security == "PLAINTEXT" else ", user, password or certificate"
    return Unavailable(
        f"Kafka at {where} cannot be reached or does not answer ({error}); "
        f"start it, or correct bootstrap{guarded} under [log]"
    )


class _Heard(logging.Handler):
    """Hears kafka-python out: in an outage it says the same several times a second."""

    refusal = ""
    """What it last said of a password or certificate that was not accepted."""

    def emit(self, record: logging.LogRecord) -> None:
        told = record.getMessage()
        if any(sign in told for sign in ("Authentication", "CERTIFICATE", "SSLError")):
            self.refusal = told[:400]


_heard = _Heard(logging.ERROR)


def accepted() -> None:
    """Kafka has done what we asked: what it refused before is over."""
    _heard.refusal = ""


def quieten() -> None:
    """Keep kafka-python's own lines out of our log, unless its logger is set to DEBUG."""
    logger = logging.getLogger("kafka")
    if logger.level == logging.DEBUG:
        return  # somebody wants to see it all
    logger.propagate = False
    if _heard not in logger.handlers:
        logger.addHandler(_heard)
