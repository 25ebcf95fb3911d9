"""What sites and hosts are: names and addresses, nothing that runs."""

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
class _Machine:
    """What every machine of the lab has: a set of namespaces, three cables and a folder."""

    name: str
    index: int

    @property
    def namespace(self) -> str:
        """Name of its network namespace."""
        return f"ms-{self.name}"

    @property
    def management(self) -> str:
        """Its address on the management network; that of a site is where its APIs and its Ceph monitor listen."""
        return f"192.168.251.{10 + self.index}"

    @property
    def vtep(self) -> str:
        """Its tunnel address on the underlay."""
        return f"172.31.9.{10 + self.index}"

    @property
    def root(self) -> Path:
        """Everything it keeps."""
        return paths.state() / self.name

    @property
    def etc(self) -> Path:
        """Rendered configuration."""
        return self.root / "etc"

    @property
    def var(self) -> Path:
        """Databases, Ceph, instances: what survives a restart."""
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
        """Its supervisor answers here (unix sockets reach across network namespaces)."""
        return self.run / "supervisor.sock"


@dataclass(frozen=True)
class Site(_Machine):
    """One OpenStack site; the machine of its control plane, its storage and its first compute host."""

    region: str
    furnished: bool = False
    """Whether it gets a flavor and the guest image; a recovery must make do without."""

    @property
    def site(self) -> Site:
        """Itself: what it shares with its other hosts."""
        return self

    @property
    def instances(self) -> Path:
        """Nova's folder of guests, one for all hosts of the site as on shared storage."""
        return self.var / "nova" / "instances"

    def url(self, service: str) -> str:
        """Public address of one of its APIs."""
        return api_url(service, self.management)


@dataclass(frozen=True)
class Host(_Machine):
    """One more compute host of a site: a switch, a hypervisor and agents, no control plane."""

    site: Site

    @property
    def root(self) -> Path:
        """Everything it keeps, inside the folder of its site."""
        return self.site.root / "hosts" / self.name.rpartition("-")[2]

    @property
    def region(self) -> str:
        """That of its site."""
        return self.site.region

    @property
    def instances(self) -> Path:
        """That of its site."""
        return self.site.instances

    def url(self, service: str) -> str:
        """Public address of one of its site's APIs."""
        return self.site.url(service)


Machine = Site | Host
"""A computer of the lab: what is wired, powered, lost and supervised as one."""


def api_url(service: str, host: str) -> str:
    """Address of an API on any host, as it stands in the service catalog."""
    return f"http://{host}:{PORTS[service]}{_PATHS.get(service, '')}"


SITES: dict[str, Site] = {
    "site1": Site("site1", 1, "RegionOne", furnished=True),
    "site2": Site("site2", 2, "RegionTwo"),
}
"""The OpenStack sites of this lab, by name."""

ALL_SITES: dict[str, Site] = SITES | {"site3": Site("site3", 3, "RegionThree")}
"""With the one that some forms of the lab have, with a part of what the others have (form.py)."""


HOSTS: dict[str, Host] = {
    f"{site.name}-c2": Host(f"{site.name}-c2", 10 + site.index, site) for site in SITES.values()
}
"""The second compute hosts (the first is the site's own machine), by the name Nova and Neutron know."""

MOST_HOSTS = 2


def hosts_of(site: Site) -> list[Host]:
    """The further compute hosts a site can have, whether or not this lab's form has them."""
    return [host for host in HOSTS.values() if host.site == site]


def site_named(name: str) -> Site:
    """The site of that name, or an error that lists the names there are."""
    try:
        return ALL_SITES[name]
    except KeyError:
        raise LabError(f"there is no site {name!r}; the lab has {', '.join(ALL_SITES)}") from None


def machines_of(site: Site) -> list[Machine]:
    """The machine of a site's control plane and those of all further compute hosts it can have."""
    return [site, *hosts_of(site)]


def machine_named(name: str) -> Machine:
    """The site or the host of that name."""
    return HOSTS[name] if name in HOSTS else site_named(name)
