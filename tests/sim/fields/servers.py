"""Servers, with their NICs and disks, as a site shows them."""

from __future__ import annotations

from multisite.clouds.connect import CloudSite
from tests.sim.deploy import NOVA, ask
from tests.sim.fields.listing import Listing, Row
from tests.sim.fields.networks import port

_OURS = ("multisite_token", "multisite_application", "multisite_epoch", "src_backup_id")
_CINDERS_OWN = ("readonly", "attached_mode")
_SUFFIX = "-ms-"
"""What a server group's name has behind it, which can carry a token nowhere else."""


def server(seen: Listing, row: Row) -> Row:
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
            "extra_specs": {k: v for k, v in flavor["extra_specs"].items() if not k.startswith("multisite")},
            "description": seen.flavors.get(flavor["original_name"], ""),
        },
        "port_ids": _nics(seen, row),
        "volume_ids": _disks(seen, row),
        "metadata": {k: v for k, v in row["metadata"].items() if k not in _OURS},
        "tags": sorted(row["tags"]),
        "description": row["description"],
        "hostname": row["OS-EXT-SRV-ATTR:hostname"],
        "key_name": row["key_name"],
        "availability_zone": row["pinned_availability_zone"],
        "config_drive": bool(row["config_drive"]),
        "user_data": row["OS-EXT-SRV-ATTR:user_data"],
        "server_group_id": _server_group(seen, row["id"]),
        "locked": row["locked"],
        "locked_reason": row["locked_reason"],
        "root_device": row["OS-EXT-SRV-ATTR:root_device_name"],
        "stopped": row["status"] == "SHUTOFF",
    }


def _nics(seen: Listing, server: Row) -> list[Row]:
    """In the hypervisor's order; of one that is shut off it has none, and no two networks are of one name."""
    server_id, hostname = server["id"], server["OS-EXT-SRV-ATTR:hostname"]
    macs = [nic["OS-EXT-IPS-MAC:mac_addr"] for net in server["addresses"].values() for nic in net]
    if server["status"] != "SHUTOFF":
        path = f"/servers/{server_id}/diagnostics"
        nics = ask(seen.site.compute, "GET", path, None, NOVA)["nic_details"]
        macs = [nic["mac_address"] for nic in nics]
    own = [row for row in seen.ports.values() if row["device_id"] == server_id]
    path = f"/servers/{server_id}/os-interface"
    plugged = ask(seen.site.compute, "GET", path, None, NOVA)["interfaceAttachments"]
    tags = {row["port_id"]: {"device_tag": row["tag"]} for row in plugged}
    in_order = sorted(own, key=lambda row: macs.index(row["mac_address"]))
    return [port(seen, row, hostname) | tags[row["id"]] for row in in_order]


def _disks(seen: Listing, server: Row) -> list[Row]:
    path = f"/servers/{server['id']}/os-volume_attachments"
    attached = ask(seen.site.compute, "GET", path, None, NOVA)["volumeAttachments"]
    in_order = sorted(attached, key=lambda a: (len(a["device"]), a["device"]))
    return [_volume(seen, seen.volumes[a["volumeId"]], a) for a in in_order]


def _volume(seen: Listing, row: Row, attachment: Row) -> Row:
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
        "encrypted_type_id": seen.types[row["volume_type"]] if row["encrypted"] else None,
    }


def _server_group(seen: Listing, server_id: str) -> Row | None:
    for row in seen.server_groups:
        if server_id in row["members"]:
            return {"name": row["name"].split(_SUFFIX)[0], "policy": row["policy"]}
    return None


def keypair(site: CloudSite, name: str) -> Row:
    row = ask(site.compute, "GET", f"/os-keypairs/{name}", None, NOVA)["keypair"]
    return {key: row[key] for key in ("name", "public_key", "type")}
