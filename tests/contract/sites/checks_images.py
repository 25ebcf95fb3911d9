"""What Multisite relies on in Nova's createImage, and in the images and snapshots it makes."""

from __future__ import annotations

import json

import pytest

from multisite.clouds import build, images, resources, restore, volumes
from multisite.clouds.errors import NotFoundInSite, SiteError
from multisite_lab.guest import console
from tests.contract.sites.pair import Check, Pair, refused, send
from tests.sim import deploy
from tests.sim.deploy import CINDER, NOVA, ask, until

NOWHERE = "00000000-1111-2222-3333-444444444444"


def an_image_of_volumes_names_a_snapshot_of_each(pair: Pair) -> None:
    machine, token = pair.machine(), pair.token("image")
    before = console.parse(build.console(pair.one, machine.id))
    _tidy(pair, token)
    made = images.create_image(pair.one, token, machine.id)
    image = images.wait_image(pair.one, made, 120)
    assert (image.name, len(image.snapshots)) == (token, 2)
    assert [found.id for found in images.of_token(pair.one, token)] == [made]
    row = resources.read(pair.one, "image", made)
    assert (row["size"] or 0, row["visibility"], row["owner"]) == (0, "private", pair.one.project_id)
    first = json.loads(row["block_device_mapping"])[0]
    assert (first["source_type"], first["boot_index"]) == ("snapshot", 0)
    assert images.quiesced_by_nova(image.properties) == (True, True), "they are those of its volume"

    def complete() -> list[images.Row] | None:
        rows = images.snapshots_of(pair.one, {token})
        return rows if all(one["status"] == "available" for one in rows) else None

    snapshots = until(complete, "the snapshots of the image")
    assert {one["id"] for one in snapshots} == set(image.snapshots)
    assert {one["volume_id"] for one in snapshots} == set(machine.made.volumes)
    assert {one.id for one in resources.find(pair.one, "snapshot", token)} == set(image.snapshots)

    def thawed() -> bool | None:
        boot = console.parse(build.console(pair.one, machine.id))
        return True if len(boot.freezes) == len(before.freezes) + 1 and _goes_on(pair, machine.id) else None

    until(thawed, "the guest was frozen once, and thawed", 60)
    assert images.remove_images(pair.one, {token}) == []
    with pytest.raises(NotFoundInSite):
        images.read_image(pair.one, made)
    assert {one["id"] for one in images.snapshots_of(pair.one, {token})} == set(image.snapshots), "they stay"


def _goes_on(pair: Pair, server_id: str) -> bool:
    text = build.console(pair.one, server_id)
    return text.rfind("GUEST-THAW") > text.rfind("GUEST-FREEZE")


def _tidy(pair: Pair, token: str) -> None:
    def remove() -> None:
        images.remove_images(pair.one, {token})
        for one in images.snapshots_of(pair.one, {token}):
            volumes.delete_snapshot(pair.one, one["id"], 120)

    pair.later(remove)


def an_image_of_a_root_disk_becomes_a_volume(pair: Pair) -> None:
    guest, small, token = deploy.image(pair.one), deploy.flavor(pair.one), pair.token("root")
    body = {"name": pair.name("local"), "flavorRef": small, "imageRef": guest, "networks": "none"}
    made = ask(pair.one.compute, "POST", "/servers", {"server": body}, NOVA)["server"]["id"]
    pair.later(build.remove_server, pair.one, made, 120)

    def ready() -> bool | None:  # without a disk for data it writes no records
        active = build.read_server(pair.one, made)["status"] == "ACTIVE"
        return True if active and "GUEST-READY" in build.console(pair.one, made) else None

    until(ready, "the guest that boots from an image is ready", 240)
    row = build.read_server(pair.one, made)
    assert (row["image"]["id"], row["os-extended-volumes:volumes_attached"]) == (guest, [])
    assert row["OS-EXT-SRV-ATTR:root_device_name"] == "/dev/vda"
    pair.later(images.remove_images, pair.one, {token})
    image_id = images.create_image(pair.one, token, made)
    image = images.wait_image(pair.one, image_id, 240)
    assert (image.snapshots, image.size_gib) == ((), 1)

    def idle() -> bool | None:
        return True if build.read_server(pair.one, made)["OS-EXT-STS:task_state"] is None else None

    until(idle, "Nova is done with the server")
    volume_id = deploy.volume(pair.one, pair.name("copy"), image=image_id)
    pair.later(restore.remove_volume, pair.one, volume_id, 120)
    volume = resources.read(pair.one, "volume", volume_id)
    assert (volume["bootable"], volume["volume_image_metadata"]["image_id"]) == ("true", image_id)
    assert volume["volume_image_metadata"]["hw_qemu_guest_agent"] == "yes"
    assert images.remove_images(pair.one, (), [image_id]) == []
    assert resources.read(pair.one, "volume", volume_id)["status"] == "available", "it has a copy"


def an_image_of_nonsense_is_refused(pair: Pair) -> None:
    path = f"/servers/{pair.machine().id}/action"
    for wanted in ({}, {"name": ""}, {"name": "x" * 256}):
        refused(send(pair.one.compute, "POST", path, {"createImage": wanted}, NOVA), 400, "name")
    with pytest.raises(NotFoundInSite):
        images.create_image(pair.one, pair.token("none"), NOWHERE)
    with pytest.raises(NotFoundInSite):
        images.read_image(pair.one, NOWHERE)
    assert images.remove_images(pair.one, (), [NOWHERE]) == [], "what is gone is gone"
    body = {"volume": {"name": pair.name("v"), "size": 1, "imageRef": NOWHERE}}
    refused(send(pair.one.volume, "POST", "/volumes", body, CINDER), 400, "image")


def snapshots_beyond_the_quota_are_refused_before_any_is_made(pair: Pair) -> None:
    machine, token = pair.machine(), pair.token("quota")
    _tidy(pair, token)
    with pair.quota("volume", snapshots=1), pytest.raises(SiteError, match=r"(?i)quota|snapshots"):
        images.create_image(pair.one, token, machine.id)
    assert images.snapshots_of(pair.one, {token}) == []


CHECKS: tuple[Check, ...] = (
    an_image_of_volumes_names_a_snapshot_of_each,
    an_image_of_a_root_disk_becomes_a_volume,
    an_image_of_nonsense_is_refused,
    snapshots_beyond_the_quota_are_refused_before_any_is_made,
)
