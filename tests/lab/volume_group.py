"""A Cinder group of a type that promises consistent snapshots."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from multisite_lab.vnf.site import until

PATIENCE = 60.0


@contextmanager
def volume_group(volume: Any, name: str, volume_ids: Collection[str]) -> Iterator[str]:
    """The id of a group of exactly these volumes; afterwards neither it nor its type is there.

    ``volume``: the SDK's block storage proxy of an administrator.
    """

    def ask(method: str, path: str, body: Any = None) -> Any:
        answer = volume.request(path, method, json=body, microversion="3.43", raise_exc=True)
        return answer.json() if answer.content else None

    def idle(what: str) -> None:
        until(lambda: ask("GET", f"/groups/{made}")["group"]["status"] == "available" or None, what, PATIENCE)

    def gone() -> bool | None:
        return made not in {group["id"] for group in ask("GET", "/groups")["groups"]} or None

    ours = ",".join(volume_ids)
    specs = {"consistent_group_snapshot_enabled": "<is> True"}
    kind = ask("POST", "/group_types", {"group_type": {"name": name, "group_specs": specs}})["group_type"][
        "id"
    ]
    types = [t["id"] for t in ask("GET", "/types")["volume_types"] if t["name"] != "__DEFAULT__"]
    made = ask("POST", "/groups", {"group": {"name": name, "group_type": kind, "volume_types": types}})[
        "group"
    ]["id"]
    try:
        idle("the group is there")
        ask("PUT", f"/groups/{made}", {"group": {"add_volumes": ours}})
        idle("the volumes are in the group")
        yield made
    finally:
        idle("the group is idle")
        ask("PUT", f"/groups/{made}", {"group": {"remove_volumes": ours}})
        idle("the group is empty")
        ask("POST", f"/groups/{made}/action", {"delete": {"delete-volumes": False}})
        until(gone, "the group is gone", PATIENCE)
        ask("DELETE", f"/group_types/{kind}")
