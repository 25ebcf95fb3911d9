"""Taking an application apart, and finding what somebody forgot to."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from openstack import exceptions

from multisite_lab.vnf import inventory
from multisite_lab.vnf.site import Progress, connect, silent, site_of, until

TIMEOUT = 180.0

_DELETERS: dict[str, Callable[[Any, Any], Any]] = {
    "server": lambda cloud, row: cloud.compute.delete_server(row),
    "floating IP": lambda cloud, row: cloud.network.delete_ip(row),
    "port": lambda cloud, row: cloud.network.delete_port(row),
    "backup": lambda cloud, row: cloud.block_storage.delete_backup(row),
    "group snapshot": lambda cloud, row: cloud.block_storage.delete_group_snapshot(row),
    "snapshot": lambda cloud, row: cloud.block_storage.delete_snapshot(row),
    "group": lambda cloud, row: cloud.block_storage.delete_group(row, delete_volumes=True),
    "volume": lambda cloud, row: cloud.block_storage.delete_volume(row),
    "image": lambda cloud, row: cloud.image.delete_image(row),
    "router": lambda cloud, row: cloud.network.delete_router(row),
    "network": lambda cloud, row: cloud.network.delete_network(row),
    "security group": lambda cloud, row: cloud.network.delete_security_group(row),
    "server group": lambda cloud, row: cloud.compute.delete_server_group(row),
    "key pair": lambda cloud, row: cloud.compute.delete_keypair(row),
}


# What must go before what; the servers go before all of it.
_CHAINS = (
    ("port", "router", "network"),
    ("group snapshot", "snapshot", "group", "volume"),
    ("security group", "server group", "key pair", "image"),
)


def destroy(cloud: str, name: str, progress: Progress = silent, timeout: float = TIMEOUT) -> None:
    """Remove an application, original or recovered, with everything of it; return when nothing of it is left.

    Backups stay: they belong to whoever protects the application.
    """
    connection = connect(cloud)
    ours = inventory.parts(inventory.everything(connection), name)

    def clear(kinds: Iterable[str]) -> None:
        for kind in kinds:
            if ours[kind]:
                _clear(connection, kind, {row.id for row in ours[kind]}, timeout)
                progress(f"{cloud}: removed {len(ours[kind])} {kind}{'s' if len(ours[kind]) > 1 else ''}")

    clear(("floating IP", "server"))
    with ThreadPoolExecutor(len(_CHAINS)) as pool:
        # list() so that a failure in any chain is raised here.
        list(pool.map(clear, _CHAINS))
    _clear_recovered_keys(cloud, name, timeout)


def _clear_recovered_keys(cloud: str, name: str, timeout: float) -> None:
    """A recovery makes key pairs with the account Multisite has in the site, which is another user."""
    service = connect(f"{site_of(cloud)}-multisite")
    keys = {row.id for row in inventory.LISTERS["key pair"](service) if inventory.named(row, name)}
    if keys:
        _clear(service, "key pair", keys, timeout)


def _clear(connection: Any, kind: str, ids: set[str], timeout: float) -> None:
    """Delete until the list no longer shows them; a refusal is not final, something else may have to end."""

    def gone() -> bool | None:
        left = [row for row in inventory.LISTERS[kind](connection) if row.id in ids]
        for row in left:
            if "deleting" in (getattr(row, "status", "") or "").lower():
                continue
            with contextlib.suppress(exceptions.HttpException):
                _DELETERS[kind](connection, row)
        return True if not left else None

    until(gone, f"{kind} {', '.join(sorted(ids))} cannot be deleted", timeout)


def leftovers(cloud: str, *names: str) -> list[str]:
    """Everything in the project that is no part of the named applications, as ``kind name id status``."""
    found = inventory.everything(connect(cloud))
    kept = {row.id for name in names for rows in inventory.parts(found, name).values() for row in rows}
    return [
        f"{kind} {row.name} {row.id} {getattr(row, 'status', '') or ''}".strip()
        for kind, rows in found.items()
        for row in rows
        if row.id not in kept
    ]
