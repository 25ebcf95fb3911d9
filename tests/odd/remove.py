"""Takes what the odd application leaves in a real site beside its servers: what no other resource takes with it."""

from __future__ import annotations

from typing import Any

from tests.odd.pairs import INTERFACE
from tests.odd.rest import COMPUTE, NETWORK, Api, until


def loosen(api: Api, name: str) -> None:
    """Floating IPs, routers and trunks, which hold the networks' ports; whether it was made or recovered.

    Its servers with trunks: Neutron deletes none whose parent port is bound (``TrunkInUse``).
    """
    routers = {row["id"] for row in _named(api, "routers", "routers", name)}
    for row in api(NETWORK, "GET", f"/v2.0/floatingips?project_id={api.project}")["floatingips"]:
        if row["router_id"] in routers:
            api(NETWORK, "DELETE", f"/v2.0/floatingips/{row['id']}")
    for router in sorted(routers):
        _router(api, router)
    if api.has("trunk"):
        trunks = _named(api, "trunks", "trunks", name)
        if trunks:
            _servers(api, name)
        for row in trunks:
            api(NETWORK, "DELETE", f"/v2.0/trunks/{row['id']}")


def _servers(api: Api, name: str) -> None:
    rows = api(COMPUTE, "GET", "/servers")["servers"]
    paths = [f"/servers/{row['id']}" for row in rows if row["name"].startswith(f"{name}-")]
    for path in paths:
        api(COMPUTE, "DELETE", path)
    for path in paths:
        until(lambda path=path: api.find(COMPUTE, path) is None, f"{path} gone", 120)  # type: ignore[misc]


def _router(api: Api, router: str) -> None:
    path = f"/v2.0/routers/{router}"
    api(NETWORK, "PUT", path, {"router": {"routes": []}})
    for port in api(NETWORK, "GET", f"/v2.0/ports?device_id={router}")["ports"]:
        if port["device_owner"] == INTERFACE:
            api(NETWORK, "PUT", f"{path}/remove_router_interface", {"port_id": port["id"]})
    api(NETWORK, "DELETE", path)


def flavors(api: Api, name: str) -> None:
    """Once no server has them."""
    for row in api(COMPUTE, "GET", "/flavors/detail?is_public=None")["flavors"]:
        if row["name"].startswith(f"{name}-"):
            api(COMPUTE, "DELETE", f"/flavors/{row['id']}")


def _named(api: Api, path: str, key: str, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = api(NETWORK, "GET", f"/v2.0/{path}")[key]
    return [row for row in rows if row["name"].startswith(f"{name}-")]
