"""What has to be done so that every site's remote ports equal the other sites' real ports; pure.

Nothing is decided about a site that was not seen: what stands for its ports elsewhere is kept, and what it has itself
is not touched.  A port that is not seen any more is only *doubted*; when the next read does not show it either, it is
asked for by its id, and only "there is no such port" removes what stands for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from ipaddress import ip_address, ip_network
from typing import Any, Literal

from multisite.domain.stretched import (
    DriftRow,
    PortFact,
    PortState,
    RemoteGroups,
    SitePorts,
    StretchedNetwork,
)
from multisite.networks.stretch.mirror import mirrored

Act = Literal["create", "update", "delete"]
Key = tuple[str, str, str]
"""Site of the remote port, site and id of the real port."""


@dataclass(frozen=True)
class Change:
    """One request to ``site``: its remote port for ``real`` of ``of_site``.

    ``fields``: what to write, in Neutron's words.  ``remote_id`` for update and delete.  ``then_create``: the port is
    made anew at once (a MAC address cannot be changed).
    """

    act: Act
    site: str
    of_site: str
    real_id: str
    remote_id: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    then_create: Change | None = None
    why: str = ""

    @property
    def key(self) -> Key:
        return self.site, self.of_site, self.real_id


@dataclass(frozen=True)
class Decision:
    """``confirm``: real ports (site, id) to be asked for before what stands for them is removed."""

    changes: tuple[Change, ...]
    rows: tuple[DriftRow, ...]
    doubted: frozenset[Key]
    confirm: frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Known:
    """What is known when it is decided.  ``seen``: what this pass read, without sites that did not answer; ``last``:
    when each site was seen last (also before this pass); ``kept``: what was last read of sites that do not answer.
    ``gone``: real ports whose site said that there is no such port.
    """

    network: StretchedNetwork
    now: datetime
    seen: Mapping[str, SitePorts]
    kept: Mapping[str, SitePorts] = field(default_factory=dict)
    doubted: frozenset[Key] = frozenset()
    gone: frozenset[tuple[str, str]] = frozenset()
    refused: Mapping[Key, str] = field(default_factory=dict)


def decide(known: Known) -> Decision:
    """Changes to make now, the drift in rows, and what is doubted from now on."""
    changes: list[Change] = []
    rows: list[DriftRow] = []
    doubted: set[Key] = set()
    for site in known.network.sites:
        for of_site in known.network.sites:
            if site == of_site:
                continue
            for change, row in _pair(known, site, of_site):
                rows.append(row)
                if change is not None:
                    changes.append(change)
                if row.state is PortState.EXTRA:
                    doubted.add((site, of_site, row.real_id))
    again = {(of, real) for _, of, real in doubted & known.doubted if real not in known.seen[of].real}
    return Decision(tuple(changes), tuple(rows), frozenset(doubted), frozenset(again - known.gone))


def wanted(network: StretchedNetwork, here: SitePorts, real: PortFact) -> dict[str, Any]:
    """What a remote port for ``real`` has to be like in a site, in Neutron's words."""
    addresses = [
        {"subnet_id": subnet, "ip_address": address}
        for address in real.addresses
        for subnet in [_subnet(here, address)]
        if subnet is not None
    ]
    fields: dict[str, Any] = {"tunneling_ip": real.endpoint, "fixed_ips": addresses}
    if network.port_security and real.secured and network.remote_groups is RemoteGroups.SAME_NAMES:
        fields["security_groups"] = sorted(here.group_names[n] for n in real.groups if n in here.group_names)
        fields["allowed_address_pairs"] = [{"ip_address": a, "mac_address": m} for a, m in real.pairs]
    return fields


def _subnet(here: SitePorts, address: str) -> str | None:
    return next((id for cidr, id in here.subnets.items() if ip_address(address) in ip_network(cidr)), None)


def _pair(known: Known, site: str, of_site: str) -> Iterator[tuple[Change | None, DriftRow]]:
    """The remote ports at ``site`` for the ports of ``of_site``."""
    here, there = known.seen.get(site), known.seen.get(of_site)
    if here is None or there is None:
        yield from _unknown(known, site, of_site)
        return
    real = {i: p for i, p in there.real.items() if mirrored(known.network, of_site, p)}
    mine: dict[str, PortFact] = {}
    for port in here.remote:
        if not port.ours or port.of_site != of_site:
            continue
        if (
            port.stands_for in mine
        ):  # made twice: an answer was lost, and the MAC address had changed meanwhile
            change = Change("delete", site, of_site, port.stands_for, port.id, why="there are two of it")
            yield change, _row(known, site, of_site, port, port.id, PortState.STALE, "there are two of it")
            continue
        mine[port.stands_for] = port
    for real_id, port in sorted(real.items()):
        yield _compared(known, here, of_site, port, mine.get(real_id))
    for real_id in sorted(set(mine) - set(real)):
        yield _surplus(known, here, there, mine[real_id])


def _compared(
    known: Known, here: SitePorts, of_site: str, real: PortFact, remote: PortFact | None
) -> tuple[Change | None, DriftRow]:
    site, fields = here.site, wanted(known.network, here, real)
    make = Change(
        "create", site, of_site, real.id, fields=_whole(known, of_site, real, fields), why="it has none"
    )
    refused = known.refused.get(make.key)
    if remote is None:
        state = PortState.CONFLICT if refused else PortState.MISSING
        return make, _row(known, site, of_site, real, None, state, refused or "")
    if remote.mac != real.mac:
        why = f"its MAC address is {real.mac} now"
        change = Change(
            "delete", site, of_site, real.id, remote.id, then_create=replace(make, why=why), why=why
        )
        return change, _row(known, site, of_site, real, remote.id, PortState.STALE, why)
    if differing := _differing(here, remote, fields):
        why = ", ".join(f"{name} differs" for name in differing)
        change = Change(
            "update", site, of_site, real.id, remote.id, {n: fields[n] for n in differing}, why=why
        )
        state = PortState.CONFLICT if refused else PortState.STALE
        return change, _row(known, site, of_site, real, remote.id, state, refused or why)
    return None, _row(
        known, site, of_site, real, remote.id, PortState.IN_SYNC, _groups_note(known, here, real)
    )


def _differing(here: SitePorts, remote: PortFact, fields: Mapping[str, Any]) -> list[str]:
    has: dict[str, Any] = {
        "tunneling_ip": remote.endpoint,
        "fixed_ips": sorted(remote.addresses),
        "security_groups": sorted(here.group_names.get(n, n) for n in remote.groups),
        "allowed_address_pairs": sorted(remote.pairs),
    }
    asked = dict(fields)
    asked["fixed_ips"] = sorted(one["ip_address"] for one in fields["fixed_ips"])
    if "allowed_address_pairs" in fields:
        pairs = fields["allowed_address_pairs"]
        asked["allowed_address_pairs"] = sorted((p["ip_address"], p["mac_address"]) for p in pairs)
    return [name for name, value in asked.items() if has[name] != value]


def _groups_note(known: Known, here: SitePorts, real: PortFact) -> str:
    lacking = [n for n in real.groups if n not in here.group_names]
    if not lacking or not known.network.port_security or known.network.remote_groups is RemoteGroups.NONE:
        return ""
    return (
        f"no security group {', '.join(lacking)} here: rules that let that group in do not let this port in"
    )


def _surplus(
    known: Known, here: SitePorts, there: SitePorts, remote: PortFact
) -> tuple[Change | None, DriftRow]:
    """A remote port whose real port is not there, or is not one that gets one any more."""
    site, of_site, real_id = here.site, there.site, remote.stands_for
    if real_id not in there.real and (of_site, real_id) not in known.gone:
        return None, _row(
            known, site, of_site, remote, remote.id, PortState.EXTRA, "its port is not seen: read once more"
        )
    if real_id in there.real and (site, of_site, real_id) not in known.doubted:
        why = "its port is not mirrored any more: read once more"
        return None, _row(known, site, of_site, remote, remote.id, PortState.EXTRA, why)
    why = "its port is gone" if real_id not in there.real else "its port is not mirrored any more"
    change = Change("delete", site, of_site, real_id, remote.id, why=why)
    return change, _row(known, site, of_site, remote, remote.id, PortState.EXTRA, why)


def _unknown(known: Known, site: str, of_site: str) -> Iterator[tuple[None, DriftRow]]:
    """Everything that was last known of the pair, marked."""
    silent = [s for s in (site, of_site) if s not in known.seen]
    detail = f"site {' and '.join(silent)} did not tell: kept as it is"
    here = known.seen.get(site) or known.kept.get(site)
    there = known.seen.get(of_site) or known.kept.get(of_site)
    mine = {p.stands_for: p for p in (here.remote if here else ()) if p.ours and p.of_site == of_site}
    real = {i: p for i, p in (there.real if there else {}).items() if mirrored(known.network, of_site, p)}
    for real_id in sorted(set(mine) | set(real)):
        remote = mine.get(real_id)
        shown = real.get(real_id) or mine[real_id]
        row = _row(known, site, of_site, shown, remote.id if remote else None, PortState.UNKNOWN, detail)
        yield None, replace(row, real_id=real_id)


def _whole(known: Known, of_site: str, real: PortFact, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **fields,
        "name": f"{of_site}/{real.id}",
        "mac_address": real.mac,
        "device_id": real.id,
        **(
            {}
            if known.network.port_security and real.secured and "security_groups" in fields
            else _unsecured(known)
        ),
    }


def _unsecured(known: Known) -> dict[str, Any]:
    """Without groups: Neutron would put it into the group "default" by itself."""
    return {"security_groups": []} if known.network.port_security else {}


def _row(
    known: Known,
    site: str,
    of_site: str,
    port: PortFact,
    remote_id: str | None,
    state: PortState,
    detail: str,
) -> DriftRow:
    real_id = port.stands_for if port.is_remote else port.id
    read = [known.seen.get(s) or known.kept.get(s) for s in (site, of_site)]
    ages = [(known.now - ports.seen_at).total_seconds() for ports in read if ports is not None]
    age = max(ages) if len(ages) == len(read) else None
    return DriftRow(
        site, of_site, real_id, remote_id, port.mac, port.addresses, port.endpoint, state, age, detail
    )
