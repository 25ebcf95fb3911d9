"""One limit over two real sites: what creators take from both at once never adds up to more."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import openstack.exceptions
import pytest

from multisite_lab import vnf
from multisite_lab.manager import CommandFailed, Manager

SITES = ("site1", "site2")
TOTAL = 12
NAME = "lent"
RESOURCES = ("volumes", "security_group")


def used(site: str) -> int:
    return sum(1 for _ in vnf.connect(site).block_storage.volumes(details=False))


def limit(site: str) -> int:
    cloud, admin = vnf.connect(site), vnf.connect(f"{site}-admin")
    answer = admin.block_storage.get(f"/os-quota-sets/{cloud.current_project_id}")
    assert answer.ok, answer.text
    return int(answer.json()["quota_set"]["volumes"])


def remove() -> None:
    for site in SITES:
        cloud = vnf.connect(site)
        for volume in cloud.block_storage.volumes(details=True):
            if volume.name == NAME:
                with suppress(openstack.exceptions.SDKException):
                    cloud.block_storage.delete_volume(volume, force=True)


@pytest.fixture
def quota(service: Manager) -> Iterator[str]:
    """The id of the project's quota; afterwards the sites' limits are what they were."""
    remove()
    before = {site: limit(site) for site in SITES}
    project = service.project(service.home)
    words = [word for site in SITES for word in ("--site", site)]
    made = service.cli(
        "quota", "create", project, *words, "--limit", f"volumes={TOTAL}", cloud=f"{service.home}-admin"
    )
    yield str(made["id"])
    service.show("quota", "delete", made["id"], cloud=f"{service.home}-admin")
    remove()
    for site, count in before.items():
        project_id = vnf.connect(site).current_project_id
        vnf.connect(f"{site}-admin").block_storage.put(
            f"/os-quota-sets/{project_id}", json={"quota_set": {"volumes": count}}
        )


def apply(service: Manager, quota: str) -> dict[str, Any]:
    try:
        service.cli("quota", "apply", quota, cloud=f"{service.home}-admin")
    except CommandFailed as failed:
        print(failed.out)
    found: dict[str, Any] = service.cli("quota", "show", quota, cloud=f"{service.home}-admin")
    return found


def take(site: str, made: list[str]) -> None:
    """As many as it gets: every refusal is tried again, a while."""
    cloud = vnf.connect(site)
    for _ in range(3 * TOTAL):
        with suppress(openstack.exceptions.SDKException):
            made.append(cloud.block_storage.create_volume(size=1, name=NAME).id)


def test_both_sites_filling_at_once(service: Manager, quota: str) -> None:
    shown = apply(service, quota)
    assert sum(lease["volumes"] for lease in shown["leases"].values()) == TOTAL
    assert {site: limit(site) for site in SITES} == {s: shown["leases"][s]["volumes"] for s in SITES}
    made: list[str] = []
    threads = [threading.Thread(target=take, args=(site, made)) for site in SITES]
    for thread in threads:
        thread.start()
    peak = 0
    while any(thread.is_alive() for thread in threads):
        apply(service, quota)
        peak = max(peak, sum(limit(site) for site in SITES))
    apply(service, quota)
    total = sum(used(site) for site in SITES)
    print(f"{len(made)} made, {total} used of {TOTAL}; the limits together were {peak} at most")
    assert total <= TOTAL
    assert peak <= TOTAL
    assert total >= TOTAL - 2, "nearly all of it can be used"
