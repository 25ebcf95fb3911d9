"""What services need: their [keystone_authtoken], and the catalog."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from multisite.identity.render.model import SERVICES_NODE, File, from_template
from multisite.identity.secrets import Secrets
from multisite.identity.topology.model import IdentitySite, Topology

AUTHTOKEN = "keystone_authtoken.conf"
INTERFACES = ("internal", "public", "admin")


@dataclass(frozen=True)
class Endpoint:
    """Of the service of type ``identity``."""

    region: str
    interface: str
    url: str


def endpoints(topology: Topology) -> tuple[Endpoint, ...]:
    """The identity endpoints of all regions.

    ``internal`` is the region's own: there auth_token validates, given its region's name.  People use the entry.
    """
    return tuple(
        Endpoint(site.region, interface, site.url if interface == "internal" else topology.entry)
        for site in topology.sites
        for interface in INTERFACES
    )


def authtoken(topology: Topology, site: IdentitySite, secrets: Secrets) -> tuple[File, ...]:
    """The section for every service of a site (secret)."""
    text = from_template(
        "keystone_authtoken.conf", topology=topology, site=site, password=secrets.service.get_secret_value()
    )
    return (File(site.name, SERVICES_NODE, AUTHTOKEN, text, 0o600, secret=True),)


def catalog(topology: Topology) -> tuple[File, ...]:
    """The endpoints as a list (JSON), and a script of `openstack` commands that may be run again."""
    wanted = endpoints(topology)
    listed = json.dumps([asdict(endpoint) for endpoint in wanted], indent=2) + "\n"
    script = from_template("catalog.sh", topology=topology, endpoints=wanted)
    return (File("", "", "catalog.json", listed), File("", "", "catalog.sh", script, 0o755))
