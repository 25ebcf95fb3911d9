"""What must never be, looked at from the sites' own side."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from multisite_lab.sim.model import Row, Sim

KEY = "multisite_token"
LATE = 1.0
"""Seconds a freeze may outlast its limit."""
_TOKEN = re.compile(r"multisite:[^:]+:.+")
_SUFFIX = re.compile(r"-ms-([0-9a-f]{8})-[0-9a-f]{8}$")


@dataclass(frozen=True)
class Marked:
    """Something that bears a token.  ``part``: what of a step it is, where one step makes several."""

    site: str
    kind: str
    id: str
    token: str
    part: str = ""

    @property
    def job(self) -> str:
        return self.token.split(":")[1]

    def __str__(self) -> str:
        return f"{self.site}: {self.kind} {self.id} of {self.token}"


def marked(sim: Sim) -> Iterator[Marked]:
    """Everything of a site that bears a token ``multisite:<job>:<step>``, wherever its kind keeps it."""
    state = sim.state
    for server in state.servers.values():
        yield from _one(sim, "server", server.id, [server.metadata.get(KEY)])
    for volume in state.volumes.values():
        yield from _one(sim, "volume", volume.id, [volume.metadata.get(KEY), volume.name])
    for snapshot in state.snapshots.values():
        places = [snapshot.metadata.get(KEY), snapshot.name.removeprefix("snapshot for ")]
        yield from _one(sim, "snapshot", snapshot.id, places, snapshot.volume_id)
    for backup in state.backups.values():
        yield from _one(sim, "backup", backup.id, [backup.metadata.get(KEY)])
    kinds: dict[str, Iterable[Row]] = {
        "network": state.networks.values(),
        "subnet": state.subnets.values(),
        "port": state.ports.values(),
        "security group": state.security_groups.values(),
        "floating IP": state.floatingips.values(),
        "router": state.routers.values(),
        "trunk": state.trunks.values(),
        "flavor": state.flavors.values(),
        "group snapshot": state.group_snapshots.values(),
        "image": state.images.values(),
    }
    for kind, rows in kinds.items():
        for row in rows:
            yield from _one(
                sim,
                kind,
                row["id"],
                [*row.get("tags", ()), row.get("description"), row.get("name"), *row.get("extra_specs", ())],
            )


def _one(
    sim: Sim, kind: str, resource_id: str, places: Iterable[str | None], part: str = ""
) -> Iterator[Marked]:
    found = {p for p in places if p is not None and _TOKEN.fullmatch(p)}
    yield from (Marked(sim.name, kind, resource_id, token, part) for token in found)


def problems(sims: Collection[Sim], jobs: Collection[str] = (), working: Collection[str] = ()) -> list[str]:
    """Everything that is wrong, in words; empty when nothing is.

    ``jobs``: those whose resources may be there.  ``working``: those that may have snapshots and images besides.
    """
    things = [thing for sim in sims for thing in marked(sim)]
    return [
        *_twice(things),
        *_orphans(things, {*jobs, *working}, set(working)),
        *_orphaned_groups(sims, {*jobs, *working}),
        *(line for sim in sims for line in _frozen(sim)),
        *_active_twice(sims),
    ]


def _twice(things: list[Marked]) -> list[str]:
    """A step makes one of a thing, and where it makes several, one for each part."""
    counts = Counter((t.site, t.kind, t.token, t.part) for t in things)
    return [
        f"{site}: {count} times {kind} of {token}"
        for (site, kind, token, _part), count in counts.items()
        if count > 1
    ]


def _orphans(things: list[Marked], jobs: set[str], working: set[str]) -> list[str]:
    left = [f"{t}: an orphan" for t in things if t.job not in jobs]
    fleeting = [t for t in things if ("snapshot" in t.kind or t.kind == "image") and t.job in jobs - working]
    return left + [f"{t}: left behind" for t in fleeting]


def _orphaned_groups(sims: Collection[Sim], jobs: set[str]) -> list[str]:
    """Server groups are marked by digests in their names only."""
    known = {hashlib.sha256(f"multisite:{job}".encode()).hexdigest()[:8] for job in jobs}
    names = [(sim.name, row["name"]) for sim in sims for row in sim.state.server_groups.values()]
    counts = Counter(names)
    found = []
    for (site, name), count in counts.items():
        match = _SUFFIX.search(name)
        if match and match[1] not in known:
            found.append(f"{site}: server group {name}: an orphan")
        if match and count > 1:
            found.append(f"{site}: {count} times server group {name}")
    return found


def _frozen(sim: Sim) -> list[str]:
    found = []
    for server in sim.state.servers.values():
        freeze, guest = server.freeze, server.guest
        if freeze.state == "frozen" and freeze.thaw_at is not None and sim.now > freeze.thaw_at + LATE:
            found.append(f"{sim.name}: server {server.name} is frozen past its limit")
        if guest is not None and guest.parked is not None and freeze.state == "thawed":
            found.append(f"{sim.name}: server {server.name} stands still, and nobody is to thaw it")
    return found


def _active_twice(sims: Collection[Sim]) -> list[str]:
    """A MAC address in all sites together, an address in its network; ports of running servers count."""
    macs: Counter[str] = Counter()
    addresses: Counter[tuple[str, str]] = Counter()
    for sim in sims:
        running = {s.id for s in sim.state.servers.values() if s.status == "ACTIVE"}
        for port in sim.state.ports.values():
            if port["device_id"] in running:
                macs[port["mac_address"]] += 1
                addresses.update((port["network_id"], ip["ip_address"]) for ip in port["fixed_ips"])
    return [
        *(f"MAC address {mac} is active {count} times" for mac, count in macs.items() if count > 1),
        *(
            f"address {address} is active {count} times in network {network}"
            for (network, address), count in addresses.items()
            if count > 1
        ),
    ]
