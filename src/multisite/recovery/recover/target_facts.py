"""What is at the target site now, read once with list calls, as plain values a plan can be made of.

A part that could not be read is *unknown*: its name is in ``TargetFacts.unknown`` with the reason, and its
value is empty.  Whoever decides by a part asks ``knows`` first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from multisite.clouds import resources
from multisite.clouds.administrator import (
    BINDING_PROFILES,
    COMPUTE_HOSTS,
    IMPORT_RECORD,
    NETWORK_AGENTS,
    PRIVATE_TYPES,
    administrator,
    may_administer,
)
from multisite.clouds.call import call, network_extensions, read_all
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import NotFoundInSite, Refused, SiteError, Unsupported
from multisite.clouds.facts.network import rule_of
from multisite.clouds.flavors import usable_flavors
from multisite.clouds.host_room import HostRoom, read_host_room
from multisite.clouds.microversions import newest
from multisite.clouds.quotas import Quota, read_quotas
from multisite.clouds.resources import Kind
from multisite.domain.fence import FencedThreads
from multisite.domain.manifest import FlavorRecord, KeypairRecord, SecurityGroupRule
from multisite.recovery.recover.routing import target as routing

READERS = 6
"""Parts read at the same time."""


@dataclass(frozen=True)
class TargetSubnet:
    id: str
    name: str
    network_id: str
    cidr: str
    ip_version: int


@dataclass(frozen=True)
class TargetNetwork:
    id: str
    name: str
    project_id: str
    shared: bool = False
    external: bool = False
    mtu: int | None = None
    subnets: tuple[TargetSubnet, ...] = ()


@dataclass(frozen=True)
class TargetPort:
    """Addresses and MAC that are taken in a network.  ``id`` and ``owner`` are empty for one of another project."""

    id: str
    network_id: str
    mac_address: str
    addresses: tuple[str, ...]
    owner: str = ""


@dataclass(frozen=True)
class TargetGroup:
    """A security group; ``remote_group_id`` of its rules are ids of the target."""

    id: str
    name: str
    project_id: str
    rules: tuple[SecurityGroupRule, ...] = ()


@dataclass(frozen=True)
class TargetVolumeType:
    id: str
    name: str


@dataclass(frozen=True)
class TargetServerGroup:
    """``members``: servers that are in it; ``per_host``: how many of them may share a host (anti-affinity)."""

    id: str
    name: str
    policy: str
    members: int = 0
    per_host: int = 1


@dataclass(frozen=True)
class ComputeHost:
    """One that takes servers: its service is enabled and up."""

    name: str
    zone: str


@dataclass(frozen=True)
class TargetQosPolicy:
    """``shared``: its operator gives it to projects it is not of."""

    id: str
    name: str
    shared: bool


@dataclass(frozen=True)
class TargetFacts:
    """``quotas`` by the services' own names (cores, ram, gigabytes, port ...); ``ports`` only of the networks asked
    for; ``all_volume_types``: names, also of private ones that are not for the project; ``nic_agents``: kinds of
    Neutron's agents that are up, if asked for; ``method_parts``: what protection methods read for themselves;
    ``unknown``: part -> why it could not be read.
    """

    site: str
    project_id: str
    read_at: datetime
    account: str = "<the account's>"
    """Name of the user of ours."""
    roles: frozenset[str] | None = None
    """That it has in the project; None: not asked."""
    may_import: bool = True
    may_set_profiles: bool = True
    compute_version: tuple[int, ...] = (2, 90)
    may_set_snat: bool = True
    may_choose_address: bool = True
    network_extensions: frozenset[str] = frozenset()
    nic_agents: frozenset[str] = frozenset()
    networks: tuple[TargetNetwork, ...] = ()
    ports: tuple[TargetPort, ...] = ()
    security_groups: tuple[TargetGroup, ...] = ()
    qos_policies: tuple[TargetQosPolicy, ...] = ()
    routers: tuple[routing.TargetRouter, ...] = ()
    floating_ips: tuple[routing.TargetFloatingIp, ...] = ()
    keypairs: tuple[KeypairRecord, ...] = ()
    server_groups: tuple[TargetServerGroup, ...] = ()
    flavors: tuple[FlavorRecord, ...] = ()
    volume_types: tuple[TargetVolumeType, ...] = ()
    all_volume_types: tuple[str, ...] = ()
    default_volume_type: str | None = None
    compute_hosts: tuple[ComputeHost, ...] = ()
    host_room: tuple[HostRoom, ...] | None = None
    """None: not asked for."""
    availability_zones: tuple[str, ...] = ()
    volume_zones: tuple[str, ...] = ()
    quotas: Mapping[str, Quota] = field(default_factory=dict)
    method_parts: Mapping[str, Any] = field(default_factory=dict)
    unknown: Mapping[str, str] = field(default_factory=dict)

    def knows(self, part: str) -> bool:
        """Whether a part (the name of a field, or a method's) was read."""
        return part not in self.unknown


def read_target(
    site: CloudSite,
    *,
    ports_in: Collection[str] = (),
    nic_agents: bool = False,
    host_room: bool = False,
    method_parts: Mapping[str, Callable[[], object]] | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> TargetFacts:
    """Read everything a recovery needs to know of its target.

    ``ports_in``: names or ids of the networks whose taken addresses matter (those the operator maps to);
    ``nic_agents``: whether Neutron's agents matter, ``host_room``: what hosts have left;
    ``method_parts``: what else to read
    (``methods.base.ProtectionMethod.target_parts``).
    Raises Unreachable or LoginRefused when the site as a whole cannot be read.
    """
    site.login()
    read_at = now()
    parts: dict[str, Callable[[], Any]] = {
        "compute_version": lambda: newest(site),
        **_network_parts(site, ports_in),
        "keypairs": lambda: _keypairs(site),
        "server_groups": lambda: _server_groups(site),
        "flavors": lambda: usable_flavors(site),
        "volume_types": lambda: _volume_types(site),
        "all_volume_types": lambda: _all_types(site),
        "compute_hosts": lambda: _compute_hosts(site),
        "default_volume_type": lambda: _default_type(site),
        "availability_zones": lambda: _zones(site, "list availability zones", lambda: site.compute),
        "volume_zones": lambda: _zones(site, "list zones of volumes", lambda: site.volume),
        "quotas": lambda: {quota.resource: quota for quota in read_quotas(site)},
    }
    parts |= {"nic_agents": lambda: _agents(site)} if nic_agents else {}
    parts |= {"host_room": lambda: read_host_room(site)} if host_room else {}
    more = dict(method_parts or {})
    with FencedThreads(READERS, thread_name_prefix="target-facts") as pool:
        running = {name: pool.submit(_read, read) for name, read in (parts | more).items()}
        results = {name: future.result() for name, future in running.items()}
    unknown = {name: str(value) for name, value in results.items() if isinstance(value, SiteError)}
    known = {name: value for name, value in results.items() if name not in unknown}
    own = {name: known.pop(name) for name in more if name in known}
    return TargetFacts(
        site.name,
        site.project_id,
        read_at,
        account=site.account,
        roles=site.roles,
        may_import=may_administer(site, IMPORT_RECORD),
        may_set_profiles=may_administer(site, BINDING_PROFILES),
        **known,
        method_parts=own,
        unknown=unknown,
    )


def _network_parts(site: CloudSite, ports_in: Collection[str]) -> dict[str, Callable[[], Any]]:
    """What is Neutron's."""
    return {
        "networks": lambda: _networks(site),
        "network_extensions": lambda: frozenset(network_extensions(site)),
        "ports": lambda: _ports(site, ports_in),
        "security_groups": lambda: _groups(site),
        "qos_policies": lambda: _qos_policies(site),
        **routing.parts(site),
    }


def _read(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except SiteError as error:
        return error


def _networks(site: CloudSite) -> tuple[TargetNetwork, ...]:
    rows = resources.list_all(site, "subnet")
    subnets = [TargetSubnet(r["id"], r["name"], r["network_id"], r["cidr"], r["ip_version"]) for r in rows]
    return tuple(
        TargetNetwork(
            id=row["id"],
            name=row["name"],
            project_id=row.get("project_id") or "",
            shared=bool(row.get("shared")),
            external=bool(row.get("router:external")),
            mtu=row.get("mtu"),
            subnets=tuple(s for s in subnets if s.network_id == row["id"]),
        )
        for row in _usable(site, "network")
    )


def _usable(site: CloudSite, kind: Kind) -> list[dict[str, Any]]:
    """Those of the project, shared with it (RBAC) or external: what Neutron lists to members, and no more to others."""
    return [
        row
        for row in resources.list_all(site, kind)
        if row.get("project_id") == site.project_id or row.get("shared") or row.get("router:external")
    ]


def _ports(site: CloudSite, wanted: Collection[str]) -> tuple[TargetPort, ...]:
    if not wanted:
        return ()
    found: list[TargetPort] = []
    for network in _usable(site, "network"):
        if network["id"] not in wanted and network["name"] not in wanted:
            continue
        found += [
            _port(row, ours=row.get("project_id") == site.project_id)
            for row in resources.list_all(site, "port", network_id=network["id"])
        ]
    return tuple(found)


def _port(row: Mapping[str, Any], *, ours: bool) -> TargetPort:
    return TargetPort(
        row["id"] if ours else "",
        row["network_id"],
        row["mac_address"],
        tuple(ip["ip_address"] for ip in row.get("fixed_ips", ())),
        (row.get("device_owner") or "") if ours else "",
    )


def _groups(site: CloudSite) -> tuple[TargetGroup, ...]:
    return tuple(
        TargetGroup(
            row["id"],
            row["name"],
            row.get("project_id") or "",
            tuple(rule_of(r) for r in row["security_group_rules"]),
        )
        for row in _usable(site, "security_group")
    )


def _qos_policies(site: CloudSite) -> tuple[TargetQosPolicy, ...]:
    """Those of the project and those shared with it; a Neutron without QoS has none."""
    try:
        rows = read_all(site, "list QoS policies", lambda: site.network, "/qos/policies", "policies")
    except NotFoundInSite:
        return ()
    usable = [row for row in rows if row.get("shared") or row.get("project_id") == site.project_id]
    return tuple(TargetQosPolicy(row["id"], row["name"], bool(row.get("shared"))) for row in usable)


def _agents(site: CloudSite) -> frozenset[str]:
    """Neutron shows others than administrators an empty list, which says nothing."""
    what = "list network agents"
    admin = administrator(site, NETWORK_AGENTS)
    if "admin" not in admin.roles:
        raise Unsupported(site.name, what, "Neutron shows its agents to administrators alone")
    rows = read_all(admin, what, lambda: admin.network, "/agents", "agents")
    return frozenset(row["agent_type"] for row in rows if row["alive"] and row["admin_state_up"])


def _server_groups(site: CloudSite) -> tuple[TargetServerGroup, ...]:
    rows = resources.list_all(site, "server_group")
    return tuple(
        TargetServerGroup(
            row["id"],
            row["name"],
            row["policy"],
            len(row.get("members") or ()),
            (row.get("rules") or {}).get("max_server_per_host", 1),
        )
        for row in rows
    )


def _keypairs(site: CloudSite) -> tuple[KeypairRecord, ...]:
    pairs = resources.list_all(site, "keypair")
    return tuple(KeypairRecord(p["name"], p["public_key"], p.get("type") or "ssh") for p in pairs)


def _volume_types(site: CloudSite) -> tuple[TargetVolumeType, ...]:
    rows = read_all(site, "list volume types", lambda: site.volume, "/types", "volume_types")
    return tuple(TargetVolumeType(row["id"], row["name"]) for row in rows)


def _all_types(site: CloudSite) -> tuple[str, ...]:
    """Without ``is_public`` Cinder lists public ones and those the project has access to, to administrators too."""
    admin, what = administrator(site, PRIVATE_TYPES), "list private volume types"
    if "admin" not in admin.roles:  # it would be shown none
        raise Refused(site.name, what, "none of our accounts is an administrator there", site_status=403)
    rows = read_all(admin, what, lambda: admin.volume, "/types", "volume_types", is_public="None")
    return tuple(row["name"] for row in rows)


def _compute_hosts(site: CloudSite) -> tuple[ComputeHost, ...]:
    admin = administrator(site, COMPUTE_HOSTS)
    rows = read_all(
        admin, "list compute hosts", lambda: admin.compute, "/os-services", "services", binary="nova-compute"
    )
    up = [
        row
        for row in rows
        if (row["binary"], row["status"], row["state"]) == ("nova-compute", "enabled", "up")
    ]
    return tuple(ComputeHost(row["host"], row["zone"]) for row in up)


def _default_type(site: CloudSite) -> str | None:
    try:
        answer = call(site, "read the default volume type", lambda: site.volume.get("/types/default"))
    except NotFoundInSite:
        return None
    return str(answer.json()["volume_type"]["name"])


def _zones(site: CloudSite, what: str, proxy: Callable[[], Any]) -> tuple[str, ...]:
    """Nova and Cinder answer alike."""
    rows = read_all(site, what, proxy, "/os-availability-zone", "availabilityZoneInfo")
    return tuple(row["zoneName"] for row in rows if row["zoneState"]["available"])
