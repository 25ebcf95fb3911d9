"""RUNBOOK.md: what to do with the files, in order."""

from __future__ import annotations

from multisite.identity import numbers
from multisite.identity.render import haproxy, keystone, mariadb, names
from multisite.identity.render.model import File, from_template
from multisite.identity.topology import rules as topology_rules
from multisite.identity.topology.model import Role, TokenProvider, Topology


def files(topology: Topology, passwords_missing: bool) -> tuple[File, ...]:
    """One text for the whole deployment."""
    masters = [store for site in topology.masters for store in names.stores(topology, site)]
    text = from_template(
        "RUNBOOK.md",
        topology=topology,
        passwords_missing=passwords_missing,
        first=masters[0],
        joiners=masters[1:],
        replicas=[store for site in topology.replicas for store in names.stores(topology, site)],
        keystones=[site for site in topology.sites if site.role != Role.CLIENT],
        proxied=[site for site in topology.sites if site.role != Role.CLIENT and names.has_proxy(site)],
        own_entry=topology_rules.entry_site(topology),
        warnings=topology_rules.warnings(topology),
        jws=topology.tokens.provider == TokenProvider.JWS,
        max_active_keys=numbers.max_active_keys(topology.tokens),
        votes=numbers.votes(topology),
        schema=names.SCHEMA,
        catalog_cache_time=keystone.CATALOG_CACHE_TIME,
        accounts="/" + mariadb.ACCOUNTS,
        prepare="/" + mariadb.PREPARE,
        follow="/" + mariadb.FOLLOW,
        haproxy="/" + haproxy.PATH,
    )
    return (File("", "", "RUNBOOK.md", text),)
