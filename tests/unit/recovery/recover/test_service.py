"""Recovering from the operator's word to the last gate, with the real engine and a simulated target."""

from __future__ import annotations

from dataclasses import replace

import pytest

from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict, Invalid, MultisiteError, NotFound
from multisite.domain.model import RecoveryState
from multisite.jobs.model import StepState
from multisite.recovery.rows import as_restore_point
from multisite.store.restore_points import RestorePointRepository
from tests.sim import deploy
from tests.unit.recovery.recover_samples import manifest
from tests.unit.recovery.recover_world import NEW, OPERATOR, OTHER_PROJECT, World
from tests.unit.simulated import SOURCE, Sent

TOKEN = {"multisite_token": "multisite:job:backup:web1:vda"}


class TestRecovered:
    def test_everything_is_as_it_was(self, world: World) -> None:
        point = world.point("all", planes=2)
        recovery, _ = world.recovered("all")
        target = world.target
        assert recovery.state is RecoveryState.DONE
        assert target.boots == ["web1", "web2"]
        for server, asked in zip(point.servers, target.bodies("POST", "/servers"), strict=True):
            made = target.named("servers", server.name)
            disks = asked["server"]["block_device_mapping_v2"]
            volumes = [target.state.volumes[d.volume_id] for d in made.disks]
            assert [v.name for v in volumes] == [f"{server.name}-a", f"{server.name}-b"]
            assert [(d["uuid"], d["boot_index"]) for d in disks] == [(volumes[0].id, 0), (volumes[1].id, -1)]
            ports = [target.state.ports[id] for id in made.ports]
            wanted = [p for p in manifest().ports if p.id in server.port_ids]
            assert [p["mac_address"] for p in ports] == [p.mac_address for p in wanted]
            addresses = [[ip["ip_address"] for ip in p["fixed_ips"]] for p in ports]
            assert addresses == [[a.address for a in p.fixed_addresses] for p in wanted]
            assert made.user_data == server.user_data
            assert made.key_name == "ops"
            assert made.metadata["vnf"] == "demo"
            assert made.id in target.state.server_groups[made.group_id]["members"]
            assert target.named("flavors", "t128")["id"] == made.flavor["id"]

    def test_the_operator_is_told_ids_addresses_and_the_console_line(self, world: World) -> None:
        point = world.point("told", planes=2)
        recovery, _ = world.recovered("told")
        first = recovery.servers[0]
        assert first["name"] == "web1"
        assert first["id"] in world.target.state.servers
        assert first["addresses"] == ["10.0.0.10", "10.1.0.10"]
        assert first["console"] == "GUEST-READY up=0.00"
        assert first["console"] in world.target.state.servers[first["id"]].console
        assert first["mark"] == "GUEST-FREEZE seq=0"
        assert first["devices"] == {"v-web1-a": "/dev/vda", "v-web1-b": "/dev/vdb"}
        assert recovery.rto_seconds is not None
        assert 0 < recovery.rto_seconds < 30
        assert recovery.rpo_seconds == (recovery.created_at - point.consistent_at).total_seconds()

    def test_no_step_calls_the_source(self, world: World) -> None:
        world.point("source", servers=1)
        world.sites.world.reconnect(SOURCE)
        for letter in "ab":
            for number in range(2):
                world.source.add_backup(f"b-v-web1-{letter}-{number}", f"v-web1-{letter}", metadata=TOKEN)
        recovery = world.start("source")
        asked = [(s.method, s.path) for s in world.source.sent if s.path != "/"]
        # Whose backups they are, and whether they are there, is in one list.
        assert [path for _, path in asked] == ["/servers/id-web1", "/backups/detail"], "only the preview asks"
        assert {method for method, _ in asked} == {"GET"}
        world.source.sent.clear()
        recovery, _ = world.wait(recovery)
        assert recovery.state is RecoveryState.DONE
        assert world.source.sent == []

    def test_group_rules_refer_to_the_new_groups_in_a_circle(self, world: World) -> None:
        world.point("rules", servers=1)
        world.recovered("rules")
        front, back = (world.target.named("security_groups", n) for n in ("front", "back"))
        assert front["id"] in [r["remote_group_id"] for r in back["security_group_rules"]]
        assert back["id"] in [r["remote_group_id"] for r in front["security_group_rules"]]
        assert len(front["security_group_rules"]) == 3

    def test_dhcp_cannot_take_an_address(self, world: World) -> None:
        # DHCP takes the first address of a pool at once, which is web1's.
        pools = tuple({"start": f"10.{p}.0.10", "end": f"10.{p}.0.99"} for p in range(2))
        subnets = [replace(s, allocation_pools=(p,)) for s, p in zip(manifest().subnets, pools, strict=True)]
        world.point("dhcp", planes=2, subnets=tuple(subnets))
        world.recovered("dhcp")
        assert all(s["enable_dhcp"] for s in world.target.state.subnets.values())
        served = [p for p in world.target.state.ports.values() if p["device_owner"] == "network:dhcp"]
        assert sorted(p["fixed_ips"][0]["ip_address"] for p in served) == ["10.0.0.12", "10.1.0.12"]

    def test_the_token_survives_a_restore_that_replaces_the_metadata(self, world: World) -> None:
        world.point("token", servers=1)
        kept = {"multisite_token": "multisite:other:step", "owner": "source"}
        objects = world.target.store.objects
        objects.update({id: replace(stored, metadata=kept) for id, stored in objects.items()})
        _, job = world.recovered("token")
        assert len(world.target.state.volumes) == 2
        for volume in world.target.state.volumes.values():
            assert volume.metadata["multisite_token"].startswith(f"multisite:{job.id}:volume-")
            assert volume.name.startswith("web")

    def test_imported_records_are_used_again(self, world: World) -> None:
        world.point("again", servers=1)
        known = world.target.add_backup("b-v-web1-a-0", "v-web1-a")
        world.recovered("again")
        assert len(world.target.state.backups) == 4
        assert world.target.state.backups["b-v-web1-a-0"] is known
        assert len(world.target.bodies("POST", "/backups/import_record")) == 3

    def test_a_blank_volume_first_where_cinder_would_choose_wrong(self, world: World) -> None:
        world.point("typed", servers=1)
        world.target.add_volume_type("fast")
        world.recovered("typed", NEW | {"volume_types": {"rbd": "fast"}})
        assert {v.volume_type for v in world.target.state.volumes.values()} == {"fast"}
        restored = [s.body["restore"] for s in world.target.sent if s.path.endswith("/restore")]
        assert {r["volume_id"] for r in restored} == world.target.state.volumes.keys()

    def test_mapped_things_are_used_and_left(self, world: World) -> None:
        world.point("mapped", servers=1, planes=1)
        target = world.target
        network = deploy.network(target.site, "prod", "10.8.0.0/24")
        deploy.keypair(target.site, "mine")
        there = target.left()
        assert there.keys() == {"networks", "subnets", "keypairs"}
        rules = NEW | {"networks": {"plane0": "prod"}, "keypairs": {"ops": "mine"}, "keep_addresses": False}
        recovery, _ = world.recovered("mapped", rules)
        assert recovery.servers[0]["addresses"] == ["10.8.0.2"], "DHCP has the first one"
        (port,) = [p for p in target.state.ports.values() if p["device_owner"] == "compute:nova"]
        assert port["network_id"] == network
        recovery, _ = world.undone(recovery)
        assert recovery.state is RecoveryState.UNDONE
        assert target.left() == there

    def test_the_next_preview_predicts_from_it(self, world: World) -> None:
        world.point("speed", servers=1)
        world.recovered("speed")
        predicted = world.service.preview(OPERATOR, "speed", "lyon", NEW).predicted_rto_seconds
        assert predicted is not None
        assert 0 < predicted < 60


class TestTrouble:
    def test_a_gate_that_fails_names_the_server_and_its_console(self, world: World) -> None:
        world.point("gate")
        world.target.before = world.target.say("Kernel panic - not syncing")
        recovery, job = world.wait(world.start("gate", NEW | {"ready_timeout": 0.2}))
        assert recovery.state is RecoveryState.PAUSED
        assert recovery.error is not None
        assert "server web1 at lyon: not ready" in recovery.error
        assert "no console line matches 'GUEST-READY'; last console lines: Kernel panic" in recovery.error
        assert world.target.boots == ["web1"], "the second one waits for the first one's gate"
        assert job.step("server-2").state is StepState.SKIPPED

    def test_resumed_it_goes_on_and_makes_nothing_twice(self, world: World) -> None:
        world.point("resume")
        world.target.before = world.target.say()
        recovery, _ = world.wait(world.start("resume", NEW | {"ready_timeout": 0.2}))
        before = world.target.left()
        world.target.before = world.target.say("GUEST-READY")
        world.service.resume(OPERATOR, recovery.id)
        recovery, _ = world.wait(recovery)
        assert recovery.state is RecoveryState.DONE
        assert recovery.error is None
        assert len(world.target.state.servers) == 2
        assert {k: v for k, v in world.target.left().items() if k != "servers"} == {
            k: v for k, v in before.items() if k != "servers"
        }

    def test_a_server_in_error_is_made_anew_on_the_same_ports_and_volumes(self, world: World) -> None:
        world.point("error")
        world.target.before = world.target.fail_builds
        recovery, _ = world.wait(world.start("error"))
        assert recovery.state is RecoveryState.PAUSED
        assert "server web1" in (recovery.error or "")
        world.target.before = lambda sent: None
        world.service.resume(OPERATOR, recovery.id)
        recovery, _ = world.wait(recovery)
        assert recovery.state is RecoveryState.DONE
        assert world.target.boots == ["web1", "web1", "web2"]
        assert len(world.target.state.volumes) == 4

    def test_a_restore_that_fails_is_made_anew(self, world: World) -> None:
        world.point("restore", servers=1)
        lost = world.target.store.objects.pop("b-v-web1-a-1")
        recovery, _ = world.wait(world.start("restore"))
        assert recovery.state is RecoveryState.PAUSED
        assert "volume web1-a from backup b-v-web1-a-1: ended as error_restoring" in (recovery.error or "")
        world.target.store.objects["b-v-web1-a-1"] = lost
        world.service.resume(OPERATOR, recovery.id)
        recovery, _ = world.wait(recovery)
        assert recovery.state is RecoveryState.DONE
        assert len(world.target.state.volumes) == 2

    @pytest.mark.parametrize(
        "path",
        ["/networks", "/subnets", "/ports", "/security-groups", "/flavors", "/os-keypairs",
         "/os-server-groups", "/servers", "/backups/import_record", "/backups/b-v-web1-a-1/restore"],
    )  # fmt: skip
    def test_a_lost_answer_makes_nothing_twice(self, world: World, path: str) -> None:
        name = "lost" + path.replace("/", "-")
        world.point(name, servers=1)
        rule = world.target.strike("lost", "POST", f"^{path}$")
        world.recovered(name)
        assert rule.struck == 1
        counts = {kind: len(ids) for kind, ids in world.target.left().items()}
        assert counts == {
            "networks": 1, "subnets": 1, "ports": 1, "security_groups": 2, "flavors": 1, "keypairs": 1,
            "server_groups": 1, "servers": 1, "volumes": 2,
        }  # fmt: skip

    @pytest.mark.parametrize("path", ["/networks", "/ports", "/servers", "/backups/b-v-web1-a-1/restore"])
    def test_undo_finds_what_was_never_answered(self, world: World, path: str) -> None:
        """The request took effect, the answer was lost, and looking for it failed too."""
        name = "blind" + path.replace("/", "-")
        world.point(name, servers=1, disks=1)
        where = "volumes" if "restore" in path else path[1:]

        def before(sent: Sent) -> None:
            if (sent.method, sent.path) == ("POST", path) and not world.target.faults:
                world.target.strike("lost", "POST", f"^{path}$")
                world.target.strike("error", "GET", f"^/{where}", status=500, times=10000)

        world.target.before = before
        recovery, _ = world.wait(world.start(name))
        assert recovery.state is RecoveryState.PAUSED
        assert [rule.struck > 0 for rule in world.target.faults] == [True, True]
        world.target.before = lambda sent: None
        world.target.heal()
        recovery, job = world.undone(recovery)
        assert recovery.state is RecoveryState.UNDONE, job.error
        assert world.target.left() == {}

    def test_an_mtu_the_site_cannot_carry_is_left_to_it(self, world: World) -> None:
        wide = tuple(replace(n, mtu=9000 if n.id == "n0" else 1400) for n in manifest().networks)
        world.point("mtu", planes=2, servers=1, networks=wide)
        world.recovered("mtu")
        assert sorted(n["mtu"] for n in world.target.state.networks.values()) == [1400, 1500]
        asked = [body["network"].get("mtu") for body in world.target.bodies("POST", "/networks")]
        assert sorted(asked, key=str) == [1400, 9000, None]


class TestWord:
    def test_the_name_must_be_said(self, world: World) -> None:
        world.point("word")
        with pytest.raises(Invalid, match="confirm: 'nonsense' is not the application's name"):
            world.service.start(OPERATOR, "word", "lyon", NEW, confirm="nonsense")
        assert world.target.sent == []

    def test_every_blocking_problem_is_listed_and_nothing_changed(self, world: World) -> None:
        world.point("blocked")
        world.target.add_network("plane0")
        world.target.sim.settings.backup_service = "down"
        with pytest.raises(Conflict) as caught:
            world.start("blocked", {})
        for word in ("flavor t128", "network plane0", "lyon down", "openstack flavor create"):
            assert word in str(caught.value)
        assert world.target.changes == []
        assert [r for r in world.service.list(OPERATOR) if r.restore_point_id == "blocked"] == []

    def test_one_at_a_time(self, world: World) -> None:
        world.point("twice", servers=1)
        world.target.before = world.target.say()
        first = world.start("twice", NEW | {"ready_timeout": 1})
        with pytest.raises(Conflict, match=first.id):
            world.start("twice")
        paused, _ = world.wait(first)
        assert paused.state is RecoveryState.PAUSED
        with pytest.raises(Conflict, match="is paused"):
            world.start("twice")

    def test_only_what_is_paused_is_resumed(self, world: World) -> None:
        world.point("done", servers=1)
        recovery, _ = world.recovered("done")
        with pytest.raises(Conflict):
            world.service.resume(OPERATOR, recovery.id)
        assert world.service.get(OPERATOR, recovery.id).state is RecoveryState.DONE

    def test_other_projects_see_nothing(self, world: World) -> None:
        world.point("mine", servers=1)
        recovery, _ = world.recovered("mine")
        for call in (
            lambda: world.service.preview(OTHER_PROJECT, "mine", "lyon", {}),
            lambda: world.start("mine", caller=OTHER_PROJECT),
            lambda: world.service.get(OTHER_PROJECT, recovery.id),
            lambda: world.service.undo(OTHER_PROJECT, recovery.id),
        ):
            with pytest.raises(NotFound):
                call()
        assert world.service.list(OTHER_PROJECT) == []
        admin = replace(OTHER_PROJECT, roles=frozenset({"admin"}))
        assert recovery.id in [r.id for r in world.service.list(admin)]

    def test_what_cannot_be_used_is_said_to_whose_it_is(self, world: World) -> None:
        good = world.point("damaged")
        damage(world, "damaged")
        nobodys = refusal(world, OPERATOR, "damaged")
        assert nobodys == "restore point: there is no restore point 'damaged'", "nobody can tell whose it is"
        admin = replace(OTHER_PROJECT, roles=frozenset({"admin"}))
        assert "digest" in refusal(world, admin, "damaged", Conflict)
        RestorePointRepository(world.database).add(as_restore_point(replace(good, project_id="proj")))
        assert "digest" in refusal(world, OPERATOR, "damaged", Conflict)
        assert refusal(world, OTHER_PROJECT, "damaged") == nobodys

    def test_anothers_is_refused_as_what_is_not_there(self, world: World) -> None:
        world.point("anothers")
        told = refusal(world, OTHER_PROJECT, "anothers")
        assert told.replace("anothers", "invented") == refusal(world, OTHER_PROJECT, "invented")
        assert str(world.manifests.path) not in told

    def test_a_target_that_is_not_there(self, world: World) -> None:
        with pytest.raises(NotFound):
            world.service.preview(OPERATOR, "nothing", "lyon", {})
        world.point("where")
        with pytest.raises(NotFound, match="nowhere"):
            world.service.preview(OPERATOR, "where", "nowhere", {})

    def test_a_live_source_blocks_until_the_operator_vouches(self, world: World) -> None:
        world.point("alive")
        world.sites.world.reconnect(SOURCE)
        server = world.source.add_server("id-web1", "web1")
        with pytest.raises(Conflict, match="active twice"):
            world.start("alive")
        found = world.service.preview(OPERATOR, "alive", "lyon", NEW)
        assert (found.source_state, found.startable) == ("alive", False)
        server.status = "SHUTOFF"
        assert world.service.preview(OPERATOR, "alive", "lyon", NEW).source_state == "stopped"

    @pytest.mark.parametrize(
        ("volume", "project", "metadata", "why"),
        [
            ("v-of-others", None, TOKEN, "a backup of volume v-of-others"),
            ("v-web1-a", "another", TOKEN, "not of the restore point's project"),
            ("v-web1-a", None, {}, "Multisite did not make it"),
            ("v-web1-a", None, TOKEN, None),
        ],
    )
    def test_backups_that_are_not_the_applications_block(
        self, world: World, volume: str, project: str | None, metadata: dict[str, str], why: str | None
    ) -> None:
        """As their own site says, where it answers; the last one is the negative control."""
        world.point("foreign", servers=1)
        for id in ("a-1", "b-0", "b-1"):
            world.source.add_backup(f"b-v-web1-{id}", f"v-web1-{id[0]}", metadata=TOKEN)
        made = world.source.add_backup("b-v-web1-a-0", volume)
        made.metadata = metadata
        if project:
            made.project_id = project
        silent = world.service.preview(OPERATOR, "foreign", "lyon", NEW)
        assert (silent.source_state, silent.startable) == ("unreachable", True)
        assert any("signature of the manifest vouches" in p.what for p in silent.problems)
        world.sites.world.reconnect(SOURCE)
        found = world.service.preview(OPERATOR, "foreign", "lyon", NEW)
        assert (found.source_state, found.startable) == ("stopped", why is None)
        if why is not None:
            with pytest.raises(Conflict, match=why):
                world.start("foreign")

    def test_backups_that_are_not_there_any_more_block(self, world: World) -> None:
        world.point("deleted", servers=1)
        world.source.add_backup("b-v-web1-a-0", "v-web1-a", metadata=TOKEN)
        world.source.add_backup("b-v-web1-a-1", "v-web1-a", metadata=TOKEN, status="deleting")
        world.sites.world.reconnect(SOURCE)
        found = [p for p in world.service.preview(OPERATOR, "deleted", "lyon", NEW).problems if p.blocking]
        assert [p.kind for p in found] == ["backup gone"] * 2
        assert [p.what.partition(":")[0] for p in found] == [
            "backup b-v-web1-a-1 of volume web1-a was deleted",
            "backups b-v-web1-b-0, b-v-web1-b-1 of volume web1-b were deleted",
        ]

    @pytest.mark.parametrize(("site", "state"), [(SOURCE, "unreachable"), ("oslo", "unknown")])
    def test_what_cannot_be_seen_is_unknown(self, world: World, site: str, state: str) -> None:
        world.point(f"see-{state}", source=replace(manifest().source, name=site))
        found = world.service.preview(OPERATOR, f"see-{state}", "lyon", NEW)
        assert (found.source_state, found.startable) == (state, True)

    def test_a_job_undone_by_its_own_name_is_seen(self, world: World) -> None:
        world.point("byjob", servers=1)
        recovery, _ = world.recovered("byjob")
        world.jobs.undo(recovery.job_id, "somebody")
        recovery, _ = world.wait(recovery)
        assert recovery.state is RecoveryState.UNDONE


def damage(world: World, id: str) -> None:
    (file,) = world.manifests.path.glob(f"**/{id}/manifest.json")
    file.write_bytes(file.read_bytes().replace(b'"size_gib":1', b'"size_gib":9', 1))


def refusal(world: World, caller: Caller, id: str, kind: type[MultisiteError] = NotFound) -> str:
    with pytest.raises(kind) as refused:
        world.service.preview(caller, id, "lyon", {})
    return str(refused.value)
