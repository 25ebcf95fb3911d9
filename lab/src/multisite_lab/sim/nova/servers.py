"""Nova: servers, from request to running to gone (Compute API reference; nova/compute/api.py, manager.py)."""

from __future__ import annotations

import re
from functools import partial

from multisite_lab.sim import guest, quotas
from multisite_lab.sim.cinder.volumes import attach, detach
from multisite_lab.sim.content import Content
from multisite_lab.sim.model import Disk, LocalDisk, Row, Server, Sim, new_id
from multisite_lab.sim.neutron import trunks
from multisite_lab.sim.nova import resources, scheduling, views
from multisite_lab.sim.wire import Answer, Ask, Route, fault, ok, page, refuse_keys, required

_METADATA_KEY = r"[a-zA-Z0-9\-_:. ]{1,255}"
"""nova/api/validation/parameter_types.py"""
STAGES = ("scheduling", "block_device_mapping", "networking", "spawning")


def find(sim: Sim, server_id: str, ask: Ask) -> Server:
    """404 also for one of another project, unless an administrator asks."""
    server = sim.state.servers.get(server_id)
    if server is None or not (ask.account.is_admin or server.project_id == ask.account.project_id):
        raise fault(404, f"Instance {server_id} could not be found.")
    return server


def listing(sim: Sim, ask: Ask) -> Answer:
    """``all_tenants``, ``project_id`` and ``flavor`` for administrators; ``name`` and ``status`` for all."""
    rows = list(sim.state.servers.values())
    every = ask.account.is_admin and ask.one("all_tenants") in ("1", "True", "true")
    project = ask.one("project_id") if every else ask.account.project_id
    rows = [s for s in rows if project in (None, s.project_id)]
    if (name := ask.one("name")) is not None:
        rows = [s for s in rows if name in s.name]
    if (flavor := ask.one("flavor")) is not None:
        rows = [s for s in rows if s.flavor["id"] == flavor]
    if (status := ask.one("status")) is not None:
        rows = [s for s in rows if s.status == status.upper()]
    return page(ask, "servers", [views.server(sim, s, ask) for s in rows], sim.settings.page)


def show(sim: Sim, ask: Ask) -> Answer:
    return ok({"server": views.server(sim, find(sim, ask.ids["id"], ask), ask)})


def create(sim: Sim, ask: Ask) -> Answer:
    """202; all that can be refused at once is refused here, the rest ends as ERROR."""
    wanted = required(ask.body, "server")
    name, server_id = _named(wanted), new_id()
    hostname = _hostname(ask, wanted, server_id)
    flavor = _flavor(sim, ask, wanted)
    image = _image(sim, wanted)
    volumes = _volumes(sim, ask, wanted, flavor, image)
    zone = wanted.get("availability_zone")
    _refuse_zones(sim, zone, volumes)
    key = wanted.get("key_name")
    if key is not None and (ask.account.user_id, key) not in sim.state.keypairs:
        raise fault(400, "Invalid key_name provided.")
    ports = _ports(sim, ask, wanted, hostname)
    group_id = _group(sim, ask)
    _refuse_beyond_quotas(sim, ask, wanted, flavor, group_id)
    server = Server(
        id=server_id,
        name=name,
        project_id=ask.account.project_id,
        user_id=ask.account.user_id,
        created_at=sim.now,
        flavor=dict(flavor),
        metadata=dict(wanted.get("metadata") or {}),
        tags=list(wanted.get("tags") or []),
        description=wanted.get("description"),
        hostname=hostname,
        key_name=key,
        user_data=wanted.get("user_data"),
        availability_zone=zone or "nova",
        config_drive=bool(wanted.get("config_drive")),
        disks=volumes,
        ports=ports,
        group_id=group_id,
        nic_tags=_nic_tags(wanted),
        pinned_zone=zone,
        **_boots_from(sim, image, volumes),
    )
    return _accepted(sim, server)


def _named(wanted: Row) -> str:
    """The name, of a request that is as Nova's schema wants it."""
    name = wanted.get("name")
    if not isinstance(name, str) or not 1 <= len(name) <= 255:
        said = "Invalid input for field/attribute name."
        raise fault(400, f"{said} Value: {name}. '{name}' is too short or long")
    refuse_keys(wanted.get("metadata"), "metadata", _METADATA_KEY)
    return name


def _accepted(sim: Sim, server: Server) -> Answer:
    sim.state.servers[server.id] = server
    _build(sim, server)
    shown = {"id": server.id, "links": [], "OS-DCF:diskConfig": "MANUAL", "security_groups": []}
    return ok({"server": shown}, 202)


def _refuse_zones(sim: Sim, zone: str | None, disks: list[Disk]) -> None:
    """nova/compute/api.py, ``_validate_vol_az_for_create``, and the zone itself."""
    if zone is not None and zone not in resources.hosts(sim).values():
        raise fault(400, "The requested availability zone is not available")
    zones = {sim.state.volumes[disk.volume_id].availability_zone for disk in disks}
    if not sim.settings.cross_az_attach and (len(zones) > 1 or zone not in {None, *zones}):
        said = f"Server and volumes are not in the same availability zone. Server is in: {zone}."
        raise fault(400, f"{said} Volumes are in: {','.join(sorted(zones))}")


def _refuse_beyond_quotas(sim: Sim, ask: Ask, wanted: Row, flavor: Row, group_id: str | None) -> None:
    quotas.refuse_beyond(sim, "metadata_items", len(wanted.get("metadata") or {}))
    if group_id is not None:
        quotas.refuse_beyond(sim, "server_group_members", _members(sim, group_id, ask.account.user_id) + 1)
    quotas.refuse_nova(sim, ask, instances=1, cores=flavor["vcpus"], ram=flavor["ram"])


def _flavor(sim: Sim, ask: Ask, wanted: Row) -> Row:
    """Refused when it names PCI devices by aliases that nova.conf does not have (nova/pci/request.py)."""
    flavor = sim.state.flavors.get(str(wanted.get("flavorRef")))
    if flavor is None or not resources.usable(ask, flavor):
        raise fault(400, f"Flavor {wanted.get('flavorRef')} could not be found.")
    aliases = flavor.get("extra_specs", {}).get("pci_passthrough:alias", "")
    for alias in filter(None, aliases.split(",")):
        name = alias.partition(":")[0].strip()
        if name not in sim.settings.pci_aliases:
            raise fault(400, f"PCI alias {name} is not defined")
    return flavor


def _build(sim: Sim, server: Server) -> None:
    _take(sim, server)
    for number, stage in enumerate(STAGES[1:], start=1):
        seconds = sim.settings.build_server * number / len(STAGES)
        sim.after(seconds, partial(_stage, sim, server.id, stage))
    sim.after(sim.settings.build_server, lambda: _built(sim, server.id))


def _image(sim: Sim, wanted: Row) -> Row | None:
    """The image whose copy on the host is its root disk; None: it boots from a volume."""
    if not (image_id := wanted.get("imageRef")):
        return None
    image = sim.state.images.get(str(image_id))
    if image is None:
        raise fault(400, f"Image {image_id} could not be found.")
    return image


def _boots_from(sim: Sim, image: Row | None, disks: list[Disk]) -> Row:
    """Fields of a server: its local disk, and of its image what Nova keeps (``get_system_metadata_from_image``)."""
    source = image or sim.state.volumes[disks[0].volume_id].image_metadata
    kept = {k: str(v) for k, v in source.items() if k.startswith(("hw_", "os_"))}
    if image is None:
        return {"image_properties": kept}
    return {"image": image["id"], "local": LocalDisk(Content(image=image["id"])), "image_properties": kept}


def _volumes(sim: Sim, ask: Ask, wanted: Row, flavor: Row, image: Row | None) -> list[Disk]:
    """Device names in the order of the list, behind the flavor's own disks: libvirt drops names that are asked for."""
    between = bool(flavor["OS-FLV-EXT-DATA:ephemeral"]) + bool(flavor["swap"])
    mappings = wanted.get("block_device_mapping_v2") or []
    if image is not None:
        mappings = [m for m in mappings if m.get("source_type") != "image"]
    elif not mappings:
        raise fault(400, "Block Device Mapping is Invalid: Boot sequence for the instance is not valid.")
    disks = []
    local = int(image is not None)
    for number, mapping in enumerate(sorted(mappings, key=lambda m: m.get("boot_index") != 0), start=local):
        volume_id = str(mapping.get("uuid"))
        volume = sim.state.volumes.get(volume_id)
        if volume is None or volume.project_id != ask.account.project_id:
            raise fault(400, f"Block Device Mapping is Invalid: failed to get volume {volume_id}.")
        if number == 0 and not volume.bootable:
            raise fault(400, f"Block Device {volume_id} is not bootable.")
        if volume.status != "available":
            raise fault(
                400,
                f"Invalid volume: Volume {volume_id} status must be available or downloading to reserve, "
                f"but the current status is {volume.status}.",
            )
        keep = not mapping.get("delete_on_termination")
        device = f"/dev/vd{chr(ord('a') + (number and number + between))}"
        disks.append(Disk(volume_id, device, not keep, new_id(), mapping.get("tag")))
    return disks


def _networks(wanted: Row) -> list[Row]:
    networks = wanted.get("networks")
    return [] if networks in (None, "auto", "none") else list(networks or [])


def _nic_tags(wanted: Row) -> dict[str, str]:
    return {str(one["port"]): one["tag"] for one in _networks(wanted) if one.get("tag")}


def _hostname(ask: Ask, wanted: Row, server_id: str) -> str:
    """What was asked for, from 2.90 on (2.94: with dots), or what is made of the name (nova/utils.py)."""
    if "hostname" in wanted:
        if ask.version < (2, 90):
            said = "Additional properties are not allowed ('hostname' was unexpected)"
            raise fault(400, f"Invalid input for field/attribute server. {said}")
        name = str(wanted["hostname"])
        plain, full = r"[a-zA-Z0-9]+[a-zA-Z0-9-]*[a-zA-Z0-9]+", r"[a-zA-Z0-9-._]{1,255}"
        if not re.fullmatch(full if ask.version >= (2, 94) else plain, name) or (
            ask.version < (2, 94) and len(name) > 63
        ):
            raise fault(
                400, f"Invalid input for field/attribute hostname. Value: {name}. '{name}' is not valid"
            )
        return name
    name = str(wanted["name"]).encode("latin-1", "ignore").decode("latin-1")[:63]
    name = re.sub(r"[^\w.-]+", "", re.sub(r"[ _.]", "-", name)).lower().strip(".-")
    return name or f"Server-{server_id}"


def _refuse_dns_names(sim: Sim, ports: list[str], hostname: str) -> None:
    """A port's DNS name is its server's host name (nova/network/neutron.py, PortNotUsableDNS)."""
    for port_id in ports:
        name = sim.state.ports[port_id].get("dns_name")
        if name and name != hostname:
            said = (
                f"Value {name} assigned to dns_name attribute does not match instance's hostname {hostname}"
            )
            raise fault(400, f"Port {port_id} not usable for instance. {said}")


def _ports(sim: Sim, ask: Ask, wanted: Row, hostname: str) -> list[str]:
    found = []
    for one in _networks(wanted):
        port_id = str(one.get("port"))
        port = sim.state.ports.get(port_id)
        if port is None or port["project_id"] != ask.account.project_id:
            raise fault(400, f"Port id {port_id} could not be found.")
        if port["device_id"]:
            raise fault(409, f"Port {port_id} is still in use.")
        found.append(port_id)
    _refuse_dns_names(sim, found, hostname)
    return found


def _group(sim: Sim, ask: Ask) -> str | None:
    hints = ask.body.get("os:scheduler_hints") or ask.body.get("OS-SCH-HNT:scheduler_hints") or {}
    group_id = hints.get("group")
    if group_id is not None and group_id not in sim.state.server_groups:
        raise fault(400, f"Instance group {group_id} could not be found.")
    return None if group_id is None else str(group_id)


def _members(sim: Sim, group_id: str, user_id: str) -> int:
    """The user's, of those that are there."""
    members = map(sim.state.servers.get, sim.state.server_groups[group_id]["members"])
    return sum(member is not None and member.user_id == user_id for member in members)


def _take(sim: Sim, server: Server) -> None:
    """Reserve its volumes and ports, join its group."""
    for disk in server.disks:
        attach(sim.state.volumes[disk.volume_id], server.id, disk.device, disk.attachment_id, sim.now)
    for port_id in server.ports:
        port = sim.state.ports[port_id]
        port |= {"device_id": server.id, "device_owner": "compute:nova", "status": "BUILD"}
        if "dns_name" in port:
            port["dns_name"] = server.hostname
    if server.group_id is not None:
        sim.state.server_groups[server.group_id]["members"].append(server.id)


def _stage(sim: Sim, server_id: str, stage: str) -> None:
    server = sim.state.servers.get(server_id)
    if server is not None and server.status == "BUILD" and server.task_state != "deleting":
        server.task_state = stage


def _is_sriov(sim: Sim, port_id: str) -> bool:
    """The scheduler then wants a host with a NIC for it (nova/network/model.py, VNIC_TYPES_SRIOV)."""
    kind = sim.state.ports.get(port_id, {}).get("binding:vnic_type")
    return kind in ("direct", "direct-physical", "macvtap", "virtio-forwarder", "vdpa", "remote-managed")


def _built(sim: Sim, server_id: str) -> None:
    server = sim.state.servers.get(server_id)
    if server is None or server.status != "BUILD" or server.task_state == "deleting":
        return
    if not sim.settings.sriov and any(_is_sriov(sim, port) for port in server.ports):
        server.status, server.task_state = "ERROR", None
        server.fault = "No valid host was found. There are not enough hosts available."
        return
    lost = [d.volume_id for d in server.disks if d.volume_id not in sim.state.volumes]
    lost += [p for p in server.ports if p not in sim.state.ports]
    # Nobody says that such a port is plugged, which Nova waits for (vif_plugging_is_fatal).
    closed = [p for p in server.ports if p not in lost and not sim.state.ports[p]["admin_state_up"]]
    if closed:
        server.status, server.task_state = "ERROR", None
        server.fault = "Failed to allocate the network(s), not rescheduling."
        return
    server.host = scheduling.choose(sim, server) or ""
    if not server.host:
        server.status, server.task_state = "ERROR", None
        server.fault = "No valid host was found. "
        return
    server.availability_zone = resources.hosts(sim)[server.host]
    if lost:
        server.status, server.task_state = "ERROR", None
        server.fault = f"Build of instance {server_id} aborted: {lost[0]} could not be found."
        return
    for disk in server.disks:
        sim.state.volumes[disk.volume_id].status = "in-use"
    start(sim, server)


def start(sim: Sim, server: Server) -> None:
    """Power on: its ports come up with it, its guest a little later."""
    server.status, server.task_state = "ACTIVE", None
    for port_id in server.ports:
        if (port := sim.state.ports.get(port_id)) is not None:
            port |= {"status": "ACTIVE" if port["admin_state_up"] else "DOWN", "binding:host_id": server.host}
            trunks.bind_subports(sim, port)
    sim.after(sim.settings.boot, lambda: guest.boot(sim, server))


def stop(sim: Sim, server: Server) -> None:
    guest.go_on(sim, server)
    guest.flush(sim, server)
    server.status, server.task_state, server.guest = "SHUTOFF", None, None
    server.freeze.state = "thawed"
    for port_id in server.ports:
        if (port := sim.state.ports.get(port_id)) is not None:
            port["status"] = "DOWN"


def delete(sim: Sim, ask: Ask) -> Answer:
    """204; it is there, "deleting", until it is gone.  A locked one is only an administrator's to delete."""
    server = find(sim, ask.ids["id"], ask)
    if server.locked and not ask.account.is_admin:
        raise fault(409, f"Instance {server.id} is locked")
    server.task_state = "deleting"
    sim.after(sim.settings.delete_server, lambda: _deleted(sim, server.id))
    return Answer(204)


def _deleted(sim: Sim, server_id: str) -> None:
    server = sim.state.servers.get(server_id)
    if server is None:
        return
    guest.flush(sim, server)
    del sim.state.servers[server_id]
    for disk in server.disks:
        volume = sim.state.volumes.get(disk.volume_id)
        if volume is not None and volume.server_id == server_id:
            detach(volume, sim.now)
            if disk.delete_on_termination:
                del sim.state.volumes[volume.id]
    for port_id in server.ports:
        if (port := sim.state.ports.get(port_id)) is not None:
            port |= {"device_id": "", "device_owner": "", "status": "DOWN", "binding:host_id": ""}
    for group in sim.state.server_groups.values():
        if server_id in group["members"]:
            group["members"].remove(server_id)


ROUTES = (
    Route("GET", "/servers/detail", listing),
    Route("GET", "/servers", listing),
    Route("POST", "/servers", create),
    Route("GET", "/servers/{id}", show),
    Route("DELETE", "/servers/{id}", delete),
)
