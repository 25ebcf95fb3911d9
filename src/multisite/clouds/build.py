"""Nova at the target: key pairs, server groups and servers, found or made (flavors: ``flavors``).

Key pairs carry no token: nothing can be written on them, and their name must be the source's.  A pair of the
same name with the same public key *is* the one wanted; whoever asks to remove it says which key it must hold.
``fresh`` says that nothing can carry the token yet, which saves looking.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from multisite.clouds import host_names, resources
from multisite.clouds.call import call, post, read_one
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import ConflictInSite, NotFoundInSite
from multisite.clouds.waiting import wait_gone, wait_until
from multisite.domain.manifest import KeypairRecord, ServerGroupRecord

Row = dict[str, Any]

# Pinned: 2.90 (Yoga) takes a host name and shows tags, description and devices as this code expects them.
_SERVERS = "2.90"
_ENDED_BADLY = ("ERROR", "DELETED")
_ERROR_POLLS = 30
"""A server seen so often in error, with nothing being done to it, is not being deleted."""


@dataclass(frozen=True)
class WantedServer:
    """A server to be made.  ``volume_ids``: boot volume first; ``port_ids``: first NIC first; all ids of the site.

    ``user_data`` is base64, as Nova takes it; ``device_tags`` by id of a volume or port.  Volumes outlive the server
    (``delete_with_server`` changes that later).
    """

    name: str
    flavor_id: str
    port_ids: Sequence[str]
    volume_ids: Sequence[str]
    key_name: str | None = None
    availability_zone: str | None = None
    server_group_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    tags: Sequence[str] = ()
    description: str | None = None
    hostname: str | None = None
    config_drive: bool = False
    user_data: str | None = None
    device_tags: Mapping[str, str] = field(default_factory=dict)


def ensure_keypair(site: CloudSite, record: KeypairRecord, name: str) -> bool:
    """Find or make a key pair; whether it was made.  ConflictInSite when the name holds another public key."""
    what, made = f"create key pair {name}", False
    if (found := resources.read_or_none(site, "keypair", name)) is None:
        body = {"keypair": {"name": name, "public_key": record.public_key, "type": record.type}}
        try:
            found = resources.look_again(
                lambda: resources.create(site, "keypair", body, what),
                lambda: resources.read_or_none(site, "keypair", name),
            )
            made = True
        except ConflictInSite:  # made by another meanwhile
            if (found := resources.read_or_none(site, "keypair", name)) is None:
                raise
    if found["public_key"].split()[:2] != record.public_key.split()[:2]:
        raise ConflictInSite(
            site.name, what, "there is one of this name with another public key", site_status=409
        )
    return made


def ensure_server_group(
    site: CloudSite, token: str, record: ServerGroupRecord, *, fresh: bool = False
) -> str:
    """Find or make a server group of the record's policy; its name gets a suffix, it can carry no token else."""
    fields = {"name": record.name, "policy": record.policy}
    return str(resources.ensure(site, "server_group", token, fields, fresh=fresh)["id"])


def ensure_server(
    site: CloudSite,
    token: str,
    wanted: WantedServer,
    *,
    timeout: float,
    on_poll: Callable[[str], object] | None = None,
    cancelled: Callable[[], bool] | None = None,
    fresh: bool = False,
) -> str:
    """Find or make the server of this token and wait until Nova says ACTIVE; returns its id.

    One that failed to build before is deleted and made anew: its ports and volumes stay.  Raises Failed with
    Nova's reason, TimedOut, Cancelled, and what ``call`` raises.
    """
    what = f"server {wanted.name}"
    for found in [] if fresh else resources.find(site, "server", token):
        if found.status in _ENDED_BADLY:
            remove_server(site, found.id, timeout)
    beside = {"os:scheduler_hints": {"group": wanted.server_group_id}} if wanted.server_group_id else {}
    fields = _server_fields(wanted)
    made = resources.ensure(
        site,
        "server",
        token,
        fields,
        fresh=fresh,
        beside=beside,
        usable=lambda row: row["status"] not in _ENDED_BADLY,
        microversion=host_names.version_for(wanted.hostname) if wanted.hostname else None,
    )
    made_id = str(made["id"])
    wait_until(
        lambda: read_server(site, made_id),
        done=("active",),
        failed=("error", "deleted", "soft_deleted", "shutoff"),
        timeout=timeout,
        what=what,
        on_poll=(lambda row: on_poll(_shown_state(row))) if on_poll else None,
        cancelled=cancelled,
        site=site.name,
    )
    return made_id


def _server_fields(wanted: WantedServer) -> Row:
    # The hypervisor names disks in the order of this list (libvirt drops device names that are asked for), so
    # the boot volume is vda and the second vdb already at the first boot.
    disks = [
        {
            "uuid": volume_id,
            "source_type": "volume",
            "destination_type": "volume",
            "boot_index": 0 if position == 0 else -1,
            "delete_on_termination": False,
            **_tag(wanted, volume_id),
        }
        for position, volume_id in enumerate(wanted.volume_ids)
    ]
    server: Row = {
        "name": wanted.name,
        "flavorRef": wanted.flavor_id,
        "networks": [{"port": port_id, **_tag(wanted, port_id)} for port_id in wanted.port_ids] or "none",
        "block_device_mapping_v2": disks,
        "metadata": dict(wanted.metadata),
        "tags": list(wanted.tags),
        "config_drive": wanted.config_drive,
    }
    for key in ("key_name", "availability_zone", "description", "hostname", "user_data"):
        if (value := getattr(wanted, key)) is not None:
            server[key] = value
    return server


def _tag(wanted: WantedServer, id: str) -> Row:
    return {"tag": wanted.device_tags[id]} if id in wanted.device_tags else {}


def read_server(site: CloudSite, server_id: str) -> Row:
    """A server as Nova shows it.  NotFoundInSite when it is not there."""
    return resources.read(site, "server", server_id)


def attached_devices(site: CloudSite, server_id: str) -> dict[str, str]:
    """Device by volume id ("/dev/vda"), as Nova attached them."""
    what = f"list the volumes of server {server_id}"
    path = f"/servers/{server_id}/os-volume_attachments"
    rows = read_one(site, what, lambda: site.compute, path, "volumeAttachments", microversion="2.79")
    return {row["volumeId"]: row["device"] for row in rows}


def delete_with_server(site: CloudSite, server_id: str, volume_id: str) -> None:
    """Let a volume be deleted with its server, as it was in the source; idempotent (Nova 2.85)."""
    body = {"volumeAttachment": {"volumeId": volume_id, "delete_on_termination": True}}
    path = f"/servers/{server_id}/os-volume_attachments/{volume_id}"
    what = f"let volume {volume_id} go with its server"
    call(site, what, lambda: site.compute.put(path, json=body, microversion=_SERVERS), idempotent=True)


def console(site: CloudSite, server_id: str, lines: int | None = None) -> str:
    """What the server wrote on its serial console, all that is kept or the last ``lines``."""
    body = {"os-getConsoleOutput": {} if lines is None else {"length": lines}}
    what = f"read the console of server {server_id}"
    path = f"/servers/{server_id}/action"
    return str(_post(site, what, path, body, _SERVERS, idempotent=True)["output"])


def lock_server(site: CloudSite, server_id: str, reason: str | None) -> None:
    """Lock a server, as it was in the source; idempotent (Nova 2.73)."""
    body = {"lock": {"locked_reason": reason} if reason else None}
    _post(site, f"lock server {server_id}", f"/servers/{server_id}/action", body, _SERVERS, idempotent=True)


def stop_server(
    site: CloudSite,
    server_id: str,
    *,
    timeout: float,
    on_poll: Callable[[str], object] = lambda _: None,
    cancelled: Callable[[], bool] | None = None,
) -> None:
    """Shut a server off and wait until it is; harmless when it is.  Raises Failed, TimedOut, Cancelled as waits do."""
    _switch(site, server_id, "stop", "SHUTOFF", timeout, on_poll, cancelled)


def start_server(site: CloudSite, server_id: str, *, timeout: float) -> None:
    """Start one that is shut off and wait until it is active; harmless when it is.  Raises Failed, TimedOut."""
    _switch(site, server_id, "start", "ACTIVE", timeout)


def _switch(
    site: CloudSite,
    server_id: str,
    verb: str,
    wanted: str,
    timeout: float,
    on_poll: Callable[[str], object] = lambda _: None,
    cancelled: Callable[[], bool] | None = None,
) -> None:
    what = f"{verb} server {server_id}"
    if read_server(site, server_id)["status"] != wanted:
        with suppress(ConflictInSite):  # somebody else is doing it, or has
            _post(site, what, f"/servers/{server_id}/action", {f"os-{verb}": None}, _SERVERS, idempotent=True)
    wait_until(
        lambda: read_server(site, server_id),
        done=(wanted.lower(),),
        failed=("error", "deleted", "soft_deleted"),
        timeout=timeout,
        what=what,
        on_poll=lambda row: on_poll(_shown_state(row)),
        cancelled=cancelled,
        site=site.name,
    )


def remove_server(site: CloudSite, server_id: str, timeout: float = 600, *, locked: bool = False) -> None:
    """Delete a server and wait until it is gone; harmless when it is.  Its ports and volumes stay.

    ``locked``: it may be, by ourselves; Nova lets none but administrators delete one that is.
    """
    what = f"delete server {server_id}"
    try:
        if locked:
            _post(site, what, f"/servers/{server_id}/action", {"unlock": None}, _SERVERS, idempotent=True)
        call(site, what, lambda: site.compute.delete(f"/servers/{server_id}"), idempotent=True)
    except NotFoundInSite:
        return
    polls = 0

    def stuck(row: Row) -> bool:
        # One that is in error already stays so until it is gone; Nova puts one back to error if it cannot
        # delete it.
        nonlocal polls
        polls += row["status"] == "ERROR" and not row.get("OS-EXT-STS:task_state")
        return polls > _ERROR_POLLS

    wait_gone(lambda: read_server(site, server_id), timeout=timeout, what=what, failed=stuck, site=site.name)


def remove_servers(
    site: CloudSite,
    token: str,
    known: str | None = None,
    *,
    timeout: float = 600,
    late: bool = False,
    locked: bool = False,
) -> int:
    """As ``resources.remove``; each is waited for until it is gone, ``timeout`` seconds."""
    return resources.remove(
        site,
        "server",
        token,
        known,
        late=late,
        delete=lambda one: remove_server(site, one, timeout, locked=locked),
    )


def remove_keypair(site: CloudSite, record: KeypairRecord, name: str) -> None:
    """Delete a key pair if it holds this public key; harmless when it is gone.  Another one is not touched."""
    found = resources.read_or_none(site, "keypair", name)
    if found is not None and found["public_key"].split()[:2] == record.public_key.split()[:2]:
        resources.delete_one(site, "keypair", name)


def _shown_state(row: Row) -> str:
    task = row.get("OS-EXT-STS:task_state")
    return f"{row['status']} ({task})" if task else str(row["status"])


def _post(
    site: CloudSite, what: str, path: str, body: Row, microversion: str, *, idempotent: bool = False
) -> Row:
    return post(
        site, what, lambda: site.compute, path, body, microversion=microversion, idempotent=idempotent
    )
