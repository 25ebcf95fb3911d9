"""The network side of ``facts``: ports in NIC order, subports of trunks, those that keep virtual IPs, their networks,
subnets, and security groups with all they refer to.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from multisite.clouds import resources
from multisite.clouds.administrator import BINDING_PROFILES, DIAGNOSTICS, administrator, may_administer
from multisite.clouds.call import read_all, read_one
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import NotFoundInSite, SiteError
from multisite.clouds.facts import floating_ips, routers, trunks, virtual_ips
from multisite.clouds.ledger import network as ledger
from multisite.clouds.ledger.notes import Notes
from multisite.clouds.resources import Kind, tokens
from multisite.domain.manifest import (
    FixedAddress,
    NetworkRecord,
    PortRecord,
    QosPolicyRecord,
    SecurityGroupRecord,
    SecurityGroupRule,
    SubnetRecord,
)
from multisite.domain.routing import FloatingIpRecord, RouterRecord
from multisite.domain.trunks import TrunkRecord

Row = dict[str, Any]
# nova/network/neutron.py, and os-vif: written when a port is bound.
_NOVAS_OWN = frozenset({
    "pci_vendor_info", "pci_slot", "physical_network", "card_serial_number", "pf_mac_address", "vf_num",
    "device_mac_address", "allocation", "migrating_to", "arq_uuid", "os_vif_delegation",
})  # fmt: skip


_PROVIDER = ("provider:network_type", "provider:physical_network", "provider:segmentation_id")
_OVERLAYS = ("vxlan", "geneve", "gre", "local", None, "")


@dataclass(frozen=True)
class NetworkFacts:
    """``ports_of``: the ports of each server id, first NIC first; ``beside``: ports that no server has, subports of
    trunks and those that keep virtual IPs.
    """

    ports_of: dict[str, list[PortRecord]]
    beside: tuple[PortRecord, ...]
    networks: tuple[NetworkRecord, ...]
    subnets: tuple[SubnetRecord, ...]
    security_groups: tuple[SecurityGroupRecord, ...]
    qos_policies: tuple[QosPolicyRecord, ...]
    routing: tuple[tuple[RouterRecord, ...], tuple[FloatingIpRecord, ...]]
    trunks: tuple[TrunkRecord, ...] = ()


def read(site: CloudSite, servers: list[Row], notes: Notes) -> NetworkFacts:
    """Read the ports of these servers (as Nova shows them) and what they need.  Raises what ``call`` raises."""
    devices = {"device_id": [server["id"] for server in servers]}
    members = _as_administrator(
        site, "port", _rows(site, "port", **devices), "binding:profile", notes, **devices
    )
    ports_of: dict[str, list[PortRecord]] = {}
    for server in servers:
        own = [row for row in members if row["device_id"] == server["id"]]
        _complain_if_unplugged(site, server, own)
        hostname = server.get("OS-EXT-SRV-ATTR:hostname")
        ports_of[server["id"]] = [
            _port(row, hostname, notes) for row in _in_nic_order(site, server, own, notes)
        ]
    of_trunks = trunks.read(site, servers[0]["tenant_id"], members, notes)
    beside, floating = _beside(site, servers, members, of_trunks, notes)
    rows = members + beside
    network_ids = _distinct(row["network_id"] for row in rows)
    networks, subnets = _networks(site, network_ids, rows, notes)
    groups = _security_groups(site, _distinct(g for row in rows for g in row["security_groups"]), notes)
    return NetworkFacts(
        ports_of,
        tuple(_port(row, None, notes) for row in beside),
        tuple(_network(row) for row in _by_id(network_ids, networks)),
        tuple(_subnet(row) for row in subnets),
        tuple(groups),
        _qos_policies(site, _distinct(p for row in [*rows, *networks] if (p := row.get("qos_policy_id")))),
        (routers.read(site, servers[0]["tenant_id"], _made(networks), notes), floating),
        of_trunks.records,
    )


def _beside(
    site: CloudSite, servers: list[Row], members: list[Row], of_trunks: trunks.Trunks, notes: Notes
) -> tuple[list[Row], tuple[FloatingIpRecord, ...]]:
    """Subports, ports that keep virtual IPs of all these, and the floating IPs of all."""
    project_id = servers[0]["tenant_id"]
    floating = floating_ips.read(site, project_id)
    in_use, subports = floating_ips.ports_in_use(floating), list(of_trunks.subports)
    keeping = virtual_ips.ports(site, project_id, members + subports, in_use, notes, of_trunks.told)
    found = subports + keeping
    ids = [row["id"] for row in found]
    found = _as_administrator(site, "port", found, "binding:profile", notes, id=ids)
    return found, floating_ips.records(site, floating, servers, members + found, notes)


def _networks(site: CloudSite, ids: list[str], ports: list[Row], notes: Notes) -> tuple[list[Row], list[Row]]:
    """Networks and all their subnets."""
    networks = _rows(site, "network", id=ids)
    networks = _as_administrator(site, "network", networks, "provider:network_type", notes, id=ids)
    _complain_if_missing(site, "network", ids, networks)
    subnets = _rows(site, "subnet", network_id=ids)
    _complain_if_missing(site, "subnet", _subnets_of(ports, networks), subnets)
    for row in _made(networks):
        notes.compare(ledger.NETWORK, row)
    for row in subnets:
        notes.compare(ledger.SUBNET, row, row["name"] or row["cidr"])
    return networks, subnets


def _made(networks: list[Row]) -> list[Row]:
    """Those that a recovery makes: others are mapped."""
    return [row for row in networks if not (row["shared"] or row.get("router:external"))]


def _rows(site: CloudSite, kind: Kind, **by: list[str]) -> list[Row]:
    """A Neutron list limited to some ids; nothing is asked when there are none."""
    return resources.list_all(site, kind, **by) if all(by.values()) else []


def _as_administrator(
    site: CloudSite, kind: Kind, rows: list[Row], field: str, notes: Notes, **by: list[str]
) -> list[Row]:
    """These rows with what Neutron shows administrators alone, ``field`` among it, if it shows it to us."""
    if "admin" in site.roles or all(field in row for row in rows):
        return rows
    more: dict[str, Row] = {}
    if may_administer(site, BINDING_PROFILES):
        more = {row["id"]: row for row in _rows(administrator(site, BINDING_PROFILES), kind, **by)}
    else:
        notes.add(f"{field} of {kind}s is shown to administrators alone: whether it is set is not known")
    return [more.get(row["id"], {}) | row for row in rows]


def _in_nic_order(site: CloudSite, server: Row, ports: list[Row], notes: Notes) -> list[Row]:
    """Ports as the guest sees its NICs.

    Neutron does not know that order, and Nova's os-interface has Neutron's.  Nova's ``addresses`` keeps it, but by
    the networks' names (nova/api/openstack/common.py): with two ports below one of several names, or a port without
    an address, only the hypervisor's own list (diagnostics, administrators) tells.
    """
    macs = _distinct(a["OS-EXT-IPS-MAC:mac_addr"] for net in server["addresses"].values() for a in net)
    told = len(server["addresses"]) in (1, len(macs)) and len(macs) == len(ports)
    if not told and len(ports) > 1:
        seen = _macs_by_hypervisor(site, server["id"])
        if len(seen) == len(ports):
            macs = seen
        else:
            notes.add(unordered(server["name"], len(ports)))
    place = {mac: position for position, mac in enumerate(macs)}
    return sorted(ports, key=lambda row: place.get(row["mac_address"], len(place)))


def unordered(server: str, ports: int) -> str:
    """What is noted of a server (its name) of whose ports the order is not known."""
    return (
        f"the order of the {ports} NICs of server {server} cannot be told for certain: "
        "compare them in the preview of a recovery"
    )


def _macs_by_hypervisor(site: CloudSite, server_id: str) -> list[str]:
    what = f"read diagnostics of server {server_id}"
    path = f"/servers/{server_id}/diagnostics"
    try:
        admin = administrator(site, DIAGNOSTICS)
        nics = read_one(admin, what, lambda: admin.compute, path, "nic_details", microversion="2.48")
    except SiteError:  # not an administrator, or the server is stopped: then the order is unknown, and noted
        return []
    return [nic["mac_address"] for nic in nics]


def _security_groups(site: CloudSite, ids: list[str], notes: Notes) -> list[SecurityGroupRecord]:
    """These groups and, one list call per step, those their rules refer to."""
    found: dict[str, SecurityGroupRecord] = {}
    wanted = ids
    while wanted:
        rows = _rows(site, "security_group", id=wanted)
        _complain_if_missing(site, "security group", wanted, rows)
        for row in _by_id(wanted, rows):
            found[row["id"]] = _security_group(row, notes)
        remote = (r.remote_group_id for g in found.values() for r in g.rules if r.remote_group_id)
        wanted = [group for group in _distinct(remote) if group not in found]
    return list(found.values())


def _qos_policies(site: CloudSite, ids: list[str]) -> tuple[QosPolicyRecord, ...]:
    """An administrator may have given a port a policy that its project is not shown."""
    if not ids:
        return ()
    what, path = "list QoS policies", "/qos/policies"
    rows = read_all(site, what, lambda: site.network, path, "policies", id=ids)
    names = {row["id"]: row["name"] for row in rows}
    return tuple(QosPolicyRecord(id, names.get(id, "")) for id in ids)


def _complain_if_missing(site: CloudSite, kind: str, ids: Iterable[str], rows: list[Row]) -> None:
    if missing := set(ids) - {row["id"] for row in rows}:
        said = f"{kind} {', '.join(sorted(missing))} is in use but not visible to us"
        raise NotFoundInSite(site.name, f"read {kind}s", said, site_status=404)


def _complain_if_unplugged(site: CloudSite, server: Row, ports: list[Row]) -> None:
    """A list may lose rows and not say so, and a restore point without a NIC would be found out in the worst
    hour.  Nova's own account of the server's addresses tells.
    """
    told = _distinct(a["OS-EXT-IPS-MAC:mac_addr"] for net in server["addresses"].values() for a in net)
    if missing := set(told) - {row["mac_address"] for row in ports}:
        said = (
            f"server {server['name']} has NICs {', '.join(sorted(missing))}, and Neutron shows no ports of them:"
            " try again, and look at its ports if that does not help"
        )
        raise SiteError(site.name, "read ports", said)


def _subnets_of(ports: list[Row], networks: list[Row]) -> list[str]:
    """Ids of the subnets there must be: those of the networks, and those that ports have addresses in."""
    used = [address["subnet_id"] for row in ports for address in row["fixed_ips"]]
    return _distinct([*used, *(subnet for row in networks for subnet in row.get("subnets", ()))])


def _tags(row: Row) -> tuple[str, ...]:
    """Those that are not our tokens."""
    return tuple(tag for tag in row.get("tags", ()) if not tokens.is_token(tag))


def _users_own(row: Row, hostname: str | None) -> Row:
    """A port without what Nova has put there, and our tokens."""
    profile = {k: v for k, v in (row.get("binding:profile") or {}).items() if k not in _NOVAS_OWN}
    # nova/network/neutron.py, _update_port_dns_name: the DNS name becomes the server's host name.
    name = "" if row.get("dns_name") == hostname else row.get("dns_name")
    return row | {"tags": _tags(row), "binding:profile": profile, "dns_name": name}


def _port(row: Row, hostname: str | None, notes: Notes) -> PortRecord:
    row = _users_own(row, hostname)
    notes.compare(ledger.PORT, row)
    return PortRecord(
        id=row["id"],
        name=row["name"],
        network_id=row["network_id"],
        mac_address=row["mac_address"],
        fixed_addresses=tuple(FixedAddress(a["subnet_id"], a["ip_address"]) for a in row["fixed_ips"]),
        security_group_ids=tuple(row["security_groups"]),
        port_security_enabled=row.get("port_security_enabled", True),
        allowed_address_pairs=tuple(dict(pair) for pair in row.get("allowed_address_pairs", ())),
        vnic_type=row.get("binding:vnic_type", "normal"),
        description=row.get("description") or "",
        enabled=row.get("admin_state_up", True),
        dhcp_options=tuple(dict(option) for option in row.get("extra_dhcp_opts") or ()),
        binding_profile=row["binding:profile"],
        dns_name=row.get("dns_name") or "",
        dns_domain=row.get("dns_domain") or "",
        tags=tuple(row["tags"]),
        qos_policy_id=row.get("qos_policy_id"),
    )


def _network(row: Row) -> NetworkRecord:
    return NetworkRecord(
        id=row["id"],
        name=row["name"],
        mtu=row.get("mtu"),
        port_security_enabled=row.get("port_security_enabled", True),
        description=row.get("description") or "",
        shared=row["shared"],
        external=row.get("router:external", False),
        dns_domain=row.get("dns_domain") or "",
        tags=_tags(row),
        qos_policy_id=row.get("qos_policy_id"),
        provider=_provider(row),
    )


def _provider(row: Row) -> Row:
    """Of a network that is made anew, and is no overlay."""
    overlay = row.get("provider:network_type") in _OVERLAYS and not row.get("provider:physical_network")
    if overlay or row["shared"] or row.get("router:external"):
        return {}
    return {name: row[name] for name in _PROVIDER if row.get(name) is not None}


def _subnet(row: Row) -> SubnetRecord:
    return SubnetRecord(
        id=row["id"],
        network_id=row["network_id"],
        name=row["name"],
        cidr=row["cidr"],
        ip_version=row["ip_version"],
        gateway_address=row["gateway_ip"],
        dhcp=row["enable_dhcp"],
        allocation_pools=tuple(dict(pool) for pool in row["allocation_pools"]),
        dns_nameservers=tuple(row["dns_nameservers"]),
        host_routes=tuple(dict(route) for route in row["host_routes"]),
        ipv6_address_mode=row.get("ipv6_address_mode"),
        ipv6_ra_mode=row.get("ipv6_ra_mode"),
        description=row.get("description") or "",
        dns_publish_fixed_ip=row.get("dns_publish_fixed_ip") or False,
        tags=_tags(row),
    )


def _security_group(row: Row, notes: Notes) -> SecurityGroupRecord:
    notes.compare(ledger.SECURITY_GROUP, row)
    rules = []
    for rule in row["security_group_rules"]:
        notes.compare(ledger.SECURITY_GROUP_RULE, rule, row["name"])
        if not rule.get("remote_address_group_id"):  # told, by the ledger
            rules.append(rule_of(rule))
    return SecurityGroupRecord(
        id=row["id"],
        name=row["name"],
        description=row.get("description") or "",
        stateful=row.get("stateful", True),
        rules=tuple(rules),
        tags=_tags(row),
    )


def rule_of(row: Row) -> SecurityGroupRule:
    """A rule as Neutron shows it."""
    return SecurityGroupRule(
        direction=row["direction"],
        ethertype=row["ethertype"],
        protocol=row["protocol"],
        port_min=row["port_range_min"],
        port_max=row["port_range_max"],
        remote_address=row["remote_ip_prefix"],
        remote_group_id=row["remote_group_id"],
        description=row.get("description") or "",
    )


def _by_id(ids: list[str], rows: list[Row]) -> list[Row]:
    known = {row["id"]: row for row in rows}
    return [known[i] for i in ids]


def _distinct(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))
