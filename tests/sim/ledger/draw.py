"""A value that is not the default for every field of every kind, drawn at random and put into a site's raw state."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from multisite_lab.sim.model import Row, Server, State, Volume, new_id
from tests.sim.deploy import Deployed

Edit = tuple[str, int, str, Any]
"""Kind and field as the ledger calls them, which of the kind (modulo how many there are), value."""
_UNICODE = st.characters(exclude_categories=("Cs", "Cc", "Cn", "Zl", "Zp"))
TEXT = st.text(_UNICODE, min_size=1, max_size=30).filter(lambda text: text.strip() == text)
NAME = st.one_of(st.sampled_from(["lan", "ström-β", "数据 1", "a=b"]), TEXT)
TAG = TEXT.filter(lambda text: not set(text) & set(",/") and not text.startswith("multisite"))
TAGS = st.lists(TAG, min_size=1, max_size=3, unique=True)
_KEY = st.from_regex(r"[a-z][a-z0-9_.-]{0,12}", fullmatch=True)
_PAIRS = st.dictionaries(_KEY, TEXT, min_size=1, max_size=3)
_LABEL = st.from_regex(r"[a-z][a-z0-9]{2,12}", fullmatch=True)
_DOMAIN = _LABEL.map(lambda label: f"{label}.example.")
_NUMBER = st.integers(120, 180)
_KEYS = st.from_regex(r"[A-Za-z0-9+/]{20}", fullmatch=True).map(lambda text: f"ssh-ed25519 AAAA{text} ä")
GOLD, BRONZE = "gold", "bronze"
"""QoS policies of the source: the target has a shared one of the first name, none of the second."""


def _just(value: Any) -> SearchStrategy[Any]:
    return st.just(value)


def _told(**values: Any) -> dict[str, SearchStrategy[Any]]:
    """What no restore point carries, and what nobody knows."""
    return {name.replace("__", ":"): _just(value) for name, value in {**values, "brand_new": "x"}.items()}


VALUES: Mapping[str, Mapping[str, SearchStrategy[Any]]] = {
    "server": {
        "name": NAME, "description": TEXT, "metadata": _PAIRS, "tags": TAGS, "config_drive": _just(True),
        "OS-EXT-SRV-ATTR:hostname": _LABEL,
        "OS-EXT-SRV-ATTR:user_data": st.binary(min_size=1, max_size=40).map(lambda b: base64.b64encode(b).decode()),
        "pinned_availability_zone": _just("az-ä"), "status": _just("SHUTOFF"),
        "locked": _just(True), "locked_reason": TEXT,
        **_told(
            accessIPv4="203.0.113.9", accessIPv6="2001:db8::9", trusted_image_certificates=["c"],
            scheduler_hints={"build_near_host_ip": "192.0.2.1"},
        ),
    },
    "volume attachment": {
        "device": st.sampled_from(["/dev/vdc", "/dev/vdf"]), "delete_on_termination": _just(True), "tag": TAG,
    },
    "interface": {"tag": TAG},
    "volume": {
        "name": NAME, "description": TEXT, "metadata": _PAIRS, "volume_image_metadata": _PAIRS,
        "bootable": _just(True), "read_only": _just(True), "volume_type": _just("fast"),
        **_told(consistencygroup_id="cg"),
    },
    "port": {
        "name": NAME, "description": TEXT, "port_security_enabled": _just(False), "fixed_ips": _NUMBER,
        "security_groups": st.sampled_from([[0, 1], [1, 0], []]), "admin_state_up": _just(False),
        "allowed_address_pairs": _NUMBER, "extra_dhcp_opts": _NUMBER, "binding:profile": _PAIRS, "dns_name": _LABEL,
        "dns_domain": _DOMAIN, "tags": TAGS, "qos_policy_id": st.sampled_from([GOLD, BRONZE]),
        **_told(
            device_profile="gpu", numa_affinity_policy="preferred", hints={"openvswitch": {"a": 1}},
            hardware_offload_type="switchdev", trusted=True, pvlan_type="isolated", pvlan_community="c1",
            data_plane_status="DOWN", trunk_details={"trunk_id": "t", "sub_ports": []},
        ),
    },
    "network": {
        "name": NAME, "description": TEXT, "mtu": st.integers(1280, 1499), "port_security_enabled": _just(False),
        "tags": TAGS, "dns_domain": _DOMAIN, "qos_policy_id": st.sampled_from([GOLD, BRONZE]),
        **_told(
            admin_state_up=False, provider__network_type="vlan", provider__physical_network="physnet1",
            segments=[{"provider:network_type": "vlan"}], vlan_transparent=True, qinq=True, pvlan=True,
            availability_zone_hints=["az-ä"],
        ),
    },
    "subnet": {
        "name": NAME, "description": TEXT, "allocation_pools": _NUMBER, "dns_nameservers": _NUMBER,
        "host_routes": _NUMBER, "gateway_ip": _just(1), "enable_dhcp": _just(False), "tags": TAGS,
        "dns_publish_fixed_ip": _just(True),
        **_told(service_types=["compute:nova"], segment_id="s", subnetpool_id="p", leak_routes=True),
    },
    "security group": {
        "name": NAME.filter(lambda name: name != "default"), "description": TEXT, "stateful": _just(False),
        "tags": TAGS, "security_group_rules": st.integers(1, 65535), **_told(),
    },
    "rule of security group": {"description": TEXT, **_told(tags=["t"], remote_address_group_id="ag")},
    "server group": {
        "name": NAME, "policy": st.sampled_from(["affinity", "anti-affinity", "soft-affinity"]),
        **_told(rules={"max_server_per_host": 3}),
    },
    "flavor": {
        "name": NAME, "vcpus": st.integers(2, 4), "ram": st.integers(129, 512), "disk": st.integers(2, 9),
        "extra_specs": _PAIRS, "swap": st.integers(1, 64), "OS-FLV-EXT-DATA:ephemeral": st.integers(1, 9),
        "description": TEXT, **_told(rxtx_factor=2.0),
    },
    "key pair": {"name": NAME, "public_key": _KEYS, **_told()},
}  # fmt: skip
"""``fixed_ips`` and the like: a number of which the value is made; ``security_groups``: which of the application's."""

NOT_DRAWN: Mapping[tuple[str, str], str] = {
    ("server", "key_name"): "drawn as the name of the key pair",
    ("server", "flavor"): "drawn as the flavor",
    ("server", "image"): "an image-backed server is refused",
    ("server", "os-extended-volumes:volumes_attached"): "drawn as the attachments",
    ("server", "server_groups"): "drawn as the server group",
    ("server", "OS-EXT-SRV-ATTR:root_device_name"): "the simulation boots from the first disk",
    ("volume", "size"): "a restored volume is as large as its backup",
    ("volume", "attachments"): "drawn as the attachments",
    ("volume", "availability_zone"): "the default, or its server's: test_mapping",
    ("volume", "encrypted"): "not restored into a type of another id: test_losses",
    ("volume", "group_id"): "groups take part in the method that protects",
    ("port", "network_id"): "every network has a port of each server",
    ("port", "mac_address"): "by it the ports of both sites are told apart",
    ("port", "binding:vnic_type"): "others need hardware",
    ("network", "shared"): "an operator's network is mapped, not made",
    ("network", "router:external"): "an operator's network is mapped, not made",
    ("subnet", "network_id"): "every network has a subnet",
    ("subnet", "cidr"): "by it the subnets of both sites are told apart",
    ("subnet", "ip_version"): "goes with the CIDR",
    ("subnet", "ipv6_address_mode"): "the simulation has no router advertisements",
    ("subnet", "ipv6_ra_mode"): "the simulation has no router advertisements",
    **{
        ("rule of security group", name): "drawn as rules of the group"
        for name in ("direction", "ethertype", "protocol", "remote_group_id", "port_range_min", "port_range_max",
                     "remote_ip_prefix")
    },
    ("key pair", "type"): "the other kind is a certificate",
}  # fmt: skip
"""Fields of these kinds that are carried or told, and why there is no value of theirs here."""

ORDER = tuple(VALUES)
KEYS = tuple((kind, name) for kind, fields in VALUES.items() for name in fields)


def edit(kind: str, name: str) -> SearchStrategy[Edit]:
    return st.tuples(st.just(kind), st.integers(0, 3), st.just(name), VALUES[kind][name])


EDITS = st.lists(
    st.sampled_from(KEYS).flatmap(lambda key: edit(*key)), min_size=1, max_size=24, unique_by=lambda e: e[:3]
)
EVERYTHING = st.tuples(*(edit(*key) for key in KEYS)).map(list)
"""Every field at once."""


def apply(state: State, made: Deployed, edits: list[Edit]) -> None:
    """Put them in, and what a real service would have changed with them."""
    for kind, number, name, value in sorted(edits, key=lambda e: ORDER.index(e[0])):
        _apply(state, made, kind, number, name, value)
    for port_id in made.ports:
        port = state.ports[port_id]
        if not port["port_security_enabled"]:
            port |= {"security_groups": [], "allowed_address_pairs": []}


def _apply(state: State, made: Deployed, kind: str, number: int, name: str, value: Any) -> None:
    server = state.servers[made.servers[number % 2]]
    disk = server.disks[number // 2 % 2]
    if kind == "server":
        _server(state, server, name, value)
    elif kind == "volume attachment":
        disk = server.disks[1] if name == "device" else disk  # the first one is the root
        setattr(disk, name, value)
        state.volumes[disk.volume_id].device = disk.device
    elif kind == "interface":
        server.nic_tags[server.ports[number // 2 % 2]] = value
    elif kind == "volume":  # the first disk is bootable anyway
        _volume(state.volumes[(server.disks[1] if name == "bootable" else disk).volume_id], name, value)
    elif kind == "key pair":
        _keypair(state, made, name, value)
    elif kind == "flavor":
        flavor_id = server.flavor["id"]
        for row in (state.flavors[flavor_id], *(state.servers[s].flavor for s in made.servers)):
            row[name] = value
    else:
        row = _row(state, made, kind, number)
        row[name] = _made_of(state, made, row, kind, name, value)


def _row(state: State, made: Deployed, kind: str, number: int) -> Row:
    network = state.networks[made.networks[number % 2]]
    group = state.security_groups[made.groups[number % 2]]
    rows: dict[str, Row] = {
        "port": state.ports[made.ports[number % len(made.ports)]],
        "network": network,
        "subnet": state.subnets[network["subnets"][0]],
        "security group": group,
        "rule of security group": group["security_group_rules"][-1],
        "server group": state.server_groups[made.server_group],
    }
    return rows[kind]


def _server(state: State, server: Server, name: str, value: Any) -> None:
    if name == "OS-EXT-SRV-ATTR:hostname":
        for port in (state.ports[p] for p in server.ports):  # Nova gives them its name
            port["dns_name"] = value if port["dns_name"] == server.hostname else port["dns_name"]
    if name == "locked_reason":
        server.locked = True
    if name == "status":
        server.guest = None
    if name == "pinned_availability_zone":
        server.pinned_zone = server.availability_zone = value
        return
    plain = name.rpartition(":")[2]
    if plain in vars(server):
        setattr(server, plain, value)
    else:
        server.more[name] = value


def _volume(volume: Volume, name: str, value: Any) -> None:
    plain = {"volume_image_metadata": "image_metadata"}.get(name, name)
    if plain in vars(volume):
        setattr(volume, plain, value)
    else:
        volume.more[name] = value


def _keypair(state: State, made: Deployed, name: str, value: Any) -> None:
    servers = [state.servers[s] for s in made.servers]
    key = (servers[0].user_id, servers[0].key_name or "")
    row = state.keypairs.pop(key)
    row[name] = value
    state.keypairs[key[0], row["name"]] = row
    for server in servers:
        server.key_name = row["name"]


def _made_of(state: State, made: Deployed, row: Row, kind: str, name: str, value: Any) -> Any:
    """Values that have to fit what is there."""
    if name == "security_groups":
        return [made.groups[n] for n in value]
    if name == "qos_policy_id":
        return next(policy["id"] for policy in state.qos_policies.values() if policy["name"] == value)
    if name == "security_group_rules":
        rule = {"direction": "ingress", "ethertype": "IPv4", "protocol": "udp", "remote_ip_prefix": None}
        rule |= {"port_range_min": value, "port_range_max": value, "remote_group_id": made.groups[0]}
        return [*row[name], row[name][0] | rule | {"id": new_id(), "description": ""}]
    if name == "fixed_ips":
        subnet = state.subnets[row["fixed_ips"][0]["subnet_id"]]
        return [
            *row[name],
            {"subnet_id": subnet["id"], "ip_address": _host(subnet, value + len(row["name"]) % 9)},
        ]
    if name == "allowed_address_pairs":
        return [{"ip_address": f"192.0.2.{value}", "mac_address": row["mac_address"]}]
    if name == "extra_dhcp_opts":
        return [{"opt_name": "26", "opt_value": str(1000 + value), "ip_version": 4}]
    if name == "allocation_pools":
        return [{"start": _host(row, 100), "end": _host(row, value)}]
    if name == "dns_nameservers":
        return [f"192.0.2.{value}", "192.0.2.2"]
    if name == "host_routes":
        return [{"destination": f"198.51.{value}.0/24", "nexthop": _host(row, 254)}]
    return _host(row, value) if name == "gateway_ip" else value


def _host(subnet: Row, number: int) -> str:
    return str(subnet["cidr"]).replace("0/24", str(number))
