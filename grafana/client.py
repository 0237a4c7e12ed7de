"""The only module that imports grafana-api: its calls, without its traps.

grafana-api 1.0.3 raises a JSON error where Grafana answers with an empty body although the call
succeeded, and a TypeError for an error whose body is `null`; it knows no alerting calls.
"""

import logging
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

import requests
from grafana_api.grafana_api import GrafanaException
from grafana_api.grafana_face import GrafanaFace

log = logging.getLogger(__name__)

Method = Literal["get", "post", "put", "delete"]


class Refused(Exception):
    """Grafana answered no; `status` is its HTTP status."""

    def __init__(self, what: str, status: int, message: str) -> None:
        self.status = status
        hint = {
            401: "; check the token or the password",
            403: "; the account needs the role Admin of its organisation",
        }.get(status, "")
        super().__init__(f"Grafana refused {what}: {status} {message}{hint}")


class Unreachable(Exception):
    """Grafana did not answer."""


class Client:
    """Calls to one Grafana, relative to `/api`.

    Parameters
    ----------
    url
        Base address, with a path if Grafana is served under one.
    auth
        A token, or user and password.
    timeout_s
        For each call.
    """

    def __init__(self, url: str, auth: str | tuple[str, str], *, timeout_s: float = 20.0) -> None:
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        path = parts.path.strip("/")
        self._api = GrafanaFace(
            auth,
            host=parts.netloc,
            protocol=parts.scheme,
            url_path_prefix=f"{path}/" if path else "",
            timeout=timeout_s,
        ).api

    def get(self, path: str) -> Any:
        """What is there; None for 404."""
        try:
            return self._call("get", path)
        except Refused as e:
            if e.status == 404:
                return None
            raise

    def post(self, path: str, body: object, *, headers: Mapping[str, str] | None = None) -> Any:
        """Create."""
        return self._call("post", path, body, headers)

    def put(self, path: str, body: object, *, headers: Mapping[str, str] | None = None) -> Any:
        """Replace."""
        return self._call("put", path, body, headers)

    def delete(self, path: str) -> None:
        """Remove; what is gone already is no error."""
        try:
            self._call("delete", path)
        except Refused as e:
            if e.status != 404:
                raise

    def _call(
        self,
        method: Method,
        path: str,
        body: object | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        what = f"{method.upper()} {path}"
        try:
            return getattr(self._api, method)(path, json=body, headers=dict(headers or {}))
        except requests.exceptions.JSONDecodeError:
            # Only successes are decoded outside grafana-api's own try: this one had no body
            return None
        except TypeError as e:
            # `"message" in None`: an error whose body is null, which is Grafana's 404
            raise Refused(what, 404, "nothing there") from e
        except GrafanaException as e:
            raise Refused(what, e.status_code, str(e.message)) from e
        except requests.exceptions.RequestException as e:
            msg = f"Grafana at {self.url} does not answer {what}: {e}; check [grafana] url"
            raise Unreachable(msg) from e
