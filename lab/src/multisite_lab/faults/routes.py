"""Where requests go, and how links in answers come to lead back through the proxy.

A proxy offers each service of a site under a path of its own: ``http://<proxy>/nova/v2.1`` is
``http://<site>:8774/v2.1``.  Services write absolute links into Keystone's catalog, into version documents
(which keystoneauth follows instead of what it was given), into ``links`` and ``..._links`` of resources, and
into ``Location``.  All these are addresses as the service believes to have; they are replaced by what the
client can use.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Upstream:
    """A service and its address without version: ``http://192.168.251.11:8774`` or ``http://host/compute``."""

    service: str
    url: str

    @property
    def host(self) -> str:
        return self._authority.rpartition(":")[0] if ":" in self._authority else self._authority

    @property
    def port(self) -> int:
        return int(self._authority.rpartition(":")[2]) if ":" in self._authority else 80

    @property
    def path(self) -> str:
        """What stands before every path of the service, "" or ``/compute``."""
        _, slash, path = self.url.partition("://")[2].partition("/")
        return f"{slash}{path}"

    @property
    def _authority(self) -> str:
        scheme, _, rest = self.url.partition("://")
        if scheme != "http":
            raise ValueError(f"{self.url}: only http:// can be looked into")
        return rest.split("/")[0]


class Routes:
    """The services behind one proxy at ``base`` (``http://127.0.0.1:2001``)."""

    def __init__(self, upstreams: list[Upstream], base: str = "") -> None:
        self.base = base
        self._by_name = {up.service: up for up in upstreams}
        # The longest first: http://host/compute must not be taken for http://host.
        self._by_url = sorted(upstreams, key=lambda up: -len(up.url))

    def url(self, service: str) -> str:
        """Where the proxy offers a service."""
        return f"{self.base}/{self._by_name[service].service}"

    def inward(self, target: str) -> tuple[Upstream, str] | None:
        """The service a request target is for, and the target there; None when there is no such service."""
        name, slash, rest = target.lstrip("/").partition("/")
        name, question, query = name.partition("?")
        upstream = self._by_name.get(name)
        if upstream is None:
            return None
        return upstream, f"{f'{upstream.path}{slash}{rest}' or '/'}{question}{query}"

    def outward(self, url: str) -> str:
        """An address as a service gave it, through the proxy; one of none of our services as it is."""
        for up in self._by_url:
            if url == up.url or url.startswith((f"{up.url}/", f"{up.url}?")):
                return self.url(up.service) + url[len(up.url) :]
        return url

    def rewritten(self, body: bytes) -> bytes:
        """A JSON answer with its links replaced; the very same bytes when there is nothing to replace."""
        if not any(up.url.encode() in body for up in self._by_url):
            return body
        try:
            content = json.loads(body)
        except ValueError:
            return body
        return json.dumps(self._links_of(content)).encode()

    def _links_of(self, value: Any) -> Any:
        """Only members that hold links: a resource's own data may well contain an address."""
        if isinstance(value, list):
            return [self._links_of(item) for item in value]
        if not isinstance(value, dict):
            return value
        shown = {name: self._links_of(item) for name, item in value.items()}
        for name in ("href", "url") if {"rel", "interface"} & value.keys() else ():
            if isinstance(value.get(name), str):
                shown[name] = self.outward(value[name])
        return shown
