"""Nova: what is done with a server: its actions, its volumes, its diagnostics (Compute API reference)."""

from __future__ import annotations

from multisite_lab.sim import guest
from multisite_lab.sim.cinder.volumes import detach
from multisite_lab.sim.clock import nova_time
from multisite_lab.sim.model import Row, Server, Sim
from multisite_lab.sim.nova.images import create_image
from multisite_lab.sim.nova.quiesce import ACTIONS as QUIESCE
from multisite_lab.sim.nova.servers import find, start, stop
from multisite_lab.sim.wire import Answer, Ask, Route, fault, ok, required


def action(sim: Sim, ask: Ask) -> Answer:
    """The filter looks first, as in nova-api's pipeline; what Nova itself accepts is noted."""
    body: Row = ask.body if isinstance(ask.body, dict) else {}
    if ours := sorted(body.keys() & QUIESCE.keys()):
        if len(body) > 1:
            raise fault(400, f"Invalid input for field '{ours[0]}': must be the only action in the request")
        return QUIESCE[ours[0]](sim, ask, body[ours[0]])
    server = find(sim, ask.ids["id"], ask)
    name = next(iter(body), "")
    if name == "os-getConsoleOutput":
        return console(sim, server, body[name] or {})
    answer = _done(sim, ask, server, name, body)
    note(sim, ask, server, name.removeprefix("os-"))
    return answer


def note(sim: Sim, ask: Ask, server: Server, name: str) -> None:
    """nova/compute/instance_actions.py: a row for each action that was accepted."""
    server.actions.insert(0, {
        "action": name, "instance_uuid": server.id, "message": None, "project_id": ask.account.project_id,
        "request_id": ask.request_id, "start_time": nova_time(sim.now).replace("Z", ".000000"),
        "updated_at": nova_time(sim.now).replace("Z", ".000000"), "user_id": ask.account.user_id,
    })  # fmt: skip


def instance_actions(sim: Sim, ask: Ask) -> Answer:
    """Newest first."""
    return ok({"instanceActions": find(sim, ask.ids["id"], ask).actions})


def _done(sim: Sim, ask: Ask, server: Server, name: str, body: Row) -> Answer:
    if name == "createImage":
        return create_image(sim, ask, server, body[name])
    if name in ("lock", "unlock"):
        server.locked = name == "lock"
        server.locked_reason = (body[name] or {}).get("locked_reason") if server.locked else None
        return Answer(202)
    if name in ("os-stop", "os-start") and server.locked and not ask.account.is_admin:
        raise fault(409, f"Instance {server.id} is locked")
    if name == "os-stop":
        _refuse(server, "stop", "ACTIVE")
        stop(sim, server)
        return Answer(202)
    if name == "os-start":
        _refuse(server, "start", "SHUTOFF")
        start(sim, server)
        return Answer(202)
    if name == "reboot":
        return reboot(sim, server, body[name]["type"])
    raise fault(400, f"There is no such action: {name}")


def reboot(sim: Sim, server: Server, how: str) -> Answer:
    """SOFT only of an active one (nova/compute/api.py, reboot); REBOOT until its guest begins to boot."""
    if how == "SOFT":
        _refuse(server, "reboot", "ACTIVE")
    stop(sim, server)
    server.status = "REBOOT" if how == "SOFT" else "HARD_REBOOT"
    sim.after(sim.settings.boot, lambda: start(sim, server))
    return Answer(202)


def set_metadata(sim: Sim, ask: Ask) -> Answer:
    """These items; the others stay."""
    server = find(sim, ask.ids["id"], ask)
    server.metadata |= required(ask.body, "metadata")
    return ok({"metadata": dict(server.metadata)})


def add_tag(sim: Sim, ask: Ask) -> Answer:
    """201 for a new one, 204 for one that is there."""
    server, tag = find(sim, ask.ids["id"], ask), ask.ids["tag"]
    if tag in server.tags:
        return Answer(204)
    server.tags.append(tag)
    return Answer(201)


def _refuse(server: Server, word: str, needed: str) -> None:
    if server.status != needed:
        said = f"Cannot '{word}' instance {server.id} while it is in vm_state {server.status.lower()}"
        raise fault(409, said)


def console(sim: Sim, server: Server, options: Row) -> Answer:
    """409 before there is one (console_output.py: InstanceNotReady)."""
    if server.status == "BUILD":
        raise fault(409, f"Instance {server.id} is not ready")
    guest.tell(sim, server)
    lines, length = server.console, options.get("length")
    shown = lines[-int(length) :] if length not in (None, -1) else lines
    return ok({"output": "".join(f"{line}\n" for line in shown)})


def attachments(sim: Sim, ask: Ask) -> Answer:
    """From 2.79 with ``delete_on_termination``; 2.89 replaced ``id`` by ``attachment_id``."""
    server = find(sim, ask.ids["id"], ask)
    return ok({"volumeAttachments": _attachments(server, ask)})


def attachment(sim: Sim, ask: Ask) -> Answer:
    """One of them."""
    server = find(sim, ask.ids["id"], ask)
    return _one("volumeAttachment", _attachments(server, ask), "volumeId", ask.ids["volume"])


def _attachments(server: Server, ask: Ask) -> list[Row]:
    rows = []
    for disk in server.disks:
        row: Row = {"volumeId": disk.volume_id, "serverId": server.id, "device": disk.device}
        if ask.version >= (2, 70):
            row["tag"] = disk.tag
        if ask.version >= (2, 79):
            row["delete_on_termination"] = disk.delete_on_termination
        if ask.version >= (2, 89):
            row |= {"attachment_id": disk.attachment_id, "bdm_uuid": disk.attachment_id}
        else:
            row["id"] = disk.volume_id
        rows.append(row)
    return rows


def interfaces(sim: Sim, ask: Ask) -> Answer:
    """Tags from 2.70.  In the order in which Neutron lists ports, which is not that of the NICs."""
    return ok({"interfaceAttachments": _interfaces(sim, find(sim, ask.ids["id"], ask), ask)})


def interface(sim: Sim, ask: Ask) -> Answer:
    """One of them."""
    found = _interfaces(sim, find(sim, ask.ids["id"], ask), ask)
    return _one("interfaceAttachment", found, "port_id", ask.ids["port"])


def _interfaces(sim: Sim, server: Server, ask: Ask) -> list[Row]:
    rows = []
    for port_id in sorted(server.ports):
        if (port := sim.state.ports.get(port_id)) is None:
            continue
        row = {"net_id": port["network_id"], "port_id": port_id, "mac_addr": port["mac_address"]}
        row |= {"port_state": port["status"], "fixed_ips": [dict(ip) for ip in port["fixed_ips"]]}
        if ask.version >= (2, 70):
            row["tag"] = server.nic_tags.get(port_id)
        rows.append(row)
    return rows


def _one(key: str, rows: list[Row], id: str, wanted: str) -> Answer:
    for row in rows:
        if row[id] == wanted:
            return ok({key: row})
    raise fault(404, f"Instance has no {key} {wanted}")


def update_attachment(sim: Sim, ask: Ask) -> Answer:
    """2.85: whether the volume goes with its server.  To swap volumes is not offered here."""
    server, wanted = find(sim, ask.ids["id"], ask), required(ask.body, "volumeAttachment")
    for disk in server.disks:
        if disk.volume_id == ask.ids["volume"]:
            disk.delete_on_termination = bool(wanted.get("delete_on_termination"))
            return Answer(202)
    said = f"Instance {server.id} is not attached to volume {ask.ids['volume']}"
    raise fault(404, said)


def detach_volume(sim: Sim, ask: Ask) -> Answer:
    """202; the other disks keep their device names.  The root's stays while the server is not gone."""
    server = find(sim, ask.ids["id"], ask)
    for disk in server.disks if server.local else server.disks[1:]:
        if disk.volume_id == ask.ids["volume"]:
            server.disks.remove(disk)
            detach(sim.state.volumes[disk.volume_id], sim.now)
            return Answer(202)
    said = f"Instance {server.id} is not attached to volume {ask.ids['volume']}"
    raise fault(404, said)


def diagnostics(sim: Sim, ask: Ask) -> Answer:
    """For administrators, of running servers; from 2.48 the same from all hypervisors."""
    server = find(sim, ask.ids["id"], ask)
    if not ask.account.is_admin:
        raise fault(403, "Policy doesn't allow os_compute_api:os-server-diagnostics to be performed.")
    if server.status != "ACTIVE":
        raise fault(409, f"Cannot 'get_diagnostics' instance {server.id} while it is in power_state shutdown")
    macs = [sim.state.ports[p]["mac_address"] for p in server.ports if p in sim.state.ports]
    return ok({"state": "running", "nic_details": [{"mac_address": mac} for mac in macs]})


ROUTES = (
    Route("POST", "/servers/{id}/action", action),
    Route("POST", "/servers/{id}/metadata", set_metadata),
    Route("PUT", "/servers/{id}/tags/{tag}", add_tag),
    Route("GET", "/servers/{id}/os-volume_attachments", attachments),
    Route("GET", "/servers/{id}/os-volume_attachments/{volume}", attachment),
    Route("GET", "/servers/{id}/os-interface", interfaces),
    Route("GET", "/servers/{id}/os-interface/{port}", interface),
    Route("PUT", "/servers/{id}/os-volume_attachments/{volume}", update_attachment),
    Route("DELETE", "/servers/{id}/os-volume_attachments/{volume}", detach_volume),
    Route("GET", "/servers/{id}/diagnostics", diagnostics),
    Route("GET", "/servers/{id}/os-instance-actions", instance_actions),
)
