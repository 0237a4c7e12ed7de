"""How we log in to Grafana, from the configuration and the environment."""

from collections.abc import Mapping

from grafana.settings import GrafanaSettings
from streams.service import CannotStart


def login(ours: GrafanaSettings, env: Mapping[str, str]) -> str | tuple[str, str]:
    """A token, or user and password.

    Raises
    ------
    CannotStart
        Naming the variable that is not set.
    """
    if ours.token_env:
        if token := env.get(ours.token_env):
            return token
        raise CannotStart(f"set {ours.token_env}, which [grafana] token_env names")
    if password := env.get(ours.password_env):
        return ours.user, password
    raise CannotStart(
        f"set {ours.password_env} to the password of Grafana's user {ours.user!r}, "
        "or name a token's variable in [grafana] token_env"
    )
