"""A service of one region as far as tokens are concerned: the real auth_token middleware, with every request counted.

What it is told is what ``[keystone_authtoken]`` of that region's services holds (keystonemiddleware,
"Middleware Architecture").  Which Keystone it asks is seen, not assumed: the answers' addresses are counted.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import requests
import webob
import webob.dec
from keystoneauth1 import session
from keystonemiddleware import auth_token
from oslo_config import cfg

from multisite.identity.proof.keystone import Login
from multisite.identity.topology.model import IdentitySite, Topology


class Verdict(StrEnum):
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"


_VERDICTS = {200: Verdict.ACCEPTED, 401: Verdict.REFUSED}


class _Counted(auth_token.AuthProtocol):  # type: ignore[misc]
    """Notes where the tokens of users were validated, by address; its own log-ins are not validations."""

    def __init__(self, app: Any, conf: dict[str, Any]) -> None:
        self.validated: Counter[str] = Counter()
        super().__init__(app, conf)

    def _create_session(self, **kwargs: Any) -> session.Session:
        made: session.Session = super()._create_session(**kwargs)
        made.session.hooks["response"].append(self._note)
        return made

    def _note(self, answer: requests.Response, *_: Any, **__: Any) -> None:
        request = answer.request
        parts = urlsplit(str(request.url))
        if request.method == "GET" and parts.path.endswith("/auth/tokens"):
            self.validated[parts.netloc] += 1


class Service:
    """A service of ``site``'s region.  ``by_region`` off: the negative control, without ``region_name``."""

    def __init__(
        self, topology: Topology, site: IdentitySite, login: Login, *, by_region: bool = True
    ) -> None:
        self.site = site.name
        options = cfg.ConfigOpts()
        options([], project="multisite-proof", default_config_files=[])
        conf = {
            "oslo_config_config": options,
            "auth_type": "password",
            "auth_url": topology.entry,
            "www_authenticate_uri": topology.entry,
            "interface": "internal",
            "token_cache_time": topology.token_cache_time,
            "include_service_catalog": False,
            "service_token_roles_required": True,
            "http_connect_timeout": 20,
            "http_request_max_retries": 0,
            **login.options(),
        }
        if by_region:
            conf["region_name"] = site.region
        self._middleware = _Counted(_ok, conf)

    def judge(self, token: str) -> Verdict:
        """What becomes of a request with this token."""
        request = webob.Request.blank("/", headers={"X-Auth-Token": token})
        status: int = request.get_response(self._middleware).status_int
        return _VERDICTS.get(status, Verdict.UNKNOWN)

    @property
    def validated(self) -> dict[str, int]:
        """How many validations each address has answered so far."""
        return dict(self._middleware.validated)


@webob.dec.wsgify  # type: ignore[untyped-decorator]
def _ok(request: webob.Request) -> webob.Response:  # noqa: ARG001
    return webob.Response("ok")
