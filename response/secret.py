"""The key that signs links and sessions: from the environment, else made once in data_dir."""

import os
import secrets

from response.settings import PageSettings
from streams.service import CannotStart
from streams.settings import RootSettings

FILE = "page-secret"
SHORTEST = 16


def secret(settings: RootSettings) -> str:
    """Return the signing key.

    Several processes on several machines must share it: set the variable there.

    Raises
    ------
    CannotStart
        If the variable holds less than 16 characters, or the file cannot be kept.
    """
    name = settings.section(PageSettings).secret_env
    if value := os.environ.get(name):
        if len(value) < SHORTEST:
            raise CannotStart(f"{name} is shorter than {SHORTEST} characters: too easy to guess")
        return value
    path = settings.data_dir / FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Exclusive: of two services that start together, one makes the key and both read it.
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32))
    except FileExistsError:
        pass
    except OSError as e:
        raise CannotStart(f"cannot keep the signing key in {path} ({e}); set {name} instead") from e
    value = path.read_text().strip()
    if len(value) < SHORTEST:
        raise CannotStart(f"{path} is damaged: delete it, and links and sessions are made anew")
    return value
