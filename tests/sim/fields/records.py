"""A restore point's records, by names instead of ids."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from multisite.domain.manifest import Manifest, SecurityGroupRecord, ServerRecord
from multisite.domain.routing import RouterRecord
from multisite.domain.trunks import TrunkRecord
from tests.sim.fields.listing import Row, told_apart
from tests.sim.outcome import Facts


def recorded(manifest: Manifest) -> Facts:
    """The restore point's records, by names instead of ids; every field is kept under its own name."""
    subnets = {s.id: s.cidr for s in manifest.subnets}
    networks = told_apart(
        {n.id: n.name for n in manifest.networks}, [(s.network_id, s.cidr) for s in manifest.subnets]
    )
    groups = {g.id: g.name for g in manifest.security_groups}
    ports = {
        p.id: _plain(p)
        | {
            "network_id": networks[p.network_id],
            "fixed_addresses": [[subnets[a.subnet_id], a.address] for a in p.fixed_addresses],
            "security_group_ids": sorted(groups.get(g, g) for g in p.security_group_ids),
            "qos_policy_id": _policy(manifest, p.qos_policy_id),
        }
        for p in manifest.ports
    }
    of_servers = {p for s in manifest.servers for p in s.port_ids}
    subports = {one.port_id for t in manifest.trunks for one in t.subports}
    return {
        "servers": {s.name: _recorded_server(manifest, s, ports) for s in manifest.servers},
        "virtual_ips": {p.name: ports[p.id] for p in manifest.ports if p.id not in of_servers | subports},
        "subports": {p.name: ports[p.id] for p in manifest.ports if p.id in subports},
        "trunks": {
            t.name: _recorded_trunk(t, {p.id: p.name for p in manifest.ports}) for t in manifest.trunks
        },
        "networks": {
            networks[n.id]: _plain(n)
            | {"qos_policy_id": _policy(manifest, n.qos_policy_id)}
            | {"subnets": {s.cidr: _plain(s, "network_id") for s in manifest.subnets if s.network_id == n.id}}
            for n in manifest.networks
        },
        "security_groups": {g.name: _recorded_group(g, groups) for g in manifest.security_groups},
        "routers": {r.name: _recorded_router(r, subnets) for r in manifest.routers},
        "floating_ips": _recorded_floating_ips(manifest),
        "keypairs": {k.name: _plain(k) for k in manifest.keypairs},
    }


def _policy(manifest: Manifest, id: str | None) -> str | None:
    """Its name."""
    return next((p.name for p in manifest.qos_policies if p.id == id), id)


def _plain(record: Any, *without: str) -> Row:
    """Its fields but for its id, as JSON has them."""
    fields = {k: v for k, v in asdict(record).items() if k not in ("id", *without)}
    found: Row = json.loads(json.dumps(fields))
    if "tags" in found:
        found["tags"] = sorted(found["tags"])
    return found


def _recorded_server(manifest: Manifest, record: ServerRecord, ports: dict[str, Row]) -> Row:
    """``order`` and ``quiesce`` are the application's: ``freezes`` judges them."""
    group = next((_plain(g) for g in manifest.server_groups if g.id == record.server_group_id), None)
    return _plain(record, "order", "quiesce") | {
        "flavor": _plain(record.flavor),
        "tags": sorted(record.tags),
        "server_group_id": group,
        "port_ids": [ports[p] for p in record.port_ids],
        "volume_ids": [_plain(manifest.volume(v), "payload") for v in record.volume_ids],
    }


def _recorded_group(record: SecurityGroupRecord, names: dict[str, str]) -> Row:
    rules = [_plain(r) | {"remote_group_id": names.get(r.remote_group_id or "")} for r in record.rules]
    return _plain(record) | {"rules": sorted(rules, key=repr)}


def _recorded_router(record: RouterRecord, subnets: dict[str, str]) -> Row:
    plain = _plain(record)
    if isinstance(gateway := plain["gateway"], dict):  # its address is the site's
        plain["gateway"] = {name: gateway[name] for name in ("network_name", "enable_snat")}
    at = sorted(
        [subnets[i.subnet_id], i.address, i.name, i.description, sorted(i.tags)] for i in record.interfaces
    )
    return plain | {"interfaces": at}


def _recorded_floating_ips(manifest: Manifest) -> dict[str, Row]:
    """By the port and its address; their own addresses are the sites'."""
    ports = {port.id: port.name for port in manifest.ports}
    own = ("address", "network_id", "network_name", "port_id", "fixed_address")
    return {f"{ports[f.port_id]} {f.fixed_address}": _plain(f, *own) for f in manifest.floating_ips}


def _recorded_trunk(record: TrunkRecord, ports: dict[str, str]) -> Row:
    subports = [_plain(s) | {"port_id": ports.get(s.port_id, s.port_id)} for s in record.subports]
    return _plain(record) | {"port_id": ports.get(record.port_id, record.port_id), "subports": subports}
