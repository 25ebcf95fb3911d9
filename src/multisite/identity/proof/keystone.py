"""What a user asks one site's Keystone, at its own address (API: Identity v3, "Authentication and token management").

Every call has a time limit; what no answer came to is ``Unanswered``: it is not known, not refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import requests
from keystoneauth1 import exceptions, session
from keystoneauth1.identity import v3

from multisite.domain.errors import MultisiteError

SECONDS = 20.0


class Unanswered(MultisiteError):
    """A Keystone did not answer, or with an error of its own: nothing is known."""


@dataclass(frozen=True)
class Login:
    """An account that may create projects; the same at every site, as the identity is one."""

    username: str
    password: str = field(repr=False)
    project_name: str = "admin"
    user_domain_name: str = "Default"
    project_domain_name: str = "Default"

    def options(self) -> dict[str, str]:
        """As keystoneauth's and auth_token's options name them."""
        return asdict(self)


class Keystone:
    """One site's Keystone; ``url`` ends in /v3."""

    def __init__(self, site: str, url: str, login: Login, seconds: float = SECONDS) -> None:
        self.site = site
        self._url, self._login, self._seconds = url.rstrip("/"), login, seconds

    def issue(self) -> str:
        """A new token.  Raises Unanswered; MultisiteError when the login is refused."""
        options: dict[str, Any] = {"include_catalog": False, **self._login.options()}
        plugin = v3.Password(auth_url=self._url, **options)
        try:
            token = plugin.get_access(session.Session(timeout=self._seconds)).auth_token
        except exceptions.Unauthorized as error:
            raise MultisiteError(
                f"{self.site}: log in as {self._login.username}: refused: {error}"
            ) from error
        except exceptions.ClientException as error:
            raise Unanswered(f"{self.site}: log in: {error}") from error
        return str(token)

    def revoke(self, token: str) -> None:
        """By its owner.  Raises Unanswered."""
        self._call("DELETE", "/auth/tokens", token, headers={"X-Subject-Token": token}, good=(204,))

    def create_project(self, token: str, name: str) -> str:
        """A project nobody can use; returns its id.  Raises Unanswered."""
        body = {"project": {"name": name, "enabled": False, "description": "made and removed by a proof"}}
        answer = self._call("POST", "/projects", token, json=body, good=(201,))
        return str(answer.json()["project"]["id"])

    def projects(self, token: str, name: str = "") -> dict[str, str]:
        """Names by id; lists are not cached.  Raises Unanswered."""
        params = {"name": name} if name else {}
        answer = self._call("GET", "/projects", token, params=params, good=(200,))
        return {str(row["id"]): str(row["name"]) for row in answer.json()["projects"]}

    def delete_project(self, token: str, project_id: str) -> None:
        """Harmless when it is gone.  Raises Unanswered."""
        self._call("DELETE", f"/projects/{project_id}", token, good=(204, 404))

    def _call(
        self,
        method: str,
        path: str,
        token: str,
        *,
        good: tuple[int, ...],
        headers: Mapping[str, str] | None = None,
        **what: Any,
    ) -> requests.Response:
        head = {"X-Auth-Token": token, **(headers or {})}
        try:
            answer = requests.request(method, self._url + path, headers=head, timeout=self._seconds, **what)
        except requests.RequestException as error:
            raise Unanswered(f"{self.site}: {method} {path}: {error}") from error
        if answer.status_code not in good:
            raise Unanswered(f"{self.site}: {method} {path}: HTTP {answer.status_code}")
        return answer
