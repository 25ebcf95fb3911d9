"""What Multisite relies on in Nova, its quiesce filter among it, and in Keystone."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import pytest
from requests import Response

from multisite.clouds import build, flavors, power, quiesce, resources
from multisite.clouds.errors import ConflictInSite, NotFoundInSite, OverQuota, Refused
from multisite.clouds.facts import zones
from multisite.clouds.host_room import read_host_room
from multisite.clouds.quotas import LIMITS, headroom
from multisite.clouds.resources import tokens
from multisite.domain.manifest import FlavorRecord, KeypairRecord, ServerGroupRecord
from multisite_lab.guest import console
from tests.contract.sites.pair import Check, Pair, refused, send
from tests.sim import deploy
from tests.sim.deploy import NOVA, PUBLIC_KEY, ask, flavor

NOWHERE = "00000000-1111-2222-3333-444444444444"


def a_flavor_is_made_once(pair: Pair) -> None:
    token, name = pair.token("flavor"), pair.name("flavor")
    record = FlavorRecord("", name, 1, 64, 1, 0, 0, {"hw:cpu_policy": "shared"})
    made = flavors.ensure_flavor(pair.one, token, record, name)
    pair.later(resources.remove, pair.one, "flavor", token)
    assert flavors.ensure_flavor(pair.one, token, record, name) == made
    body = {"flavor": {"name": name, "vcpus": 1, "ram": 64, "disk": 1}}
    refused(send(pair.one.compute, "POST", "/flavors", body, NOVA), 409, "already exists")
    refused(send(pair.member.compute, "POST", "/flavors", body, NOVA), 403)
    row = send(pair.one.compute, "GET", f"/flavors/{made}", None, NOVA).json()["flavor"]
    assert (row["extra_specs"], row["description"]) == ({"hw:cpu_policy": "shared"}, token)
    assert row["os-flavor-access:is_public"] is False
    access = send(pair.one.compute, "GET", f"/flavors/{made}/os-flavor-access", None, NOVA).json()
    assert access == {"flavor_access": [{"flavor_id": made, "tenant_id": pair.one.project_id}]}
    again = {"addTenantAccess": {"tenant": pair.one.project_id}}
    refused(
        send(pair.one.compute, "POST", f"/flavors/{made}/action", again, NOVA), 409, "access already exists"
    )
    refused(send(pair.member.compute, "POST", f"/flavors/{made}/action", again, NOVA), 403)
    other = pair.token("flavor-user")
    specs = f"/flavors/{made}/os-extra_specs"
    refused(send(pair.one.compute, "DELETE", f"{specs}/{other}", None, NOVA), 404, "no extra specs with key")
    flavors.hold_flavor(pair.one, other, made)
    refused(send(pair.member.compute, "DELETE", f"{specs}/{other}", None, NOVA), 403)
    assert flavors.leave_flavor(pair.one, token, "", late=False) == {name: []}
    row = send(pair.one.compute, "GET", f"/flavors/{made}", None, NOVA).json()["flavor"]
    assert (row["extra_specs"].keys(), row["description"]) == ({"hw:cpu_policy", other, tokens.LEFT_KEY}, "")
    assert flavors.leave_flavor(pair.one, other, "", late=False) == {}
    refused(send(pair.one.compute, "GET", f"/flavors/{made}", None, NOVA), 404, made)
    with pytest.raises(NotFoundInSite):
        flavors.hold_flavor(pair.one, other, made)


def a_key_pair_is_made_once(pair: Pair) -> None:
    record = KeypairRecord(pair.name("key"), PUBLIC_KEY, "ssh")
    build.ensure_keypair(pair.one, record, record.name)
    pair.later(build.remove_keypair, pair.one, record, record.name)
    build.ensure_keypair(pair.one, record, record.name)
    body = {"keypair": {"name": record.name, "public_key": PUBLIC_KEY, "type": "ssh"}}
    refused(send(pair.one.compute, "POST", "/os-keypairs", body, NOVA), 409, "already exists")
    body["keypair"] |= {"name": pair.name("key"), "public_key": "no key"}
    refused(send(pair.one.compute, "POST", "/os-keypairs", body, NOVA), 400)
    missing = send(pair.one.compute, "GET", f"/os-keypairs/{pair.name('key')}", None, NOVA)
    refused(missing, 404, "not found")


def a_server_group_is_found_by_its_name(pair: Pair) -> None:
    token = pair.token("group")
    record = ServerGroupRecord("", pair.name("group"), "soft-anti-affinity")
    made = build.ensure_server_group(pair.one, token, record)
    pair.later(resources.remove, pair.one, "server_group", token)
    assert build.ensure_server_group(pair.one, token, record) == made
    assert [f.id for f in resources.find(pair.one, "server_group", token)] == [made]
    assert resources.remove(pair.one, "server_group", token) == 1
    refused(send(pair.one.compute, "DELETE", f"/os-server-groups/{made}", None, NOVA), 404)


def a_server_is_shown_with_what_a_manifest_needs(pair: Pair) -> None:
    machine = pair.machine()
    row = build.read_server(pair.one, machine.id)
    assert (row["status"], row["OS-EXT-STS:task_state"], row["image"]) == ("ACTIVE", None, "")
    assert row["flavor"]["original_name"] == "t128"
    assert {"extra_specs", "vcpus", "ram", "disk", "ephemeral", "swap"} <= row["flavor"].keys()
    assert (row["metadata"]["vnf"], row["key_name"], row["tags"]) == (pair.stem, pair.stem, [])
    attached = {a["id"]: a["delete_on_termination"] for a in row["os-extended-volumes:volumes_attached"]}
    assert attached == dict.fromkeys(machine.made.volumes, False)
    assert build.attached_devices(pair.one, machine.id) == dict(
        zip(machine.made.volumes, ("/dev/vda", "/dev/vdb"), strict=True)
    )
    macs = {a["OS-EXT-IPS-MAC:mac_addr"] for rows in row["addresses"].values() for a in rows}
    assert len(macs) == 2
    assert "OS-EXT-SRV-ATTR:user_data" not in build.read_server(pair.member, machine.id)


def a_server_of_nonsense_is_refused(pair: Pair) -> None:
    machine, small = pair.machine(), flavor(pair.one)
    disk = {"source_type": "volume", "destination_type": "volume", "boot_index": 0}

    def asked(status: int, *words: str, **fields: object) -> None:
        wanted = {"name": pair.name("s"), "flavorRef": small, "networks": "none"} | fields
        refused(send(pair.one.compute, "POST", "/servers", {"server": wanted}, NOVA), status, *words)

    used = [disk | {"uuid": machine.made.volumes[0]}]
    missing = [disk | {"uuid": NOWHERE}]
    asked(400, "Flavor", flavorRef=NOWHERE, block_device_mapping_v2=missing)
    asked(400, block_device_mapping_v2=missing)
    asked(400, block_device_mapping_v2=used)
    for key in ("ключ", "a/b", "x" * 256):
        asked(400, "metadata", metadata={key: "x"}, block_device_mapping_v2=used)
    # Disks are looked at before keys.
    asked(400, "failed to get volume", key_name=pair.name("key"), block_device_mapping_v2=missing)
    refused(send(pair.one.compute, "GET", f"/servers/{NOWHERE}", None, NOVA), 404, "could not be found")
    with pytest.raises(NotFoundInSite):
        build.read_server(pair.one, NOWHERE)
    path = f"/servers/{machine.id}/action"
    refused(send(pair.one.compute, "POST", path, {"no-such-action": None}, NOVA), 400, "action")
    refused(send(pair.one.compute, "GET", "/servers", None, "2.999"), 406, "not supported")


def hosts_tell_the_room_they_have(pair: Pair) -> None:
    """To administrators; what servers take is counted, and the root disk of one that boots from a volume is not."""
    pair.machine()
    hosts = read_host_room(pair.one)
    assert hosts
    assert all(host.zone and host.vcpus > 0 and host.memory_mib > 0 for host in hosts)
    with pytest.raises(Refused):
        read_host_room(pair.member)
    asked = "/allocation_candidates?resources=MEMORY_MB:1"
    refused(send(pair.member.placement, "GET", asked, None, "1.29"), 403)
    refused(send(pair.one.placement, "GET", f"{asked},NO_SUCH:1", None, "1.29"), 400)
    rows = send(pair.one.placement, "GET", asked, None, "1.29").json()["provider_summaries"]
    assert all(row["root_provider_uuid"] == id for id, row in rows.items())
    used = {
        kind: sum(row["resources"][kind]["used"] for row in rows.values()) for kind in ("VCPU", "DISK_GB")
    }
    assert (used["VCPU"] >= 1, used["DISK_GB"]) == (True, 0)


def a_used_up_compute_quota_is_403(pair: Pair) -> None:
    pair.machine()
    used = headroom(pair.one)["compute"]["server_groups"].used
    with pair.quota("compute", server_groups=used):
        body = {"server_group": {"name": pair.name("group"), "policy": "affinity"}}
        refused(send(pair.one.compute, "POST", "/os-server-groups", body, NOVA), 403, "quota exceeded")
        record = ServerGroupRecord("", pair.name("group"), "affinity")
        with pytest.raises(OverQuota):
            build.ensure_server_group(pair.one, pair.token("g"), record)


def limits_of_one_thing_are_shown_without_what_is_used(pair: Pair) -> None:
    pair.machine()  # with a key pair, metadata and a group
    found = {**headroom(pair.one)["compute"], **headroom(pair.one)["block-storage"]}
    assert {name: found[name].used for name in LIMITS} == dict.fromkeys(LIMITS, 0)
    group = {"name": pair.name("group"), "policy": "affinity"}
    made = send(pair.one.compute, "POST", "/os-server-groups", {"server_group": group}, NOVA)
    path = f"/os-server-groups/{made.json()['server_group']['id']}"
    pair.later(send, pair.one.compute, "DELETE", path)
    keypair = {"keypair": {"name": pair.name("key"), "public_key": PUBLIC_KEY}}
    with pair.quota("compute", key_pairs=0):
        refused(send(pair.one.compute, "POST", "/os-keypairs", keypair, NOVA), 403, "quota exceeded")
    volume = {"volume": {"name": pair.name("large"), "size": 2}}
    with pair.quota("volume", per_volume_gigabytes=1):
        refused(send(pair.one.volume, "POST", "/volumes", volume), 413, "maximum allowed limit 1g")


def host_names_are_of_one_label_and_from_2_94_on_of_several(pair: Pair) -> None:
    def asked(name: str, version: str) -> Response:
        wanted = {"name": "any", "hostname": name, "flavorRef": NOWHERE, "networks": "none"}
        return send(pair.one.compute, "POST", "/servers", {"server": wanted}, version)

    for name, version in (("a", "2.90"), ("a.b.c", "2.90"), ("ä", "2.94")):
        refused(asked(name, version), 400, "hostname")
    for name, version in (("ab", "2.90"), ("a.b.c", "2.94"), ("a", "2.94")):
        assert "hostname" not in asked(name, version).text  # the flavor is what is wrong


def compute_hosts_are_listed_with_their_zones(pair: Pair) -> None:
    rows = ask(pair.one.compute, "GET", "/os-services?binary=nova-compute", None, NOVA)["services"]
    up = [row for row in rows if (row["status"], row["state"]) == ("enabled", "up")]
    zones = ask(pair.one.compute, "GET", "/os-availability-zone", None, NOVA)["availabilityZoneInfo"]
    assert {row["binary"] for row in rows} == {"nova-compute"}
    assert {row["zone"] for row in up} == {zone["zoneName"] for zone in zones}
    refused(send(pair.member.compute, "GET", "/os-services", None, NOVA), 403, "os-services")


def a_volume_can_be_made_to_go_with_its_server(pair: Pair) -> None:
    machine = pair.machine()
    volume_id = machine.made.volumes[1]
    path = f"/servers/{machine.id}/os-volume_attachments/{volume_id}"
    body = {"volumeAttachment": {"volumeId": volume_id, "delete_on_termination": False}}
    pair.later(send, pair.one.compute, "PUT", path, body, NOVA)
    build.delete_with_server(pair.one, machine.id, volume_id)
    rows = build.read_server(pair.one, machine.id)["os-extended-volumes:volumes_attached"]
    assert {r["id"]: r["delete_on_termination"] for r in rows}[volume_id] is True


def a_freeze_is_recorded_and_thawed(pair: Pair) -> None:
    machine = pair.machine()
    pair.later(quiesce.thaw, pair.one, machine.id)
    before = len(console.parse(build.console(pair.one, machine.id)).freezes)
    frozen = quiesce.freeze(pair.one, machine.id, 30)
    assert frozen.frozen_at is not None
    assert frozen.thaw_at is not None
    assert round((frozen.thaw_at - frozen.frozen_at).total_seconds()) == 30
    assert quiesce.state(pair.one, machine.id).state == "frozen"
    with pytest.raises(ConflictInSite):
        quiesce.freeze(pair.one, machine.id, 30)
    assert quiesce.state(pair.one, machine.id).thaw_at == frozen.thaw_at, "the first freeze stays in force"
    thawed = quiesce.thaw(pair.one, machine.id)
    assert (thawed.done, thawed.expired, thawed.frozen_at) == (True, False, frozen.frozen_at)
    assert quiesce.thaw(pair.one, machine.id).done, "thawing twice does no harm"
    assert quiesce.state(pair.one, machine.id).state == "thawed"
    assert len(console.parse(build.console(pair.one, machine.id)).freezes) == before + 1


def a_freeze_ends_by_itself_and_says_so(pair: Pair) -> None:
    machine = pair.machine()
    pair.later(quiesce.thaw, pair.one, machine.id)
    quiesce.freeze(pair.one, machine.id, 1)
    deadline = time.monotonic() + 20
    while quiesce.state(pair.one, machine.id).state != "thawed":
        assert time.monotonic() < deadline, "it is frozen beyond its limit"
        time.sleep(0.1)
    assert quiesce.thaw(pair.one, machine.id).expired
    quiesce.freeze(pair.one, machine.id, 30)
    assert not quiesce.thaw(pair.one, machine.id).expired, "that was of the freeze before"


def a_freeze_of_nonsense_is_refused(pair: Pair) -> None:
    machine = pair.machine()
    path = f"/servers/{machine.id}/action"
    nonsense: tuple[Any, ...] = ({"timeout": 0}, {"timeout": 100_000}, {"timeout": "30"}, {"unknown": 1}, [])
    for argument in nonsense:
        answer = send(pair.one.compute, "POST", path, {"quiesce": argument}, NOVA)
        refused(answer, 400, "Invalid input")
    refused(send(pair.member.compute, "POST", path, {"quiesce": None}, NOVA), 403)
    with pytest.raises(NotFoundInSite):
        quiesce.thaw(pair.one, NOWHERE)
    assert quiesce.state(pair.one, machine.id).state == "thawed"


def the_zone_that_was_asked_for_is_told(pair: Pair) -> None:
    """None was; the scheduler chose the one that is shown."""
    for site in (pair.one, pair.member):
        path = f"/servers/{pair.machine().id}"
        row = send(site.compute, "GET", path, None, zones.PINNED).json()["server"]
        assert row["pinned_availability_zone"] is None
        assert row["OS-EXT-AZ:availability_zone"]
        assert zones.asked_for(row) is None


def _works_anew(pair: Pair, server_id: str, before: str) -> None:
    """Wait until another boot than the one that told ``before`` writes records."""

    def seen() -> bool | None:
        with suppress(ConflictInSite):  # it has no console before it runs
            boot = console.newest(build.console(pair.one, server_id))
            return True if "GUEST-RECORD" in boot and boot[:120] != before[:120] else None
        return None

    deploy.until(seen, f"server {server_id} works anew", 240)


def a_server_is_stopped_once(pair: Pair) -> None:
    machine = pair.machine()
    path = f"/servers/{machine.id}/action"
    pair.later(_works_anew, pair, machine.id, console.newest(build.console(pair.one, machine.id)))
    pair.later(send, pair.one.compute, "POST", path, {"os-start": None}, NOVA)
    for _ in range(2):
        build.stop_server(pair.one, machine.id, timeout=120)
    refused(send(pair.one.compute, "POST", path, {"os-stop": None}, NOVA), 409, "Cannot 'stop'")
    row = build.read_server(pair.one, machine.id)
    assert (row["status"], row["OS-EXT-STS:task_state"]) == ("SHUTOFF", None)


def what_was_done_with_a_server_is_told(pair: Pair) -> None:
    """Newest first; what was refused is not among it, and members of the project may read it."""
    machine = pair.machine()
    path = f"/servers/{machine.id}/action"
    before = console.newest(build.console(pair.one, machine.id))
    newest = power.newest_of(power.actions(pair.one, machine.id))
    build.stop_server(pair.one, machine.id, timeout=120)
    refused(send(pair.one.compute, "POST", path, {"os-stop": None}, NOVA), 409, "Cannot 'stop'")
    (stop, *_) = power.actions(pair.member, machine.id)
    assert stop.name == "stop"
    assert power.ran_since(power.actions(pair.one, machine.id), newest) is None
    off = power.newest_of(power.actions(pair.one, machine.id))
    for _ in range(2):
        build.start_server(pair.one, machine.id, timeout=120)
    pair.later(_works_anew, pair, machine.id, before)
    found = power.actions(pair.one, machine.id)
    assert [action.name for action in found[:2]] == ["start", "stop"]
    assert power.ran_since(found, off) == found[0]
    with pytest.raises(NotFoundInSite):
        power.actions(pair.one, NOWHERE)


def a_token_that_is_none_is_refused(pair: Pair) -> None:
    lists = {"compute": "/servers", "block-storage": "/volumes", "network": "/v2.0/ports"}
    for service, path in lists.items():
        url = str(pair.one.endpoint(service)).rstrip("/") + path
        answer = pair.one.conn.session.get(
            url, authenticated=False, headers={"X-Auth-Token": "nonsense"}, raise_exc=False
        )
        assert answer.status_code == 401


CHECKS: tuple[Check, ...] = (
    a_flavor_is_made_once,
    hosts_tell_the_room_they_have,
    a_key_pair_is_made_once,
    a_server_group_is_found_by_its_name,
    a_server_is_shown_with_what_a_manifest_needs,
    a_server_of_nonsense_is_refused,
    a_used_up_compute_quota_is_403,
    limits_of_one_thing_are_shown_without_what_is_used,
    host_names_are_of_one_label_and_from_2_94_on_of_several,
    compute_hosts_are_listed_with_their_zones,
    a_volume_can_be_made_to_go_with_its_server,
    a_freeze_is_recorded_and_thawed,
    a_freeze_ends_by_itself_and_says_so,
    a_freeze_of_nonsense_is_refused,
    the_zone_that_was_asked_for_is_told,
    a_server_is_stopped_once,
    what_was_done_with_a_server_is_told,
    a_token_that_is_none_is_refused,
)
