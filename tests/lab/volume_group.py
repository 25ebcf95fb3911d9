"""A Cinder group of a type that promises consistent snapshots."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

PATIENCE = 60.0


@contextmanager
def volume_group(volume: Any, name: str, volume_ids: Collection[str]) -> Iterator[str]:
    """The id of a group of exactly these volumes; afterwards neither it nor its type is there.

    ``volume``: the SDK's block storage proxy of an administrator.
    """

    def ask(method: str, path: str, body: Any = None) -> Any:
        answer = volume.request(path, method, json=body, microversion="3.43", raise_exc=True)
        return answer.json() if answer.content else None

    def idle() -> bool:
        return bool(ask("GET", f"/groups/{made}")["group"]["status"] == "available")

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
        _until(idle, "the group is there")
        ask("PUT", f"/groups/{made}", {"group": {"add_volumes": ours}})
        _until(idle, "the volumes are in the group")
        yield made
    finally:
        _until(idle, "the group is idle")
        ask("PUT", f"/groups/{made}", {"group": {"remove_volumes": ours}})
        _until(idle, "the group is empty")
        ask("POST", f"/groups/{made}/action", {"delete": {"delete-volumes": False}})
        _until(lambda: made not in {g["id"] for g in ask("GET", "/groups")["groups"]}, "the group is gone")
        ask("DELETE", f"/group_types/{kind}")


def _until(done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, f"not within {PATIENCE:.0f} s: {what}"
        time.sleep(0.5)
