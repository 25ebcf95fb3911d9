"""Nova: what a recovery plan may order of a recovered server, as a member of its project (Compute API reference).

All are harmless when they are ordered again, after a lost answer or a death.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from multisite.clouds import build, power
from multisite.clouds.call import call, post
from multisite.clouds.connect import CloudSite
from multisite.clouds.waiting import wait_until

_VERSION = "2.90"


def reboot(
    site: CloudSite,
    server_id: str,
    *,
    hard: bool,
    timeout: float,
    fresh: bool,
    cancelled: Callable[[], bool] | None = None,
) -> None:
    """Reboot it and wait until it is active.  Raises Failed, TimedOut, Cancelled.

    ``fresh`` False: an earlier attempt may have ordered it already: one that was rebooted since it was made is only
    waited for.
    """
    what = f"reboot server {server_id}"
    if fresh or not any(done.name == "reboot" for done in power.actions(site, server_id)):
        body = {"reboot": {"type": "HARD" if hard else "SOFT"}}
        post(site, what, lambda: site.compute, f"/servers/{server_id}/action", body, microversion=_VERSION)
    wait_until(
        lambda: build.read_server(site, server_id),
        done=("active",),
        failed=("error", "deleted", "soft_deleted"),
        timeout=timeout,
        what=what,
        cancelled=cancelled,
        site=site.name,
    )


def set_metadata(site: CloudSite, server_id: str, metadata: Mapping[str, str]) -> None:
    """These items; the others stay."""
    what = f"set metadata of server {server_id}"
    path, body = f"/servers/{server_id}/metadata", {"metadata": dict(metadata)}
    post(site, what, lambda: site.compute, path, body, microversion=_VERSION, idempotent=True)


def add_tags(site: CloudSite, server_id: str, tags: Iterable[str]) -> None:
    """These tags; the others stay."""
    for tag in tags:
        path, what = f"/servers/{server_id}/tags/{tag}", f"tag server {server_id}"
        call(site, what, _putting(site, path), idempotent=True)


def _putting(site: CloudSite, path: str) -> Callable[[], object]:
    return lambda: site.compute.put(path, microversion=_VERSION)
