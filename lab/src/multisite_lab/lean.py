"""The lean third site: identity and networks of its own, and nothing else."""

from __future__ import annotations

from multisite_lab import database
from multisite_lab.mariadb import execute
from multisite_lab.model import Site

SERVICES = (
    "mariadb",
    "rabbitmq",
    "ovsdb-server",
    "ovs-vswitchd",
    "keystone",
    "neutron-rpc-server",
    "neutron-api",
    "neutron-openvswitch-agent",
    "neutron-periodic-workers",
)
"""What runs there, of all that runs in a whole site."""

FILES = ("keystone/", "neutron/", "rabbitmq/", "hosts", "bin/sudo", "supervisord.conf")
"""Beginnings of the names of its configuration files."""

CATALOG = ("identity", "network")
"""Service types it has: a catalog must not name what is not there."""


def localize(site: Site) -> None:
    """Make the copied databases the site's own; repeated at each boot, it changes nothing more."""
    database.localize(site)
    kept = ", ".join(f"'{kind}'" for kind in CATALOG)
    execute(
        site.run,
        f"DELETE keystone.endpoint FROM keystone.endpoint JOIN keystone.service ON service_id = service.id"
        f" WHERE type NOT IN ({kept});\nDELETE FROM keystone.service WHERE type NOT IN ({kept});",
    )
