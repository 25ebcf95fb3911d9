"""HAProxy: the entry in front of the masters, and the proxy of a site."""

from __future__ import annotations

import json
from dataclasses import dataclass

from multisite.identity.render import names, sqlcheck
from multisite.identity.render.model import ENTRY_NODE, KEYSTONE_NODE, File, from_template
from multisite.identity.topology import rules as topology_rules
from multisite.identity.topology.model import IdentitySite, Role, Topology

PATH = "etc/haproxy/haproxy.cfg"
CERTIFICATE = "/etc/haproxy/multisite-identity.pem"
NOBODY = "multisite-health-check"
"""Id of a user that does not exist."""


@dataclass(frozen=True)
class Server:
    name: str
    address: str
    port: int


def entry(topology: Topology, site: IdentitySite) -> tuple[File, ...]:
    """The entry's proxy, for the machine of a master site that carries its address; none when a Keystone is it."""
    if site.role != Role.MASTER or topology_rules.entry_site(topology) is not None:
        return ()
    host, port, secure = topology_rules.entry_address(topology)
    text = from_template(
        "haproxy-entry.cfg",
        topology=topology,
        # A name is not bound to: it may be another machine's at the moment.
        bind=f"{host if host.replace('.', '').isdigit() else ''}:{port}",
        certificate=CERTIFICATE if secure else "",
        masters=_masters(topology),
        login=_nobodys_login(),
    )
    return (File(site.name, ENTRY_NODE, PATH, text),)


def site_proxy(topology: Topology, site: IdentitySite) -> tuple[File, ...]:
    """The proxy beside a site's Keystone: splits by method at a read-only site, finds the best of several databases."""
    if not names.has_proxy(site):
        return ()
    replica = site.role == Role.REPLICA
    wanted = sqlcheck.FOLLOWING if replica else sqlcheck.SERVING
    text = from_template(
        "haproxy-site.cfg",
        topology=topology,
        site=site,
        split=replica,
        masters=_masters(topology),
        login=_nobodys_login(),
        database_port=names.LOCAL_DATABASE_PORT if len(site.databases) > 1 else 0,
        stores=names.stores(topology, site),
        wanted=wanted,
        sql_login=sqlcheck.login(names.HEALTH_ACCOUNT),
        sql_question=sqlcheck.question(wanted[0]),
        sql_answer=sqlcheck.answer(*wanted),
        sql_farewell=sqlcheck.farewell(),
    )
    return (File(site.name, KEYSTONE_NODE, PATH, text),)


def _masters(topology: Topology) -> tuple[Server, ...]:
    return tuple(Server(site.name, site.address, site.port) for site in topology.masters)


def _nobodys_login() -> str:
    """A login that must fail with 401: Keystone has to ask its database for the user.  It writes nothing, also not at
    a replica, since there is no user whose failures it could count."""
    identity = {"methods": ["password"], "password": {"user": {"id": NOBODY, "password": "none"}}}
    return json.dumps({"auth": {"identity": identity}}, separators=(",", ":"))
