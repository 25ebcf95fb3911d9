"""Every row of a project as the services answer it: ``{kind: {id: row}}``, plain JSON.

Beside its own fields a server has ``attachments`` (in the order of their devices) and ``nics`` (MAC addresses in the
hypervisor's order, None while it does not run), a flavor ``access`` (projects), a key pair stands at ``<user>/<name>``.
"""

from __future__ import annotations

from typing import Any

from tests.odd.rest import COMPUTE, NETWORK, VOLUME, Api

Row = dict[str, Any]
Saved = dict[str, dict[str, Row]]
_NEUTRON = {
    "network": ("networks", "networks"),
    "subnet": ("subnets", "subnets"),
    "port": ("ports", "ports"),
    "router": ("routers", "routers"),
    "floating IP": ("floatingips", "floatingips"),
    "security group": ("security-groups", "security_groups"),
    "trunk": ("trunks", "trunks"),
    "QoS policy": ("qos/policies", "policies"),
}


def save(api: Api) -> Saved:
    """Everything there is now."""
    servers = {row["id"]: _server(api, row) for row in api(COMPUTE, "GET", "/servers/detail")["servers"]}
    groups = api(COMPUTE, "GET", "/os-server-groups")["server_groups"]
    volumes = api(VOLUME, "GET", "/volumes/detail")["volumes"]
    found: Saved = {
        "server": servers,
        "flavor": _flavors(api, {row["flavor"]["original_name"] for row in servers.values()}),
        "key pair": _keys(api, {(row["user_id"], row["key_name"]) for row in servers.values()}),
        "server group": {row["id"]: row for row in groups},
        "volume": {row["id"]: row for row in volumes},
    }
    for kind, (path, key) in _NEUTRON.items():
        answer = api.find(NETWORK, f"/v2.0/{path}")
        found[kind] = {row["id"]: row for row in answer[key]} if answer else {}
    return found


def _server(api: Api, row: Row) -> Row:
    path = f"/servers/{row['id']}"
    attached = api(COMPUTE, "GET", f"{path}/os-volume_attachments")["volumeAttachments"]
    plugged = api(COMPUTE, "GET", f"{path}/os-interface")["interfaceAttachments"]
    nics = None
    if row["status"] == "ACTIVE":
        shown = api(COMPUTE, "GET", f"{path}/diagnostics")["nic_details"]
        nics = [nic["mac_address"] for nic in shown]
    in_order = sorted(attached, key=lambda one: (len(one["device"]), one["device"]))
    return row | {
        "attachments": in_order,
        "nics": nics,
        "nic tags": {one["mac_addr"]: one["tag"] for one in plugged},
    }


def _flavors(api: Api, names: set[str]) -> dict[str, Row]:
    found = {}
    for row in api(COMPUTE, "GET", "/flavors/detail?is_public=None")["flavors"]:
        if row["name"] in names:
            access = []
            if not row["os-flavor-access:is_public"]:
                listed = api(COMPUTE, "GET", f"/flavors/{row['id']}/os-flavor-access")["flavor_access"]
                access = sorted(one["tenant_id"] for one in listed)
            found[row["id"]] = row | {"access": access}
    return found


def _keys(api: Api, owned: set[tuple[str, str | None]]) -> dict[str, Row]:
    found = {}
    for user, name in owned:
        if name is not None:
            path = f"/os-keypairs/{name}?user_id={user}"
            found[f"{user}/{name}"] = api(COMPUTE, "GET", path)["keypair"]
    return found
