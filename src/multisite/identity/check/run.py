"""Reads everything that was asked for and compares it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from multisite.clouds.ask import ask_all
from multisite.domain.findings import Finding
from multisite.identity.check.collect import catalog as collect_catalog
from multisite.identity.check.collect import config as collect_config
from multisite.identity.check.collect import database as collect_database
from multisite.identity.check.compare import catalog as compare_catalog
from multisite.identity.check.compare import config as compare_config
from multisite.identity.check.compare import database as compare_database
from multisite.identity.check.facts import DatabaseFacts, Unknown
from multisite.identity.render import keystone, names
from multisite.identity.render.model import KEYSTONE_NODE, SERVICES_NODE
from multisite.identity.render.names import Store
from multisite.identity.secrets import Secrets, to_be_filled_in
from multisite.identity.topology.model import Database, IdentitySite, Role, Topology

WAIT = 3.0
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Area(StrEnum):
    DATABASE = "database"
    KEYSTONE = "keystone"
    SERVICES = "services"
    CATALOG = "catalog"


@dataclass(frozen=True)
class Scope:
    """What to read and with what.  ``configs``: a folder laid out as `render` writes it.  ``authtokens``: more
    files of services, by site.  ``login``: gives a token, or raises.  ``wait``: seconds a replica may need."""

    sites: frozenset[str]
    areas: frozenset[Area] = frozenset(Area)
    secrets: Secrets | None = None
    configs: Path | None = None
    authtokens: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    login: collect_catalog.Login | None = None
    wait: float = WAIT


def findings(topology: Topology, scope: Scope) -> list[Finding]:
    """All differences, those of one site together; what could not be seen is among them."""
    sites = [site for site in topology.sites if site.name in scope.sites]
    homes = [site for site in sites if site.role != Role.CLIENT]
    found: list[Finding] = []
    if Area.DATABASE in scope.areas:
        found += _databases(topology, homes, scope)
    if Area.KEYSTONE in scope.areas:
        found += [finding for site in homes for finding in _keystone(topology, site, scope)]
    if Area.SERVICES in scope.areas:
        found += [finding for site in sites for finding in _services(topology, site, scope)]
    if Area.CATALOG in scope.areas:
        found += compare_catalog.findings(topology, _catalogs(homes, scope))
    order = ["", *(site.name for site in topology.sites)]
    return sorted(found, key=lambda finding: order.index(finding.site))


def _databases(topology: Topology, sites: Iterable[IdentitySite], scope: Scope) -> list[Finding]:
    stores = [store for site in sites for store in names.stores(topology, site)]
    secrets = scope.secrets
    if secrets is None:
        reason = Unknown("no passwords to log in with", "give --secrets")
        return [finding for store in stores for finding in compare_database.findings(topology, store, reason)]
    # The masters' positions first: what a replica has to have is what they had before it was asked.
    masters = {_address(store.source): store.source for store in stores if store.source is not None}
    positions = _each(lambda database: collect_database.position(database, secrets), masters)

    def read(store: Store) -> DatabaseFacts | Unknown:
        target = positions[_address(store.source)] if store.source is not None else None
        return collect_database.facts(store.database, secrets, target, scope.wait)

    facts = _each(read, {_address(store.database): store for store in stores})
    return [
        finding
        for store in stores
        for finding in compare_database.findings(topology, store, facts[_address(store.database)])
    ]


def _address(database: Database) -> str:
    return f"{database.address}:{database.port}"


def _keystone(topology: Topology, site: IdentitySite, scope: Scope) -> list[Finding]:
    wanted: dict[tuple[str, str], str] = {}
    for rendered in keystone.files(topology, site, to_be_filled_in()):
        if rendered.path.endswith(".conf"):
            wanted |= collect_config.parsed(rendered.text)
    if scope.configs is None:
        reason = Unknown("not read", "give --configs")
        return compare_config.keystone(topology, site, wanted, reason, "keystone.conf")
    node = scope.configs / site.name / KEYSTONE_NODE
    file = node / keystone.CONFIG
    found = collect_config.with_folder(file, node / keystone.CONFIG_FOLDER)
    return compare_config.keystone(topology, site, wanted, found, str(file))


def _services(topology: Topology, site: IdentitySite, scope: Scope) -> list[Finding]:
    folder = scope.configs / site.name / SERVICES_NODE if scope.configs else None
    files = [*(sorted(folder.glob("*.conf")) if folder else ()), *scope.authtokens.get(site.name, ())]
    if not files:
        reason = Unknown(f"no *.conf in {folder}" if folder else "not read", "give --configs or --authtoken")
        return compare_config.authtoken(topology, site, reason, "services")
    return [
        finding
        for file in files
        for finding in compare_config.authtoken(topology, site, collect_config.read(file), str(file))
    ]


def _catalogs(sites: list[IdentitySite], scope: Scope) -> Mapping[str, compare_catalog.Answer]:
    if scope.login is None:
        nobody = Unknown("nobody to log in as", "give --os-cloud")
        return {site.name: nobody for site in sites}
    try:
        token = scope.login()
    except Exception as error:  # whatever keystoneauth or the configuration makes of it
        reason = Unknown(
            f"could not log in: {type(error).__name__}: {error}", "correct the login of --os-cloud"
        )
        return {site.name: reason for site in sites}
    return _each(lambda site: collect_catalog.catalog(site, token), {site.name: site for site in sites})


def _each(
    question: Callable[[_Item], _Result], items: Mapping[str, _Item]
) -> Mapping[str, _Result | Unknown]:
    """One that does not answer holds up nobody else."""
    answers = ask_all(items, lambda name: question(items[name]))
    return {**answers.known, **{name: Unknown(reason) for name, reason in answers.reasons.items()}}
