"""What must hold between the fields of a topology, and what had better hold: pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from multisite.identity import numbers
from multisite.identity.topology.model import (
    Database,
    Form,
    IdentitySite,
    KeyHome,
    Role,
    TokenProvider,
    Topology,
)

MANY_KEYS = 100
"""More active Fernet keys than that: Keystone tries them one by one."""
LATE = 300
"""Seconds of revocation delay that are worth a warning: Keystone's own default of token_cache_time."""


@dataclass(frozen=True)
class Problem:
    """``path``: the field, as written in a topology file."""

    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}"


def problems(topology: Topology) -> tuple[Problem, ...]:
    """What makes it impossible to run; empty when nothing does."""
    checks = (_unique, _shape, _roles, _databases, _keys, _counts, _owners, _arbitrator)
    return tuple(problem for check in checks for problem in check(topology))


def warnings(topology: Topology) -> tuple[Problem, ...]:
    """What will run, and fail its operator on a bad day."""
    return (*_votes(topology), *_late(topology), *_mixed_owners(topology))


def entry_site(topology: Topology) -> IdentitySite | None:
    """The site whose own Keystone is the entry, with no proxy in front of it; None when there is a proxy."""
    return next((s for s in topology.sites if s.role != Role.CLIENT and s.url == topology.entry), None)


def _sites(topology: Topology) -> Iterator[tuple[str, IdentitySite]]:
    return ((f"sites[{index}]", site) for index, site in enumerate(topology.sites))


def _stores(topology: Topology) -> Iterator[tuple[str, IdentitySite, Database]]:
    for path, site in _sites(topology):
        for index, database in enumerate(site.databases):
            yield f"{path}.databases[{index}]", site, database


def _unique(topology: Topology) -> Iterator[Problem]:
    sites = list(_sites(topology))
    stores = list(_stores(topology))
    yield from _twice(((f"{p}.name", s.name) for p, s in sites), "every site needs a name of its own")
    yield from _twice(((f"{p}.region", s.region) for p, s in sites), "every site needs a region of its own")
    own = [(f"{p}.address", f"{s.address}:{s.port}") for p, s in sites if s.role != Role.CLIENT]
    own += [(f"{p}.local_port", f"{s.address}:{s.local_port}") for p, s in sites if s.role == Role.REPLICA]
    own += [(f"{p}.address", f"{d.address}:{d.port}") for p, _, d in stores]
    yield from _twice(own, "only one server can listen there")
    nodes = [(f"{p}.address", d.address) for p, s, d in stores if s.role == Role.MASTER]
    yield from _twice(nodes, "two nodes of a cluster on one machine die together, give them a machine each")
    ids = [(f"{p}.server_id", str(numbers.server_id(s, d))) for p, s, d in stores if d.follows]
    yield from _twice(ids, "give every replica a server_id of its own")


def _twice(values: Iterable[tuple[str, str]], why: str) -> Iterator[Problem]:
    known = list(values)
    counts = Counter(value for _, value in known)
    first: dict[str, str] = {}
    for path, value in known:
        if counts[value] > 1 and first.get(value, path) != path:
            yield Problem(path, f"{value} is also {first[value]}: {why}")
        first.setdefault(value, path)


def _shape(topology: Topology) -> Iterator[Problem]:
    form, masters = topology.form, len(topology.masters)
    replica = next((site.name for site in topology.replicas), "")
    client = next((site.name for site in topology.sites if site.role == Role.CLIENT), "")
    broken = {
        f"{client} is a client: only the form centralized has sites without a Keystone":
            client and form != Form.CENTRALIZED,
        f"{replica} is a replica: the form {form} has none, use star or multi-cluster":
            replica and form in (Form.CLUSTER, Form.CENTRALIZED),
        f"a star has exactly two master sites, not {masters}: change roles or the form":
            form == Form.STAR and masters != 2,
        f"the form {form} has exactly one master site, not {masters}: change roles":
            form in (Form.MULTI_CLUSTER, Form.CENTRALIZED) and masters != 1,
        "a cluster over sites needs two or more master sites: use the form centralized for one":
            form == Form.CLUSTER and masters < 2,
        f"the form {form} has replica sites, there is none: use the form cluster or centralized":
            form in (Form.STAR, Form.MULTI_CLUSTER) and not replica,
    }  # fmt: skip
    yield from (Problem("sites", text) for text, so in broken.items() if so)


def _roles(topology: Topology) -> Iterator[Problem]:
    urls = {site.url for site in topology.sites if site.role != Role.CLIENT} | {topology.entry}
    for path, site in _sites(topology):
        if site.role != Role.CLIENT:
            if not site.databases:
                yield Problem(f"{path}.databases", "is empty: a Keystone needs a database, add one")
            if site.keys is None:
                yield Problem(f"{path}.keys", "is missing: say where the site's Keystone keeps its keys")
            continue
        if site.databases:
            yield Problem(f"{path}.databases", "a client site has no Keystone and no database: remove them")
        if site.keys is not None:
            yield Problem(f"{path}.keys", "a client site has no Keystone and no keys: remove them")
        if site.url not in urls:
            text = f"{site.address}:{site.port} is no Keystone of a master site, nor the entry"
            yield Problem(f"{path}.address", f"{text}: give the address its services shall ask")


def _databases(topology: Topology) -> Iterator[Problem]:
    masters = {site.name for site in topology.masters}
    for path, site, database in _stores(topology):
        if site.role == Role.MASTER and database.follows:
            yield Problem(f"{path}.follows", "a database of a master site follows nobody: remove it")
        if site.role == Role.REPLICA and database.follows is None:
            yield Problem(f"{path}.follows", "is missing: name the master site this replica copies")
        if database.follows is not None and database.follows not in masters:
            yield Problem(
                f"{path}.follows", f"{database.follows!r} is no master site: name one of {_list(masters)}"
            )
    if topology.form == Form.STAR:
        for path, site in _sites(topology):
            followed = {database.follows for database in site.databases}
            if site.role == Role.REPLICA and masters - followed:
                text = "in a star every other site has a replica of each master, add it"
                yield Problem(f"{path}.databases", f"no replica follows {_list(masters - followed)}: {text}")


def _keys(topology: Topology) -> Iterator[Problem]:
    for path, site in _sites(topology):
        if site.keys is not None:
            yield from _home(f"{path}.keys", site.keys, topology.tokens.provider)


def _home(path: str, home: KeyHome, provider: TokenProvider) -> Iterator[Problem]:
    if home.transport == "ssh" and not home.host:
        yield Problem(f"{path}.host", "is missing: the transport ssh needs the host to log in to")
    if provider == TokenProvider.JWS:
        for name in ("jws_public", "jws_private"):
            if not getattr(home, name):
                yield Problem(f"{path}.{name}", "is missing: the provider jws needs a folder for these keys")
    names = ("fernet_tokens", "fernet_receipts", "credential", "jws_public", "jws_private")
    folders = [(name, getattr(home, name).rstrip("/")) for name in names if getattr(home, name)]
    for index, (name, folder) in enumerate(folders):
        for other, same in folders[:index]:
            # Receipts may live with the tokens' keys (Keystone's default): the same kind, rotated alike.
            if folder == same and {name, other} != {"fernet_tokens", "fernet_receipts"}:
                yield Problem(
                    f"{path}.{name}", f"{folder} is {other} already: keys of two kinds need two folders"
                )


def _counts(topology: Topology) -> Iterator[Problem]:
    count = numbers.max_active_keys(topology.tokens)
    if topology.tokens.provider == TokenProvider.FERNET and count > MANY_KEYS:
        text = f"{topology.tokens.rotation_interval} s means {count} active keys, more than {MANY_KEYS}"
        remedy = "rotate less often or shorten expiration and allow_expired_window"
        yield Problem("tokens.rotation_interval", f"{text}: {remedy}")
    if not topology.token_cache_time + topology.cache_time < topology.tokens.expiration:
        text = f"cache_time and token_cache_time add up to {topology.revocation_bound} s, as long as a token lives"
        yield Problem("cache_time", f"{text}: revoking would do nothing, make them shorter")


def _owners(topology: Topology) -> Iterator[Problem]:
    owners = {site.owner for site in topology.sites if site.role != Role.CLIENT}
    if len(owners) > 1 and topology.tokens.provider == TokenProvider.FERNET:
        text = (
            f"Keystones of different owners ({_list(owners)}) would share Fernet keys, each could make tokens"
        )
        yield Problem("sites", f"{text} for all: federate them, or use the provider jws")


def _arbitrator(topology: Topology) -> Iterator[Problem]:
    arbitrator = topology.arbitrator
    if arbitrator is None:
        return
    masters = {site.name for site in topology.masters}
    databases = {database.address for site in topology.masters for database in site.databases}
    if arbitrator.address in databases:
        yield Problem("arbitrator.address", f"{arbitrator.address} is a database's: its vote would die with that"
                      " database, put it on another machine in a third site")  # fmt: skip
    if arbitrator.site in masters and len(masters) > 1:
        yield Problem("arbitrator.site", f"{arbitrator.site} is a master site: when it is lost, two of the votes go"
                      " with it and the other sites stop writing too; put it in a third failure domain")  # fmt: skip
    if len(masters) == 1 and arbitrator.site and arbitrator.site not in masters:
        text = f"{arbitrator.site} is not the site of the cluster: a cut between them would be a vote lost for nothing"
        yield Problem("arbitrator.site", f"{text}, put it there")


def _votes(topology: Topology) -> Iterator[Problem]:
    """A Galera component needs more than half of the last votes (Galera documentation, Weighted Quorum)."""
    nodes = {site.name: len(site.databases) for site in topology.masters}
    total = sum(nodes.values()) + (topology.arbitrator is not None)
    if total == 1:
        if topology.form != Form.CENTRALIZED or len(topology.sites) > 1:
            text = "there is one database that takes writes: when it is lost nobody can change anything"
            yield Problem("sites", f"{text}, add databases to the master site")
        return
    if total % 2 == 0:
        text = f"the cluster has {total} votes, an even number: when half of them are lost or cut off, the rest stops"
        yield Problem("arbitrator", f"{text} too; add an arbitrator in a third failure domain")
    for name, count in nodes.items():
        if len(nodes) > 1 and count * 2 >= total and count > 1:
            yield Problem("sites", f"{name} has {count} of {total} votes: when it is lost no other site can write;"
                          " spread the databases evenly")  # fmt: skip
    if topology.arbitrator is not None and not topology.arbitrator.site:
        yield Problem(
            "arbitrator.site", "is not said: nobody can see whether it is outside the master sites, name it"
        )


def _late(topology: Topology) -> Iterator[Problem]:
    if topology.revocation_bound > LATE:
        yield Problem("cache_time", f"a revoked token is taken for up to {topology.revocation_bound} s at other sites"
                      " (cache_time + token_cache_time): make them shorter")  # fmt: skip


def _mixed_owners(topology: Topology) -> Iterator[Problem]:
    owners = {site.owner for site in topology.sites if site.role != Role.CLIENT}
    if len(owners) > 1 and topology.tokens.provider == TokenProvider.JWS:
        yield Problem("sites", f"owners {_list(owners)} share one database of users, and credential keys: who writes it"
                      " can become anybody; federation keeps them apart")  # fmt: skip


def entry_address(topology: Topology) -> tuple[str, int, bool]:
    """Host and port of the entry, and whether it is TLS."""
    parts = urlsplit(topology.entry)
    secure = parts.scheme == "https"
    return parts.hostname or "", parts.port or (443 if secure else 80), secure


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(name or "''" for name in names))
