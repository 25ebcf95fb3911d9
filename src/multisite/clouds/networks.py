"""Neutron at the target: networks, subnets, security groups and ports, found by token or made.

What is special about these kinds: a network's MTU, a subnet's DHCP, the rules of a group; the rest is
``resources.ensure``.  ``fresh`` says that nothing can carry the token yet, which saves looking.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from multisite.clouds import resources
from multisite.clouds.administrator import BINDING_PROFILES, administrator
from multisite.clouds.call import call
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import ConflictInSite, Failed, NotFoundInSite, Refused
from multisite.domain.manifest import NetworkRecord, PortRecord, SecurityGroupRecord, SubnetRecord

Row = dict[str, Any]
LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class MadePort:
    id: str
    mac_address: str
    addresses: tuple[str, ...]


def ensure_network(
    site: CloudSite,
    token: str,
    record: NetworkRecord,
    name: str,
    qos_policy_id: str | None = None,
    *,
    fresh: bool = False,
) -> str:
    """Find or make a network like the record; returns its id.  Its subnets are made separately.

    ``qos_policy_id``: of the site; None is its default.  An MTU larger than the site can carry is left to the site.
    """
    fields: Row = {"name": name}
    if record.mtu is not None:
        fields["mtu"] = record.mtu
    if not record.port_security_enabled:
        fields["port_security_enabled"] = False
    if record.dns_domain:
        fields["dns_domain"] = record.dns_domain
    if qos_policy_id is not None:
        fields["qos_policy_id"] = qos_policy_id
    make = partial(
        resources.ensure,
        site,
        "network",
        token,
        description=record.description,
        tags=record.tags,
        fresh=fresh,
    )
    try:
        row = make(fields)
    except Refused as error:
        if error.site_status != 400 or "mtu" not in error.message.lower():
            raise
        LOG.warning("site %s cannot carry the MTU %s of network %s", site.name, record.mtu, name)
        del fields["mtu"]
        row = make(fields)
    return str(row["id"])


def ensure_subnet(
    site: CloudSite, token: str, record: SubnetRecord, network_id: str, *, fresh: bool = False
) -> str:
    """Find or make a subnet like the record, DHCP off where that can be switched on later (``enable_dhcp``).

    DHCP takes an address of its own at once, any that is free: also one a port is to get.  IPv6 subnets with
    modes must be made with DHCP on.
    """
    fields: Row = {
        "name": record.name,
        "network_id": network_id,
        "cidr": record.cidr,
        "ip_version": record.ip_version,
        "gateway_ip": record.gateway_address,
        "enable_dhcp": record.dhcp and not dhcp_can_wait(record),
        "dns_nameservers": list(record.dns_nameservers),
        "host_routes": [dict(route) for route in record.host_routes],
    }
    if record.allocation_pools:
        fields["allocation_pools"] = [dict(pool) for pool in record.allocation_pools]
    for key in ("ipv6_address_mode", "ipv6_ra_mode"):
        if (mode := getattr(record, key)) is not None:
            fields[key] = mode
    if record.dns_publish_fixed_ip:
        fields["dns_publish_fixed_ip"] = True
    row = resources.ensure(
        site, "subnet", token, fields, description=record.description, tags=record.tags, fresh=fresh
    )
    return str(row["id"])


def dhcp_can_wait(record: SubnetRecord) -> bool:
    """Whether DHCP of such a subnet may be switched on after its ports were made."""
    return record.dhcp and record.ipv6_address_mode is None and record.ipv6_ra_mode is None


def enable_dhcp(site: CloudSite, subnet_id: str) -> None:
    """Switch DHCP on; idempotent."""
    body = {"subnet": {"enable_dhcp": True}}
    what = f"switch DHCP on in subnet {subnet_id}"
    call(site, what, lambda: site.network.put(f"/subnets/{subnet_id}", json=body), idempotent=True)


def ensure_port(
    site: CloudSite,
    token: str,
    record: PortRecord,
    *,
    network_id: str,
    mac_address: str | None,
    fixed_ips: Sequence[Mapping[str, str]] | None,
    security_group_ids: Sequence[str],
    qos_policy_id: str | None = None,
    expected: Iterable[str] = (),
    fresh: bool = False,
) -> MadePort:
    """Find or make a port like the record.

    ``fixed_ips`` as Neutron takes them, None to let the site choose; ``expected``: the addresses it must have in the
    end.  What Nova would refuse at boot comes later (``finish_port``).  Raises Failed when it has others, and what
    ``call`` raises (an address in use: ConflictInSite).
    """
    fields: Row = {"name": record.name, "network_id": network_id}
    fields |= _port_security(site, network_id, record.port_security_enabled)
    if mac_address is not None:
        fields["mac_address"] = mac_address
    if fixed_ips is not None:
        fields["fixed_ips"] = [dict(ip) for ip in fixed_ips]
    if record.port_security_enabled:
        fields["security_groups"] = list(security_group_ids)
        fields["allowed_address_pairs"] = [
            _pair(pair, record, mac_address) for pair in record.allowed_address_pairs
        ]
    else:
        fields["security_groups"] = []
    if record.vnic_type != "normal":
        fields["binding:vnic_type"] = record.vnic_type
    if record.dhcp_options:
        fields["extra_dhcp_opts"] = [dict(option) for option in record.dhcp_options]
    if record.dns_domain:
        fields["dns_domain"] = record.dns_domain
    if qos_policy_id is not None:
        fields["qos_policy_id"] = qos_policy_id
    row = resources.ensure(
        site, "port", token, fields, description=record.description, tags=record.tags, fresh=fresh
    )
    if record.binding_profile:
        admin = administrator(site, BINDING_PROFILES)
        _update_port(admin, row["id"], {"binding:profile": dict(record.binding_profile)})
    made = MadePort(row["id"], row["mac_address"], tuple(ip["ip_address"] for ip in row["fixed_ips"]))
    wanted = set(expected)
    if wanted and wanted != set(made.addresses):
        said = f"it has {', '.join(made.addresses) or 'no address'}, not {', '.join(sorted(wanted))}"
        raise Failed(
            site.name, f"create port {record.name or record.mac_address}", said, state=None, seconds=0.0
        )
    return made


def _pair(pair: Mapping[str, str], record: PortRecord, mac_address: str | None) -> Row:
    """Neutron shows a pair that was given no MAC address with the port's own, which may be another one here."""
    own = mac_address is None and pair.get("mac_address") == record.mac_address
    return {name: value for name, value in pair.items() if not (own and name == "mac_address")}


def _port_security(site: CloudSite, network_id: str, wanted: bool) -> Row:
    """Said always, for a network has its own default.  But not in another's network when it is the default, for only
    the owner may say it there (policy ``create_port:port_security_enabled``); and a Neutron that has no such
    attribute is not asked for what it does anyway.
    """
    network = resources.read(site, "network", network_id)
    default = network.get("port_security_enabled")
    if (default is None and wanted) or (default == wanted and network.get("project_id") != site.project_id):
        return {}
    return {"port_security_enabled": wanted}


def finish_port(site: CloudSite, port_id: str, record: PortRecord) -> None:
    """What a port can have once its server is active; idempotent.

    Nova waits at boot until its ports are plugged, which a disabled one never is, and refuses one whose DNS name is
    not the server's host name (``nova/network/neutron.py``, PortNotUsableDNS).
    """
    fields: Row = {} if record.enabled else {"admin_state_up": False}
    if record.dns_name:
        fields["dns_name"] = record.dns_name
    if fields:
        _update_port(site, port_id, fields)


def _update_port(site: CloudSite, port_id: str, fields: Row) -> None:
    what, body = f"set {', '.join(fields)} of port {port_id}", {"port": fields}
    call(site, what, lambda: site.network.put(f"/ports/{port_id}", json=body), idempotent=True)


def ensure_security_group(
    site: CloudSite, token: str, record: SecurityGroupRecord, name: str, *, fresh: bool = False
) -> str:
    """Find or make a group like the record, with Neutron's default rules until ``set_rules``; returns its id."""
    fields: Row = {"name": name}
    if not record.stateful:
        fields["stateful"] = False
    row = resources.ensure(
        site, "security_group", token, fields, description=record.description, tags=record.tags, fresh=fresh
    )
    return str(row["id"])


def set_rules(site: CloudSite, group_id: str, record: SecurityGroupRecord, groups: Mapping[str, str]) -> None:
    """Give a group exactly the record's rules; idempotent.  ``groups``: source id -> id here, for remote groups.

    Rules that allow more than the record are removed first, those Neutron makes by itself among them.
    """
    what = f"set the rules of security group {record.name}"
    present: list[Row] = resources.read(site, "security_group", group_id)["security_group_rules"]
    wanted = [_rule(rule, groups) for rule in record.rules]
    for row in present:
        if _essence(row) not in [_essence(rule) for rule in wanted]:
            _remove_rule(site, what, str(row["id"]))
    there = [_essence(row) for row in present]
    for rule in wanted:
        if _essence(rule) in there:
            continue
        body = {"security_group_rule": {**rule, "security_group_id": group_id}}
        try:
            call(
                site, what, lambda b=body: site.network.post("/security-group-rules", json=b), idempotent=True
            )
        except ConflictInSite:
            LOG.info("site %s: a rule of group %s is there already in other words", site.name, group_id)


def _remove_rule(site: CloudSite, what: str, rule_id: str) -> None:
    try:
        call(site, what, lambda: site.network.delete(f"/security-group-rules/{rule_id}"), idempotent=True)
    except NotFoundInSite:
        return


def _rule(rule: Any, groups: Mapping[str, str]) -> Row:
    remote = rule.remote_group_id
    return {
        "direction": rule.direction,
        "ethertype": rule.ethertype,
        "protocol": rule.protocol,
        "port_range_min": rule.port_min,
        "port_range_max": rule.port_max,
        "remote_ip_prefix": rule.remote_address,
        "remote_group_id": groups[remote] if remote else None,
        "description": rule.description,
    }


_ESSENCE = (
    "direction",
    "ethertype",
    "protocol",
    "port_range_min",
    "port_range_max",
    "remote_ip_prefix",
    "remote_group_id",
)


def _essence(row: Mapping[str, Any]) -> tuple[str | None, ...]:
    return tuple(None if row.get(key) is None else str(row[key]) for key in _ESSENCE)
