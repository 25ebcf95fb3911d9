"""What a site is: names and addresses, nothing that runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from multisite_lab import paths

MANAGEMENT_NETWORK = "192.168.251.0/24"
UNDERLAY_NETWORK = "172.31.9.0/24"
EXTERNAL_NETWORK = "203.0.113.0/24"
CORE_MANAGEMENT = "192.168.251.1"
CORE_EXTERNAL = "203.0.113.1"
CORE_NAMESPACE = "ms-core"

PORTS = {
    "keystone": 5000,
    "nova": 8774,
    "cinder": 8776,
    "placement": 8778,
    "glance": 9292,
    "neutron": 9696,
}
"""Where each API listens, on the management address of its site."""

_PATHS = {"keystone": "/v3", "nova": "/v2.1", "cinder": "/v3"}


class LabError(Exception):
    """The lab cannot do what was asked; the message says why in words for its user."""


@dataclass(frozen=True)
class Site:
    """One OpenStack site: a set of namespaces, three cables and a folder."""

    name: str
    index: int
    region: str
    furnished: bool = False
    """Whether it gets a flavor and the guest image; a recovery must make do without."""

    @property
    def namespace(self) -> str:
        """Name of its network namespace."""
        return f"ms-{self.name}"

    @property
    def management(self) -> str:
        """Where its APIs and its Ceph monitor listen."""
        return f"192.168.251.{10 + self.index}"

    @property
    def vtep(self) -> str:
        """Its tunnel address on the underlay between the sites."""
        return f"172.31.9.{10 + self.index}"

    @property
    def root(self) -> Path:
        """Everything this site keeps."""
        return paths.state() / self.name

    @property
    def etc(self) -> Path:
        """Rendered configuration."""
        return self.root / "etc"

    @property
    def var(self) -> Path:
        """Databases, Ceph, instances: what survives a restart of the site."""
        return self.root / "var"

    @property
    def log(self) -> Path:
        """Logs of every service."""
        return self.root / "log"

    @property
    def run(self) -> Path:
        """Sockets and pid records: what does not survive a restart."""
        return self.root / "run"

    @property
    def supervisor_socket(self) -> Path:
        """The site's supervisor answers here (unix sockets reach across network namespaces)."""
        return self.run / "supervisor.sock"

    def url(self, service: str) -> str:
        """Public address of one of its APIs."""
        return api_url(service, self.management)


def api_url(service: str, host: str) -> str:
    """Address of an API on any host, as it stands in the service catalog."""
    return f"http://{host}:{PORTS[service]}{_PATHS.get(service, '')}"


SITES: dict[str, Site] = {
    "site1": Site("site1", 1, "RegionOne", furnished=True),
    "site2": Site("site2", 2, "RegionTwo"),
}
"""The OpenStack sites of this lab, by name."""

ALL_SITES: dict[str, Site] = SITES | {"site3": Site("site3", 3, "RegionThree")}
"""With the one that only a lab with one identity has, and only for a part of that (form.py)."""


def site_named(name: str) -> Site:
    """The site of that name, or an error that lists the names there are."""
    try:
        return ALL_SITES[name]
    except KeyError:
        raise LabError(f"there is no site {name!r}; the lab has {', '.join(ALL_SITES)}") from None
