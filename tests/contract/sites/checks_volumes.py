"""What Multisite relies on in Cinder's volumes and snapshots."""

from __future__ import annotations

import pytest

from multisite.clouds import resources, restore, volumes
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import NotFoundInSite, OverQuota
from multisite.clouds.quotas import headroom
from tests.contract.sites.pair import Check, Pair, refused, send
from tests.sim.deploy import CINDER, ask

NOWHERE = "00000000-1111-2222-3333-444444444444"


def a_volume_comes_and_goes(pair: Pair) -> None:
    fields = {"name": pair.name("v"), "size": 1, "metadata": {"a": "1", "b": "2"}}
    answer = send(pair.one.volume, "POST", "/volumes", {"volume": fields}, CINDER)
    assert answer.status_code == 202
    made = answer.json()["volume"]
    pair.later(restore.remove_volume, pair.one, made["id"], 120)
    assert made["status"] == "creating"
    assert (made["size"], made["bootable"], made["attachments"], made["group_id"]) == (1, "false", [], None)
    volume_id = made["id"]
    assert pair.volume() != volume_id
    changed = send(pair.one.volume, "PUT", f"/volumes/{volume_id}/metadata", {"metadata": {"b": "3"}}, CINDER)
    assert changed.json()["metadata"] == {"b": "3"}, "PUT replaces all metadata"
    restore.remove_volume(pair.one, volume_id, 120)
    refused(send(pair.one.volume, "GET", f"/volumes/{volume_id}", None, CINDER), 404, "could not be found")
    with pytest.raises(NotFoundInSite):
        resources.read(pair.one, "volume", volume_id)


def a_volume_of_nonsense_is_refused(pair: Pair) -> None:
    def asked(**fields: object) -> None:
        body = {"volume": {"name": pair.name("v"), **fields}}
        refused(send(pair.one.volume, "POST", "/volumes", body, CINDER), status)

    status = 400
    asked(size=0)
    asked(size=1, name="x" * 256)
    asked(size=1, metadata={"ключ": "x"})
    status = 404
    asked(size=1, volume_type="there is no such type")
    asked(size=1, snapshot_id=NOWHERE)
    refused(send(pair.one.volume, "GET", f"/volumes/{NOWHERE}", None, CINDER), 404, NOWHERE)


def a_volume_with_a_snapshot_is_not_deleted(pair: Pair) -> None:
    volume_id = pair.volume()
    pair.snapshot(volume_id)
    answer = send(pair.one.volume, "DELETE", f"/volumes/{volume_id}", None, CINDER)
    refused(answer, 400, "Invalid volume", "snapshots")


def a_snapshot_is_found_by_its_token_only(pair: Pair) -> None:
    volume_id, token = pair.volume(), pair.token("find")
    snapshot = pair.snapshot(volume_id, token)
    pair.snapshot(volume_id)
    assert [s.id for s in volumes.snapshots_by_token(pair.one, {token})] == [snapshot.id]
    found = resources.find(pair.one, "snapshot", token)
    assert [(f.id, f.token) for f in found] == [(snapshot.id, token)]
    assert snapshot.id in [f.id for f in resources.find_of_job(pair.one, pair.stem, ("snapshot",))]
    volumes.delete_snapshot(pair.one, snapshot.id, 120)
    assert volumes.snapshots_by_token(pair.one, {token}) == []


def a_volume_in_use_is_snapshotted_by_force_only(pair: Pair) -> None:
    volume_id = pair.machine().made.volumes[1]
    body = {"snapshot": {"volume_id": volume_id, "name": pair.name("s")}}
    refused(send(pair.one.volume, "POST", "/snapshots", body, CINDER), 400, "Invalid volume")
    assert pair.snapshot(volume_id).size_gib == 1
    refused(send(pair.one.volume, "DELETE", f"/volumes/{volume_id}", None, CINDER), 400, "attached")


def a_volume_is_made_of_a_snapshot_found_by_token(pair: Pair) -> None:
    snapshot, token = pair.snapshot(pair.volume()), pair.token("from")
    fields = {"snapshot_id": snapshot.id, "size": snapshot.size_gib, "name": pair.name("copy")}
    made = str(resources.ensure(pair.one, "volume", token, fields)["id"])
    pair.later(restore.remove_volume, pair.one, made, 120)
    assert resources.ensure(pair.one, "volume", token, fields)["id"] == made
    assert resources.read(pair.one, "volume", made)["snapshot_id"] == snapshot.id


def a_used_up_volume_quota_is_413(pair: Pair) -> None:
    volume_id = pair.volume()
    used = headroom(pair.one)["block-storage"]["snapshots"].used
    with pair.quota("volume", snapshots=used):
        body = {"snapshot": {"volume_id": volume_id, "name": pair.name("s"), "force": True}}
        answer = send(pair.one.volume, "POST", "/snapshots", body, CINDER)
        refused(answer, 413, "snapshots", "exceeded")
        assert "overLimit" in answer.json()
        with pytest.raises(OverQuota):
            volumes.create_snapshot(pair.one, pair.token("q"), volume_id, pair.name("s"), 60)


def what_a_volume_takes_is_counted(pair: Pair) -> None:
    before = headroom(pair.one)["block-storage"]
    pair.volume(size=2)
    after = headroom(pair.one)["block-storage"]
    assert after["volumes"].used == before["volumes"].used + 1
    assert after["gigabytes"].used == before["gigabytes"].used + 2


def actions_change_what_they_say(pair: Pair) -> None:
    volume_id = pair.volume()
    path = f"/volumes/{volume_id}/action"
    ask(pair.one.volume, "POST", path, {"os-set_bootable": {"bootable": True}}, CINDER)
    said = {"metadata": {"hw_qemu_guest_agent": "yes"}}
    ask(pair.one.volume, "POST", path, {"os-set_image_metadata": said}, CINDER)
    row = resources.read(pair.one, "volume", volume_id)
    assert (row["bootable"], row["volume_image_metadata"]) == ("true", {"hw_qemu_guest_agent": "yes"})
    refused(send(pair.one.volume, "POST", path, {"os-no-such": {}}, CINDER), 400)


def how_a_volume_type_is_encrypted_is_told_to_administrators(pair: Pair) -> None:
    """By a call of its own, which answers nothing for one that is not."""
    body = {"volume_type": {"name": pair.name("encrypted")}}
    made = ask(pair.one.volume, "POST", "/types", body, CINDER)["volume_type"]["id"]
    pair.later(send, pair.one.volume, "DELETE", f"/types/{made}")
    path = f"/types/{made}/encryption"
    assert ask(pair.one.volume, "GET", path, None, CINDER) == {}
    wanted = {
        "provider": "luks",
        "cipher": "aes-xts-plain64",
        "key_size": 256,
        "control_location": "front-end",
    }
    ask(pair.one.volume, "POST", path, {"encryption": wanted}, CINDER)
    found = ask(pair.one.volume, "GET", path, None, CINDER)
    assert {name: found[name] for name in wanted} == wanted
    refused(send(pair.member.volume, "GET", path, None, CINDER), 403)


def a_private_volume_type_is_for_the_projects_it_names(pair: Pair) -> None:
    name = pair.name("type")
    body = {"volume_type": {"name": name, "os-volume-type-access:is_public": False}}
    made = ask(pair.one.volume, "POST", "/types", body, CINDER)["volume_type"]["id"]
    pair.later(send, pair.one.volume, "DELETE", f"/types/{made}")

    def listed(site: CloudSite, query: str = "") -> bool:
        return name in {
            t["name"] for t in ask(site.volume, "GET", f"/types{query}", None, CINDER)["volume_types"]
        }

    assert not listed(pair.one), "a private type is listed to all"
    assert listed(pair.one, "?is_public=None")
    assert (listed(pair.member), listed(pair.member, "?is_public=None")) == (False, False)
    volume = {"volume": {"name": pair.name("typed"), "size": 1, "volume_type": name}}
    refused(send(pair.member.volume, "POST", "/volumes", volume, CINDER), 404, "could not be found")
    access = {"addProjectAccess": {"project": pair.one.project_id}}
    assert send(pair.one.volume, "POST", f"/types/{made}/action", access, CINDER).status_code == 202
    assert (listed(pair.one), listed(pair.member)) == (True, True)


def a_volume_is_made_in_a_zone_that_there_is(pair: Pair) -> None:
    fields = {"name": pair.name("zone"), "size": 1, "availability_zone": "no-such-zone"}
    refused(
        send(pair.one.volume, "POST", "/volumes", {"volume": fields}, CINDER), 400, "no-such-zone", "invalid"
    )


CHECKS: tuple[Check, ...] = (
    how_a_volume_type_is_encrypted_is_told_to_administrators,
    a_private_volume_type_is_for_the_projects_it_names,
    a_volume_is_made_in_a_zone_that_there_is,
    a_volume_comes_and_goes,
    a_volume_of_nonsense_is_refused,
    a_volume_with_a_snapshot_is_not_deleted,
    a_snapshot_is_found_by_its_token_only,
    a_volume_in_use_is_snapshotted_by_force_only,
    a_volume_is_made_of_a_snapshot_found_by_token,
    a_used_up_volume_quota_is_413,
    what_a_volume_takes_is_counted,
    actions_change_what_they_say,
)
