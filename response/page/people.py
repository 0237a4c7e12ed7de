"""Who may log in: names, roles and hashed passwords in one small file."""

import hmac
import os
import re
import secrets
import tempfile
from base64 import b64decode, b64encode
from hashlib import scrypt, sha256
from pathlib import Path
from typing import Literal, get_args

import msgspec

from response.settings import PageSettings
from streams.service import CannotStart
from streams.settings import RootSettings

Role = Literal["viewer", "responder", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
RANK = {role: rank for rank, role in enumerate(ROLES)}

SHORTEST = 12
"""Characters: NIST SP 800-63B asks for length, not for kinds of characters."""
LONGEST = 256
"""More is no safer and would let a visitor make us hash megabytes."""
COST = {"n": 2**14, "r": 8, "p": 1}
"""scrypt: 16 MB and about 50 ms a try (RFC 7914, interactive logins)."""
_NAME = re.compile(r"^[a-z0-9][a-z0-9._@-]{0,62}$")


class User(msgspec.Struct, frozen=True):
    """One person."""

    role: Role
    salt: str
    hash: str

    @property
    def stamp(self) -> str:
        """Changes with the password: sessions of the old one end."""
        return sha256(f"{self.role}{self.hash}".encode()).hexdigest()[:16]


def users_path(settings: RootSettings) -> Path:
    """Where the users are kept."""
    return settings.section(PageSettings).users_file or settings.data_dir / "users.json"


class People:
    """The users file, read again when it changes, so that commands need no restart of the page."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int] | None = None
        self._users: dict[str, User] = {}

    def users(self) -> dict[str, User]:
        """Everybody.

        Raises
        ------
        CannotStart
            If the file is there but cannot be read: nobody is let in by accident.
        """
        try:
            stat = self.path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size)
            if stamp != self._seen:
                raw = self.path.read_bytes()
                self._users = msgspec.json.decode(raw, type=dict[str, User])
                self._seen = stamp
        except FileNotFoundError:
            self._seen, self._users = None, {}
        except (OSError, msgspec.DecodeError) as e:
            raise CannotStart(f"the users file {self.path} cannot be read ({e}); mend it") from e
        return self._users

    def roles(self) -> dict[str, Role]:
        return {name: user.role for name, user in sorted(self.users().items())}

    def check(self, name: str, password: str) -> User | None:
        """The user if the password is right; takes as long for a name that does not exist."""
        user = self.users().get(name)
        known = user or _NOBODY
        given = _hash(password[:LONGEST], b64decode(known.salt))
        right = hmac.compare_digest(given, b64decode(known.hash))
        return user if right else None

    def put(self, name: str, password: str, role: str) -> None:
        """Add or change a user.

        Raises
        ------
        ValueError
            If the name, role or password will not do; the message says why.
        """
        if not _NAME.match(name):
            raise ValueError("a login name is of a-z, 0-9 and . _ @ -, and starts with a letter")
        known_role = next((r for r in ROLES if r == role), None)
        if known_role is None:
            raise ValueError(f'unknown role "{role}"; choose {", ".join(ROLES)}')
        if not SHORTEST <= len(password) <= LONGEST:
            raise ValueError(f"a password has {SHORTEST} to {LONGEST} characters; take a sentence")
        salt = secrets.token_bytes(16)
        user = User(known_role, b64encode(salt).decode(), b64encode(_hash(password, salt)).decode())
        self._write(self.users() | {name: user})

    def remove(self, name: str) -> bool:
        """Take a user away; False if there was none."""
        users = dict(self.users())
        found = users.pop(name, None) is not None
        if found:
            self._write(users)
        return found

    def _write(self, users: dict[str, User]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Written beside and moved: a crash leaves the old file, and never half of one. mkstemp
        # makes files that only their owner can read.
        handle, beside = tempfile.mkstemp(dir=self.path.parent, prefix=".users-")
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(users)))
        Path(beside).replace(self.path)


def _hash(password: str, salt: bytes) -> bytes:
    return scrypt(password.encode("utf-8", "surrogatepass"), salt=salt, dklen=32, **COST)


_NOBODY = User("viewer", b64encode(bytes(16)).decode(), b64encode(bytes(32)).decode())
