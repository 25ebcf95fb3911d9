"""Nova: how a server is shown, by microversion (nova/api/openstack/compute/views/servers.py)."""

from __future__ import annotations

from multisite_lab.sim.clock import nova_time
from multisite_lab.sim.model import Row, Server, Sim
from multisite_lab.sim.wire import Ask

VM_STATES = {"ACTIVE": "active", "SHUTOFF": "stopped", "BUILD": "building", "ERROR": "error"}


def server(sim: Sim, found: Server, ask: Ask) -> Row:
    """Everything Multisite reads; user data and host names for administrators (host name: all, from 2.90)."""
    row: Row = {
        "id": found.id,
        "name": found.name,
        "status": found.status,
        "tenant_id": found.project_id,
        "user_id": found.user_id,
        "metadata": dict(found.metadata),
        "hostId": "",
        "image": {"id": found.image, "links": []} if found.image else "",
        "flavor": flavor_of(found, ask),
        "created": nova_time(found.created_at),
        "updated": nova_time(found.created_at),
        "OS-SRV-USG:launched_at": None if found.status == "BUILD" else nova_time(found.created_at),
        "OS-SRV-USG:terminated_at": None,
        "addresses": {} if found.status == "BUILD" else addresses(sim, found),
        "accessIPv4": "",
        "accessIPv6": "",
        "links": [{"rel": "self", "href": f"{ask.base}/servers/{found.id}"}],
        "OS-DCF:diskConfig": "MANUAL",
        "OS-EXT-AZ:availability_zone": "" if found.status == "BUILD" else found.availability_zone,
        "OS-EXT-STS:task_state": found.task_state,
        "OS-EXT-STS:vm_state": VM_STATES.get(found.status, "active"),
        "OS-EXT-STS:power_state": 1 if found.status == "ACTIVE" else 0,
        "config_drive": "True" if found.config_drive else "",
        "key_name": found.key_name,
        "security_groups": _groups(sim, found),
        "os-extended-volumes:volumes_attached": [
            {"id": disk.volume_id, "delete_on_termination": disk.delete_on_termination}
            for disk in found.disks
        ],
    }
    return row | _by_version(sim, found, ask) | found.more


def _groups(sim: Sim, found: Server) -> list[Row]:
    """Names of its ports' security groups."""
    ports = [sim.state.ports[port] for port in found.ports if port in sim.state.ports]
    ids = {group for port in ports for group in port["security_groups"]}
    return [
        {"name": sim.state.security_groups[i]["name"]} for i in sorted(ids) if i in sim.state.security_groups
    ]


def _by_version(sim: Sim, found: Server, ask: Ask) -> Row:
    """What is shown to administrators, from a microversion on, or of a failure."""
    row: Row = {}
    if found.status in ("ACTIVE", "BUILD"):
        row["progress"] = 0
    if ask.version >= (2, 9):
        row["locked"] = found.locked
    if ask.version >= (2, 19):
        row["description"] = found.description
    if ask.version >= (2, 26):
        row["tags"] = list(found.tags)
    if ask.version >= (2, 63):
        row["trusted_image_certificates"] = None
    if ask.version >= (2, 73):
        row["locked_reason"] = found.locked_reason
    if ask.version >= (2, 96):
        row["pinned_availability_zone"] = found.pinned_zone
    if found.status == "ERROR":
        row["fault"] = {"code": 500, "message": found.fault or "unknown", "created": nova_time(sim.now)}
    if ask.version >= (2, 90) or (ask.account.is_admin and ask.version >= (2, 3)):
        row["OS-EXT-SRV-ATTR:hostname"] = found.hostname
    return row | (_for_administrators(found, ask) if ask.account.is_admin else {})


def _for_administrators(found: Server, ask: Ask) -> Row:
    row: Row = {
        "OS-EXT-SRV-ATTR:host": found.host or None,
        "OS-EXT-SRV-ATTR:hypervisor_hostname": found.host or None,
        "OS-EXT-SRV-ATTR:instance_name": f"instance-{found.id[:8]}",
    }
    if ask.version >= (2, 16):
        row["host_status"] = "UP"
    if ask.version >= (2, 3):
        row["OS-EXT-SRV-ATTR:user_data"] = found.user_data
        row["OS-EXT-SRV-ATTR:root_device_name"] = (
            "/dev/vda" if found.local else found.disks[0].device if found.disks else None
        )
        row["OS-EXT-SRV-ATTR:reservation_id"] = f"r-{found.id[:8]}"
        row["OS-EXT-SRV-ATTR:launch_index"] = 0
        row["OS-EXT-SRV-ATTR:kernel_id"] = row["OS-EXT-SRV-ATTR:ramdisk_id"] = ""
    return row


def flavor_of(found: Server, ask: Ask) -> Row:
    """Up to 2.46 the flavor's id; from 2.47 on what it was when the server was made, and no id."""
    own = found.flavor
    if ask.version < (2, 47):
        return {"id": own["id"], "links": []}
    return {
        "original_name": own["name"],
        "vcpus": own["vcpus"],
        "ram": own["ram"],
        "disk": own["disk"],
        "ephemeral": own["OS-FLV-EXT-DATA:ephemeral"],
        "swap": own["swap"] or 0,
        "extra_specs": dict(own["extra_specs"]),
    }


def addresses(sim: Sim, found: Server) -> Row:
    """By the networks' names, in the order of the NICs."""
    shown: dict[str, list[Row]] = {}
    for port_id in found.ports:
        port = sim.state.ports.get(port_id)
        if port is None:
            continue
        name = sim.state.networks[port["network_id"]]["name"]
        shown.setdefault(name, []).extend(
            {
                "addr": ip["ip_address"],
                "version": 6 if ":" in ip["ip_address"] else 4,
                "OS-EXT-IPS:type": "fixed",
                "OS-EXT-IPS-MAC:mac_addr": port["mac_address"],
            }
            for ip in port["fixed_ips"]
        )
    return shown
