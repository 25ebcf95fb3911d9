"""An application compared field by field: what its restore point says against what a site shows.

The site's side is read with requests of its own, not with the product's readers, so that what these forget is found,
too.  Asked of the source it says whether everything was written down, asked of the target whether everything came
back.  A field the restore point has and this module does not read is a difference: whoever adds one is told.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from multisite.clouds.connect import CloudSite
from multisite.domain.manifest import Manifest, SecurityGroupRecord, ServerRecord
from multisite.domain.routing import RouterRecord
from multisite.domain.trunks import TrunkRecord
from tests.sim.deploy import CINDER, NOVA, ask
from tests.sim.outcome import Facts, compare

Row = dict[str, Any]
_OURS = ("multisite_token", "multisite_application", "multisite_epoch", "src_backup_id")
_CINDERS_OWN = ("readonly", "attached_mode")
_SUFFIX = "-ms-"
"""What a server group's name has behind it, which can carry a token nowhere else."""


def differences(site: CloudSite, manifest: Manifest) -> list[str]:
    """Where the application in this site is not as the restore point says, each naming the field; empty: nowhere."""
    wanted = recorded(manifest)
    found = shown(site, wanted["servers"])
    if site.name != manifest.source.name:  # those that were mapped
        wanted["floating_ips"] = {
            k: v for k, v in wanted["floating_ips"].items() if k in found["floating_ips"]
        }
    return [f"{site.name}: {manifest.application}: {line}" for line in compare(wanted, found)]


def recorded(manifest: Manifest) -> Facts:
    """The restore point's records, by names instead of ids; every field is kept under its own name."""
    subnets = {s.id: s.cidr for s in manifest.subnets}
    networks = _told_apart(
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


def _told_apart(names: dict[str, str], cidrs: list[tuple[str, str]]) -> dict[str, str]:
    """Networks of one name by their subnets, too."""
    times = Counter(names.values())
    return {
        id: name if times[name] == 1 else f"{name} {sorted(c for n, c in cidrs if n == id)}"
        for id, name in names.items()
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
    at = sorted([subnets[i.subnet_id], i.address] for i in record.interfaces)
    return plain | {"interfaces": at}


def _recorded_floating_ips(manifest: Manifest) -> dict[str, Row]:
    """By the port and its address; their own addresses are the sites'."""
    ports = {port.id: port.name for port in manifest.ports}
    own = ("address", "network_id", "network_name", "port_id", "fixed_address")
    return {f"{ports[f.port_id]} {f.fixed_address}": _plain(f, *own) for f in manifest.floating_ips}


def _recorded_trunk(record: TrunkRecord, ports: dict[str, str]) -> Row:
    subports = [_plain(s) | {"port_id": ports.get(s.port_id, s.port_id)} for s in record.subports]
    return _plain(record) | {"port_id": ports.get(record.port_id, record.port_id), "subports": subports}


def shown(site: CloudSite, names: Collection[str]) -> Facts:
    """The same of what the site shows of the servers of these names, and of what they use."""
    every = ask(site.compute, "GET", "/servers/detail", None, "2.96")["servers"]
    servers = [row for row in every if row["name"] in names]
    view = _View(site, [row["id"] for row in servers])
    keys = sorted({row["key_name"] for row in servers if row["key_name"]})
    return {
        "servers": {row["name"]: view.server(row) for row in servers},
        "virtual_ips": view.virtual_ips(),
        "subports": view.subports(),
        "trunks": view.trunks(),
        "networks": {view.names[row["id"]]: view.network(row) for row in view.used_networks()},
        "security_groups": {row["name"]: view.group(row) for row in view.used_groups()},
        "routers": view.routers(),
        "floating_ips": view.floating_ips(),
        "keypairs": {name: _keypair(site, name) for name in keys},
    }


def _keypair(site: CloudSite, name: str) -> Row:
    row = ask(site.compute, "GET", f"/os-keypairs/{name}", None, NOVA)["keypair"]
    return {key: row[key] for key in ("name", "public_key", "type")}


class _View:
    """What a site lists, read once."""

    def __init__(self, site: CloudSite, servers: Collection[str]) -> None:
        def by_id(path: str, key: str) -> dict[str, Row]:
            return {row["id"]: row for row in ask(site.network, "GET", path)[key]}

        self._site = site
        every = by_id("/ports", "ports")
        self._ports = {i: row for i, row in every.items() if row["device_id"] in servers}
        listed = site.network.get("/trunks", raise_exc=False)  # 404: the site has none
        trunks = listed.json()["trunks"] if listed.status_code == 200 else []
        self._trunks = [row for row in trunks if row["port_id"] in self._ports]
        self._subports = {
            one["port_id"]: every[one["port_id"]] for t in self._trunks for one in t["sub_ports"]
        }
        self._every = every
        inside = {p["network_id"] for p in [*self._ports.values(), *self._subports.values()]}
        free = [p for p in every.values() if not p["device_id"] and not p["device_owner"]]
        self._without_device = [p for p in free if p["network_id"] in inside]
        self._networks = by_id("/networks", "networks")
        self._subnets = by_id("/subnets", "subnets")
        self._floating_ips = by_id("/floatingips", "floatingips")
        self._routers = by_id("/routers", "routers")
        self._interfaces = [p for p in every.values() if p["device_owner"] == "network:router_interface"]
        self.names = _told_apart(
            {row["id"]: row["name"] for row in self.used_networks()},
            [(row["network_id"], row["cidr"]) for row in self._subnets.values()],
        )
        self._groups = by_id("/security-groups", "security_groups")
        policies = site.network.get("/qos/policies", raise_exc=False)  # 404: the site has none
        rows = policies.json()["policies"] if policies.status_code == 200 else []
        self._policies = {row["id"]: row["name"] for row in rows}
        flavors = ask(site.compute, "GET", "/flavors/detail?is_public=None", None, NOVA)["flavors"]
        self._flavors = {row["name"]: _described(row) for row in flavors}
        volumes = ask(site.volume, "GET", "/volumes/detail", None, CINDER)["volumes"]
        self._volumes = {row["id"]: row for row in volumes}
        types = ask(site.volume, "GET", "/types", None, CINDER)["volume_types"]
        self._types = {row["name"]: row["id"] for row in types}
        self._server_groups = ask(site.compute, "GET", "/os-server-groups", None, NOVA)["server_groups"]

    def used_networks(self) -> list[Row]:
        ports = [*self._ports.values(), *self._subports.values()]
        return [self._networks[n] for n in sorted({p["network_id"] for p in ports})]

    def virtual_ips(self) -> dict[str, Row]:
        return {row["name"]: self._port(row, "") | {"device_tag": None} for row in self._without_device}

    def routers(self) -> dict[str, Row]:
        """Those with an interface in the networks."""
        return {
            row["name"]: self._router(row, at)
            for row in self._routers.values()
            if (
                at := [
                    p
                    for p in self._interfaces
                    if p["device_id"] == row["id"] and p["network_id"] in self.names
                ]
            )
        }

    def _router(self, row: Row, ports: list[Row]) -> Row:
        at = [(ip["subnet_id"], ip["ip_address"]) for p in ports for ip in p["fixed_ips"]]
        gateway = row["external_gateway_info"]
        return {
            "name": row["name"],
            "description": row["description"],
            "enabled": row["admin_state_up"],
            "tags": _tags(row),
            "routes": row["routes"],
            "interfaces": sorted([self._subnets[subnet]["cidr"], address] for subnet, address in at),
            "gateway": gateway
            and {
                "network_name": self._networks[gateway["network_id"]]["name"],
                "enable_snat": gateway["enable_snat"],
            },
        }

    def floating_ips(self) -> dict[str, Row]:
        """Those that lead to the ports, but for what Multisite itself keeps."""
        names = {p["id"]: p["name"] for p in [*self._ports.values(), *self._without_device]}
        return {
            f"{names[row['port_id']]} {row['fixed_ip_address']}": {
                "description": row["description"],
                "tags": _tags(row),
                "dns_name": row["dns_name"],
                "dns_domain": row["dns_domain"],
            }
            for row in self._floating_ips.values()
            if row["port_id"] in names
            if not any(t.startswith("multisite:") and ":floating-ip-" not in t for t in row["tags"])
        }

    def subports(self) -> dict[str, Row]:
        return {row["name"]: self._port(row, "") | {"device_tag": None} for row in self._subports.values()}

    def trunks(self) -> dict[str, Row]:
        return {row["name"]: self._trunk(row) for row in self._trunks}

    def _trunk(self, row: Row) -> Row:
        subports = sorted(row["sub_ports"], key=lambda one: one["segmentation_id"])
        return {
            "name": row["name"],
            "description": row["description"],
            "enabled": row["admin_state_up"],
            "port_id": self._every[row["port_id"]]["name"],
            "subports": [one | {"port_id": self._every[one["port_id"]]["name"]} for one in subports],
            "tags": _tags(row),
        }

    def used_groups(self) -> list[Row]:
        """Those of the ports, and those that their rules refer to."""
        used: set[str] = set()
        ports = [*self._ports.values(), *self._subports.values(), *self._without_device]
        wanted = {g for p in ports for g in p["security_groups"]}
        while wanted:
            used |= wanted
            rules = [r for g in wanted for r in self._groups[g]["security_group_rules"]]
            wanted = {r["remote_group_id"] for r in rules if r["remote_group_id"]} - used
        return [self._groups[g] for g in sorted(used)]

    def server(self, row: Row) -> Row:
        flavor = row["flavor"]
        return {
            "name": row["name"],
            "flavor": {
                "name": flavor["original_name"],
                "vcpus": flavor["vcpus"],
                "memory_mib": flavor["ram"],
                "disk_gib": flavor["disk"],
                "ephemeral_gib": flavor["ephemeral"],
                "swap_mib": flavor["swap"],
                "extra_specs": flavor["extra_specs"],
                "description": self._flavors.get(flavor["original_name"], ""),
            },
            "port_ids": self._nics(row),
            "volume_ids": self._disks(row),
            "metadata": {k: v for k, v in row["metadata"].items() if k not in _OURS},
            "tags": sorted(row["tags"]),
            "description": row["description"],
            "hostname": row["OS-EXT-SRV-ATTR:hostname"],
            "key_name": row["key_name"],
            "availability_zone": row["pinned_availability_zone"],
            "config_drive": bool(row["config_drive"]),
            "user_data": row["OS-EXT-SRV-ATTR:user_data"],
            "server_group_id": self._server_group(row["id"]),
            "locked": row["locked"],
            "locked_reason": row["locked_reason"],
            "root_device": row["OS-EXT-SRV-ATTR:root_device_name"],
            "stopped": row["status"] == "SHUTOFF",
        }

    def _nics(self, server: Row) -> list[Row]:
        """In the hypervisor's order; of one that is shut off it has none, and no two networks are of one name."""
        server_id, hostname = server["id"], server["OS-EXT-SRV-ATTR:hostname"]
        seen = [nic["OS-EXT-IPS-MAC:mac_addr"] for net in server["addresses"].values() for nic in net]
        if server["status"] != "SHUTOFF":
            path = f"/servers/{server_id}/diagnostics"
            nics = ask(self._site.compute, "GET", path, None, NOVA)["nic_details"]
            seen = [nic["mac_address"] for nic in nics]
        own = [row for row in self._ports.values() if row["device_id"] == server_id]
        path = f"/servers/{server_id}/os-interface"
        plugged = ask(self._site.compute, "GET", path, None, NOVA)["interfaceAttachments"]
        tags = {row["port_id"]: {"device_tag": row["tag"]} for row in plugged}
        in_order = sorted(own, key=lambda row: seen.index(row["mac_address"]))
        return [self._port(row, hostname) | tags[row["id"]] for row in in_order]

    def _port(self, row: Row, hostname: str) -> Row:
        addresses = [[self._subnets[a["subnet_id"]]["cidr"], a["ip_address"]] for a in row["fixed_ips"]]
        return {
            "name": row["name"],
            "network_id": self.names[row["network_id"]],
            "mac_address": row["mac_address"],
            "fixed_addresses": addresses,
            "security_group_ids": sorted(self._groups[g]["name"] for g in row["security_groups"]),
            "port_security_enabled": row["port_security_enabled"],
            "allowed_address_pairs": row["allowed_address_pairs"],
            "vnic_type": row["binding:vnic_type"],
            "description": row["description"],
            "enabled": row["admin_state_up"],
            "dhcp_options": row["extra_dhcp_opts"],
            "binding_profile": row["binding:profile"],
            "dns_name": "" if row["dns_name"] == hostname else row["dns_name"],
            "dns_domain": row["dns_domain"],
            "tags": _tags(row),
            "qos_policy_id": self._policies.get(row.get("qos_policy_id") or ""),
        }

    def _disks(self, server: Row) -> list[Row]:
        path = f"/servers/{server['id']}/os-volume_attachments"
        attached = ask(self._site.compute, "GET", path, None, NOVA)["volumeAttachments"]
        in_order = sorted(attached, key=lambda a: (len(a["device"]), a["device"]))
        return [self._volume(self._volumes[a["volumeId"]], a) for a in in_order]

    def _volume(self, row: Row, attachment: Row) -> Row:
        return {
            "name": row["name"],
            "size_gib": row["size"],
            "volume_type": row["volume_type"],
            "bootable": row["bootable"] == "true",
            "device": attachment["device"],
            "metadata": {k: v for k, v in row["metadata"].items() if k not in (*_OURS, *_CINDERS_OWN)},
            "image_metadata": row.get("volume_image_metadata", {}),
            "delete_on_termination": attachment["delete_on_termination"],
            "description": row["description"] or "",
            "availability_zone": row["availability_zone"],
            "read_only": row["metadata"].get("readonly") == "True",
            "device_tag": attachment["tag"],
            "encrypted_type_id": self._types[row["volume_type"]] if row["encrypted"] else None,
        }

    def _server_group(self, server_id: str) -> Row | None:
        for row in self._server_groups:
            if server_id in row["members"]:
                return {"name": row["name"].split(_SUFFIX)[0], "policy": row["policy"]}
        return None

    def network(self, row: Row) -> Row:
        subnets = [s for s in self._subnets.values() if s["network_id"] == row["id"]]
        return {
            "name": row["name"],
            "mtu": row["mtu"],
            "port_security_enabled": row["port_security_enabled"],
            "description": row["description"],
            "shared": row["shared"],
            "external": row["router:external"],
            "dns_domain": row["dns_domain"],
            "tags": _tags(row),
            "qos_policy_id": self._policies.get(row.get("qos_policy_id") or ""),
            "provider": _provider(row),
            "subnets": {s["cidr"]: _subnet(s) for s in subnets},
        }

    def group(self, row: Row) -> Row:
        names = {group_id: group["name"] for group_id, group in self._groups.items()}
        rules = [_rule(rule, names) for rule in row["security_group_rules"]]
        same = {key: row[key] for key in ("name", "description", "stateful")}
        return {**same, "rules": sorted(rules, key=repr), "tags": _tags(row)}


def _described(flavor: Row) -> str:
    """A token is no description."""
    found = str(flavor["description"] or "")
    return "" if found.startswith("multisite:") else found


def _provider(row: Row) -> Row:
    """Of what is no overlay."""
    physical = row["provider:network_type"] in ("vlan", "flat")
    return {k: v for k, v in row.items() if physical and k.startswith("provider:") and v is not None}


def _tags(row: Row) -> list[str]:
    """Sorted: Neutron keeps no order of them."""
    return sorted(tag for tag in row["tags"] if not tag.startswith("multisite:"))


def _subnet(row: Row) -> Row:
    same = ("name", "cidr", "ip_version", "allocation_pools", "dns_nameservers", "host_routes",
            "ipv6_address_mode", "ipv6_ra_mode", "description", "dns_publish_fixed_ip")  # fmt: skip
    return {
        **{key: row[key] for key in same},
        "gateway_address": row["gateway_ip"],
        "dhcp": row["enable_dhcp"],
        "tags": _tags(row),
    }


def _rule(row: Row, names: dict[str, str]) -> Row:
    return {
        "direction": row["direction"],
        "ethertype": row["ethertype"],
        "protocol": row["protocol"],
        "port_min": row["port_range_min"],
        "port_max": row["port_range_max"],
        "remote_address": row["remote_ip_prefix"],
        "remote_group_id": names.get(row["remote_group_id"] or ""),
        "description": row["description"],
    }
