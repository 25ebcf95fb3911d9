"""Looks at everything that was asked for and compares it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from multisite.identity.check.collect import catalog as collect_catalog
from multisite.identity.check.collect import config as collect_config
from multisite.identity.check.collect import database as collect_database
from multisite.identity.check.compare import catalog as compare_catalog
from multisite.identity.check.compare import config as compare_config
from multisite.identity.check.compare import database as compare_database
from multisite.identity.check.facts import DatabaseFacts, Unseen
from multisite.identity.check.findings import Finding
from multisite.identity.render import keystone, names
from multisite.identity.render.model import KEYSTONE_NODE, SERVICES_NODE
from multisite.identity.render.names import Store
from multisite.identity.secrets import Secrets, to_be_filled_in
from multisite.identity.topology.model import IdentitySite, Role, Topology

AT_ONCE = 16
WAIT = 3.0
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Area(StrEnum):
    DATABASE = "database"
    KEYSTONE = "keystone"
    SERVICES = "services"
    CATALOG = "catalog"


@dataclass(frozen=True)
class Look:
    """What to look at and with what.  ``configs``: a folder laid out as `render` writes it.  ``authtokens``: more
    files of services, by site.  ``login``: gives a token, or raises.  ``wait``: seconds a replica may need."""

    sites: frozenset[str]
    areas: frozenset[Area] = frozenset(Area)
    secrets: Secrets | None = None
    configs: Path | None = None
    authtokens: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    login: collect_catalog.Login | None = None
    wait: float = WAIT


def findings(topology: Topology, look: Look) -> list[Finding]:
    """All differences, those of one site together; what could not be seen is among them."""
    sites = [site for site in topology.sites if site.name in look.sites]
    homes = [site for site in sites if site.role != Role.CLIENT]
    found: list[Finding] = []
    if Area.DATABASE in look.areas:
        found += _databases(topology, homes, look)
    if Area.KEYSTONE in look.areas:
        found += [finding for site in homes for finding in _keystone(topology, site, look)]
    if Area.SERVICES in look.areas:
        found += [finding for site in sites for finding in _services(topology, site, look)]
    if Area.CATALOG in look.areas:
        found += compare_catalog.findings(topology, _catalogs(homes, look))
    order = ["", *(site.name for site in topology.sites)]
    return sorted(found, key=lambda finding: order.index(finding.site))


def _databases(topology: Topology, sites: Iterable[IdentitySite], look: Look) -> list[Finding]:
    stores = [store for site in sites for store in names.stores(topology, site)]
    secrets = look.secrets
    if secrets is None:
        reason = Unseen("no passwords to look with: give --secrets")
        return [finding for store in stores for finding in compare_database.findings(topology, store, reason)]
    # The masters' positions first: what a replica has to have is what they had before it was asked.
    sources = {store.source for store in stores if store.source is not None}
    ordered = sorted(sources, key=lambda source: (source.address, source.port))
    positions = dict(
        zip(ordered, _each(lambda d: collect_database.position(d, secrets), ordered), strict=True)
    )

    def seen(store: Store) -> DatabaseFacts | Unseen:
        target = positions[store.source] if store.source is not None else None
        return collect_database.facts(store.database, secrets, target, look.wait)

    facts = zip(stores, _each(seen, stores), strict=True)
    return [finding for store, fact in facts for finding in compare_database.findings(topology, store, fact)]


def _keystone(topology: Topology, site: IdentitySite, look: Look) -> list[Finding]:
    wanted: dict[tuple[str, str], str] = {}
    for rendered in keystone.files(topology, site, to_be_filled_in()):
        if rendered.path.endswith(".conf"):
            wanted |= collect_config.parsed(rendered.text)
    if look.configs is None:
        reason = Unseen("not looked at: give --configs")
        return compare_config.keystone(topology, site, wanted, reason, "keystone.conf")
    node = look.configs / site.name / KEYSTONE_NODE
    file = node / keystone.CONFIG
    found = collect_config.with_folder(file, node / keystone.CONFIG_FOLDER)
    return compare_config.keystone(topology, site, wanted, found, str(file))


def _services(topology: Topology, site: IdentitySite, look: Look) -> list[Finding]:
    folder = look.configs / site.name / SERVICES_NODE if look.configs else None
    files = [*(sorted(folder.glob("*.conf")) if folder else ()), *look.authtokens.get(site.name, ())]
    if not files:
        reason = f"no *.conf in {folder}" if folder else "not looked at: give --configs or --authtoken"
        return compare_config.authtoken(topology, site, Unseen(reason), "services")
    return [
        finding
        for file in files
        for finding in compare_config.authtoken(topology, site, collect_config.read(file), str(file))
    ]


def _catalogs(sites: list[IdentitySite], look: Look) -> dict[str, compare_catalog.Seen]:
    if look.login is None:
        return {site.name: Unseen("nobody to log in as: give --os-cloud") for site in sites}
    try:
        token = look.login()
    except Exception as error:  # whatever keystoneauth or the configuration makes of it
        reason = Unseen(f"could not log in: {type(error).__name__}: {error}")
        return {site.name: reason for site in sites}
    answers = _each(lambda site: collect_catalog.catalog(site, token), sites)
    return {site.name: answer for site, answer in zip(sites, answers, strict=True)}


def _each(how: Callable[[_Item], _Result], items: list[_Item]) -> list[_Result]:
    """In order, several at a time: a site that does not answer holds up nobody else."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(how, items))
