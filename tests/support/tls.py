"""A key store for a broker on the loopback address, made by Java's keytool."""

import subprocess
from pathlib import Path

from services import KafkaOptions, Listener


def certificate(folder: Path) -> tuple[Path, Path]:
    """The key store (password `changeit`) and its certificate as PEM."""
    store, ca = folder / "broker.p12", folder / "ca.pem"
    common = ["keytool", "-alias", "b", "-keystore", str(store), "-storepass", "changeit"]
    subprocess.run(
        [*common, "-genkeypair", "-keyalg", "EC", "-storetype", "PKCS12", "-validity", "2",
         "-dname", "CN=localhost", "-ext", "san=ip:127.0.0.1,dns:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    subprocess.run(
        [*common, "-exportcert", "-rfc", "-file", str(ca)], check=True, capture_output=True
    )
    return store, ca


def guarded(store: Path, user: str, password: str) -> KafkaOptions:
    """A broker with a further listener `GUARDED`: TLS and SCRAM-SHA-512."""
    jaas = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    properties = {
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "scram-sha-512.sasl.jaas.config": jaas,
        "ssl.keystore.location": str(store),
        "ssl.keystore.type": "PKCS12",
        "ssl.keystore.password": "changeit",
    }
    return KafkaOptions(
        listeners=(Listener("GUARDED", "SASL_SSL", properties),), scram={user: password}
    )
