"""The identity's programs of a site, and what is done between them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

from multisite_lab import form, paths, uwsgi
from multisite_lab.model import PORTS, Site
from multisite_lab.program import FIRST, Service, base_environment, lab_environment
from multisite_lab.star import access, galera, layout, tasks
from multisite_lab.star.layout import Node


def programs(site: Site) -> list[Service]:
    """In the order in which they should get the processors."""
    found = [_database(site, node) for node in layout.nodes(site)]
    ready = "identity-joined" if layout.is_master(site) else "identity-following"
    if site == layout.REPLICA_SITE:
        found += [_proxy(site), _arbitrator(site)]
        return [*found, _keystone(site, (ready, "identity-proxy")), _check(site)]
    return [*found, _keystone(site, (ready,)), _check(site)]


class Work(NamedTuple):
    """A boot task, for boot.py."""

    name: str
    needs: tuple[str, ...]
    action: Callable[[Site], None]


def work(site: Site) -> list[Work]:
    """What is done once at boot."""
    databases = tuple(node.service for node in layout.nodes(site))
    if layout.is_master(site):
        own = [Work("database", ("mariadb",), tasks.forget_own)] if form.whole(site) else []
        return [Work("identity-joined", databases, tasks.join), *own]
    return [Work("identity-following", databases, tasks.follow)]


def _database(site: Site, node: Node) -> Service:
    server = (galera.SERVER, f"--defaults-file={node.config}")
    joining = (sys.executable, "-m", "multisite_lab.star.galera", site.name)
    command = FIRST + (joining if node.follows is None else server)
    # A Galera node listens before it has joined: that it may be asked is the task's business.
    probe = f"unix:{node.socket}"
    return Service(node.service, command, (), probe, lab_environment(site), "deb:mariadb-server")


def _keystone(site: Site, needs: tuple[str, ...]) -> Service:
    address = f"{site.management}:{layout.keystone_port(site)}"
    environment = base_environment(site) | {"OS_KEYSTONE_CONFIG_DIR": f"{site.etc}/keystone"}
    command = uwsgi.command("keystone", "keystone.wsgi.api", address, access_log=access.log_file(site))
    return Service("keystone", command, needs, f"tcp:{address}", environment, "keystone")


def _proxy(site: Site) -> Service:
    command = ("/usr/sbin/haproxy", "-db", "-f", f"{site.etc}/identity/haproxy.cfg")
    probe = f"tcp:{site.management}:{PORTS['keystone']}"
    return Service("identity-proxy", command, (), probe, base_environment(site), "deb:haproxy")


def _arbitrator(site: Site) -> Service:
    masters = ",".join(master.management for master in layout.MASTERS)
    own = f"{site.management}:{layout.GALERA_PORT}"
    options = f"base_host={site.management};gmcast.listen_addr=tcp://{own};gmcast.segment={site.index}"
    command = ("/usr/bin/garbd", "--address", f"gcomm://{masters}", "--group", layout.CLUSTER)
    more = ("--name", "arbitrator", "--options", options)
    return Service(
        "identity-arbitrator", command + more, (), "", base_environment(site), "deb:galera-arbitrator-4"
    )


def _check(site: Site) -> Service:
    # The OpenStack environment's Python: it has a client of the database.
    python = f"{paths.openstack_venv()}/bin/python"
    needs = tuple(node.service for node in layout.nodes(site))
    probe = f"tcp:{site.management}:{layout.CHECK_PORT}"
    command = (python, "-m", "multisite_lab.star.check", site.name)
    return Service("identity-check", command, needs, probe, lab_environment(site))
