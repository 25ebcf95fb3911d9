"""What Multisite relies on in Cinder's manage and unmanage: the image of a volume outlives it, and becomes another."""

from __future__ import annotations

import pytest

from multisite.clouds import managed, resources, restore
from multisite.clouds.errors import Failed, NotFoundInSite
from multisite.clouds.managed import WantedManaged, image_name
from tests.contract.sites.pair import Check, Pair, refused, send
from tests.sim.deploy import CINDER

SECONDS = 120.0


def host_of(pair: Pair, volume_id: str) -> str:
    """Only an administrator is shown it."""
    return str(resources.read(pair.one, "volume", volume_id)["os-vol-host-attr:host"])


def forgotten(pair: Pair) -> tuple[str, str]:
    """A volume that Cinder has forgotten: name of its image, and Cinder's name of the storage."""
    volume_id = pair.volume()
    host = host_of(pair, volume_id)
    managed.unmanage(pair.one, volume_id, SECONDS)
    with pytest.raises(NotFoundInSite):
        resources.read(pair.one, "volume", volume_id)
    managed.unmanage(pair.one, volume_id, SECONDS)  # harmless when it is gone
    return image_name(volume_id), host


def an_image_becomes_a_volume_by_token(pair: Pair) -> None:
    image, host = forgotten(pair)
    token = pair.token("manage")
    wanted = WantedManaged(
        lambda: image, host, pair.name("managed"), bootable=True, metadata={"a": "1"}, description="again",
        image_metadata={"hw_qemu_guest_agent": "yes"}, read_only=True,
    )  # fmt: skip
    made = managed.ensure_managed(pair.one, token, wanted, timeout=SECONDS, fresh=True)
    pair.later(restore.remove_volume, pair.one, made, SECONDS)
    row = resources.read(pair.one, "volume", made)
    assert (row["status"], row["size"], row["bootable"], row["description"]) == (
        "available",
        1,
        "true",
        "again",
    )
    assert row["name"] == wanted.name
    assert {"a": "1"}.items() <= row["metadata"].items()
    assert row["volume_image_metadata"]["hw_qemu_guest_agent"] == "yes"
    assert row["os-vol-tenant-attr:tenant_id"] == pair.one.project_id
    # A second time it is found, and the old name is nobody's any more.
    assert managed.ensure_managed(pair.one, token, wanted, timeout=SECONDS) == made
    again = pair.token("again")
    with pytest.raises(Failed):
        managed.ensure_managed(pair.one, again, wanted, timeout=SECONDS, fresh=True)
    managed.unmanage_by_token(pair.one, again, "", SECONDS)
    # What was undone can be done again: the image is there, under the name that Cinder gave it.
    managed.unmanage_by_token(pair.one, token, made, SECONDS)
    other = WantedManaged(lambda: image_name(made), host, pair.name("third"))
    third = managed.ensure_managed(pair.one, pair.token("third"), other, timeout=SECONDS, fresh=True)
    pair.later(restore.remove_volume, pair.one, third, SECONDS)


def what_is_a_volume_or_nowhere_is_not_managed(pair: Pair) -> None:
    volume_id = pair.volume()
    host = host_of(pair, volume_id)

    def asked(**fields: object) -> dict[str, object]:
        ref = {"source-name": image_name(volume_id)}
        return {"volume": {"host": host, "ref": ref, "name": pair.name("no"), **fields}}

    answer = send(pair.one.volume, "POST", "/os-volume-manage", asked(), CINDER)
    refused(answer, 400, "already managed")
    answer = send(
        pair.one.volume,
        "POST",
        "/os-volume-manage",
        asked(host="nowhere@rbd#rbd", ref={"source-name": "x"}),
        CINDER,
    )
    refused(answer, 503, "nowhere@rbd#rbd")
    member = send(pair.member.volume, "POST", "/os-volume-manage", asked(ref={"source-name": "x"}), CINDER)
    refused(member, 403, "volume_manage")


def a_volume_that_is_needed_is_not_forgotten(pair: Pair) -> None:
    attached = pair.machine().made.volumes[1]
    body = {"os-unmanage": None}
    refused(send(pair.one.volume, "POST", f"/volumes/{attached}/action", body, CINDER), 400, "attached")
    with_snapshot = pair.volume()
    pair.snapshot(with_snapshot)
    refused(send(pair.one.volume, "POST", f"/volumes/{with_snapshot}/action", body, CINDER), 400, "snapshots")
    free = pair.volume()
    refused(send(pair.member.volume, "POST", f"/volumes/{free}/action", body, CINDER), 403, "volume_unmanage")


CHECKS: tuple[Check, ...] = (
    an_image_becomes_a_volume_by_token,
    what_is_a_volume_or_nowhere_is_not_managed,
    a_volume_that_is_needed_is_not_forgotten,
)
