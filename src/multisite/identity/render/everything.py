"""All files of a topology."""

from __future__ import annotations

from multisite.identity.render import haproxy, keystone, mariadb, runbook, services
from multisite.identity.render.model import File
from multisite.identity.secrets import Secrets, to_be_filled_in
from multisite.identity.topology.model import Role, Topology


def files(topology: Topology, secrets: Secrets | None = None) -> tuple[File, ...]:
    """Every file of every node, sorted by name.  Without ``secrets``, placeholders stand for the passwords."""
    known = secrets or to_be_filled_in()
    found = [
        *mariadb.arbitrator(topology),
        *services.catalog(topology),
        *runbook.files(topology, secrets is None),
    ]
    for site in topology.sites:
        found += services.authtoken(topology, site, known)
        if site.role != Role.CLIENT:
            found += keystone.files(topology, site, known)
            found += mariadb.files(topology, site, known)
            found += haproxy.entry(topology, site)
            found += haproxy.site_proxy(topology, site)
    return tuple(sorted(found, key=lambda file: file.name))
