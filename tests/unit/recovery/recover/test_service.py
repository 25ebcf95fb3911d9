"""Recovering from the operator's word to the last gate, with the real engine and a target in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from multisite.clouds.errors import Unreachable
from multisite.domain.errors import Conflict, Invalid, MultisiteError, NotFound
from multisite.domain.model import RecoveryState
from multisite.jobs.model import StepState
from multisite.recovery.recover.target_facts import TargetNetwork
from tests.unit.recovery.recover_fakes import HttpError, lost
from tests.unit.recovery.recover_samples import manifest
from tests.unit.recovery.recover_world import NEW, OPERATOR, OTHER_PROJECT, World, row


class TestRecovered:
    def test_everything_is_as_it_was(self, world: World) -> None:
        world.point("all", planes=2)
        recovery, _ = world.recovered("all")
        target = world.target
        assert recovery.state is RecoveryState.DONE
        assert target.boots == ["web1", "web2"]
        for server in world.store.manifests["all"].servers:
            made = row(target, "servers", server.name)
            volumes = [target.rows["volumes"][d["uuid"]] for d in made["block_device_mapping_v2"]]
            assert [v["name"] for v in volumes] == [f"{server.name}-a", f"{server.name}-b"]
            assert [d["boot_index"] for d in made["block_device_mapping_v2"]] == [0, -1]
            ports = [target.rows["ports"][n["port"]] for n in made["networks"]]
            wanted = [p for p in manifest().ports if p.id in server.port_ids]
            assert [p["mac_address"] for p in ports] == [p.mac_address for p in wanted]
            addresses = [[ip["ip_address"] for ip in p["fixed_ips"]] for p in ports]
            assert addresses == [[a.address for a in p.fixed_addresses] for p in wanted]
            assert made["user_data"] == server.user_data
            assert made["key_name"] == "ops"
            assert made["metadata"]["vnf"] == "demo"
            assert made["os:scheduler_hints"]["group"] in target.rows["server_groups"]
            assert row(target, "flavors", "t128")["id"] == made["flavorRef"]

    def test_the_operator_is_told_ids_addresses_and_the_console_line(self, world: World) -> None:
        world.point("told", planes=2)
        recovery, _ = world.recovered("told")
        first = recovery.servers[0]
        assert first["name"] == "web1"
        assert first["id"] in world.target.rows["servers"]
        assert first["addresses"] == ["10.0.0.10", "10.1.0.10"]
        assert first["console"] == "GUEST-READY up=3"
        assert first["mark"] == "GUEST-FREEZE seq=0"
        assert first["devices"] == {"v-web1-a": "/dev/vda", "v-web1-b": "/dev/vdb"}
        assert recovery.rto_seconds is not None
        assert 0 < recovery.rto_seconds < 30
        point = world.store.manifests["told"]
        assert recovery.rpo_seconds == (recovery.created_at - point.consistent_at).total_seconds()

    def test_no_step_calls_the_source(self, world: World) -> None:
        world.point("source", servers=1)
        recovery = world.start("source")
        asked = world.opened.count("paris")
        assert asked == 1, "only the preview asks, once"
        world.wait(recovery)
        assert world.opened.count("paris") == asked
        assert world.source.calls == []

    def test_group_rules_refer_to_the_new_groups_in_a_circle(self, world: World) -> None:
        world.point("rules", servers=1)
        world.recovered("rules")
        front, back = (row(world.target, "security-groups", n) for n in ("front", "back"))
        assert front["id"] in [r["remote_group_id"] for r in back["security_group_rules"]]
        assert back["id"] in [r["remote_group_id"] for r in front["security_group_rules"]]
        assert len(front["security_group_rules"]) == 3

    def test_dhcp_cannot_take_an_address(self, world: World) -> None:
        # In the fake a subnet with DHCP on has given 10.x.0.10, web1's address, to its DHCP service.
        world.point("dhcp", planes=2)
        world.recovered("dhcp")
        assert all(s["enable_dhcp"] for s in world.target.rows["subnets"].values())

    def test_the_token_survives_a_restore_that_replaces_the_metadata(self, world: World) -> None:
        world.target.source_metadata = {"multisite_token": "multisite:other:step", "owner": "source"}
        world.point("token", servers=1)
        _, job = world.recovered("token")
        for volume in world.target.rows["volumes"].values():
            assert volume["metadata"]["multisite_token"].startswith(f"multisite:{job.id}:volume-")
            assert volume["name"].startswith("web")

    def test_imported_records_are_used_again(self, world: World) -> None:
        world.point("again", servers=1)
        world.target.rows["backups"]["b-v-web1-a-0"] = {"id": "b-v-web1-a-0", "status": "available"}
        world.recovered("again")
        assert len(world.target.rows["backups"]) == 4

    def test_a_blank_volume_first_where_cinder_would_choose_wrong(self, world: World) -> None:
        world.point("typed", servers=1)
        world.recovered("typed", NEW | {"volume_types": {"rbd": "fast"}})
        kinds = {
            (v.get("volume_type"), v.get("made_by_restore")) for v in world.target.rows["volumes"].values()
        }
        assert kinds == {("fast", None)}

    def test_mapped_things_are_used_and_left(self, world: World) -> None:
        world.point("mapped", servers=1, planes=1)
        target = world.target
        target.rows["networks"]["t-n"] = {"id": "t-n", "name": "prod", "tags": []}
        target.rows["subnets"]["t-s"] = {"id": "t-s", "network_id": "t-n", "cidr": "10.8.0.0/24", "tags": []}
        target.rows["keypairs"]["mine"] = {"name": "mine", "public_key": "ssh-rsa C"}
        world.facts = {
            "networks": (TargetNetwork("t-n", "prod", "t-proj"),),
            "keypairs": (replace(manifest().keypairs[0], name="mine"),),
        }
        rules = NEW | {"networks": {"plane0": "prod"}, "keypairs": {"ops": "mine"}, "keep_addresses": False}
        recovery, _ = world.recovered("mapped", rules)
        assert recovery.servers[0]["addresses"] == ["10.99.0.9"]
        world.service.undo(OPERATOR, recovery.id)
        world.wait(recovery)
        assert target.left() == {"networks": ["t-n"], "subnets": ["t-s"], "keypairs": ["mine"]}

    def test_the_next_preview_predicts_from_it(self, world: World) -> None:
        world.point("speed", servers=1)
        world.recovered("speed")
        predicted = world.service.preview(OPERATOR, "speed", "lyon", NEW).predicted_rto_seconds
        assert predicted is not None
        assert 0 < predicted < 60


class TestTrouble:
    def test_a_gate_that_fails_names_the_server_and_its_console(self, world: World) -> None:
        world.point("gate")
        world.target.console = "Kernel panic - not syncing\n"
        recovery, job = world.wait(world.start("gate", NEW | {"ready_timeout": 0.2}))
        assert recovery.state is RecoveryState.PAUSED
        assert recovery.error is not None
        assert "server web1 at lyon: not ready" in recovery.error
        assert "no console line matches 'GUEST-READY'; last console lines: Kernel panic" in recovery.error
        assert world.target.boots == ["web1"], "the second one waits for the first one's gate"
        assert job.step("server-2").state is StepState.SKIPPED

    def test_resumed_it_goes_on_and_makes_nothing_twice(self, world: World) -> None:
        world.point("resume")
        world.target.console = ""
        recovery, _ = world.wait(world.start("resume", NEW | {"ready_timeout": 0.2}))
        before = world.target.left()
        world.target.console = "GUEST-READY\n"
        world.service.resume(OPERATOR, recovery.id)
        recovery, _ = world.wait(recovery)
        assert recovery.state is RecoveryState.DONE
        assert recovery.error is None
        assert len(world.target.rows["servers"]) == 2
        assert {k: v for k, v in world.target.left().items() if k != "servers"} == {
            k: v for k, v in before.items() if k != "servers"
        }

    def test_a_server_in_error_is_made_anew_on_the_same_ports_and_volumes(self, world: World) -> None:
        world.point("error")
        world.target.boot_status = "ERROR"
        recovery, _ = world.wait(world.start("error"))
        assert recovery.state is RecoveryState.PAUSED
        assert "server web1" in (recovery.error or "")
        world.target.boot_status = "ACTIVE"
        world.service.resume(OPERATOR, recovery.id)
        recovery, _ = world.wait(recovery)
        assert recovery.state is RecoveryState.DONE
        assert world.target.boots == ["web1", "web1", "web2"]
        assert len(world.target.rows["volumes"]) == 4

    def test_a_restore_that_fails_is_made_anew(self, world: World) -> None:
        world.point("restore", servers=1)
        world.target.restore_status = "error_restoring"
        recovery, _ = world.wait(world.start("restore"))
        assert recovery.state is RecoveryState.PAUSED
        assert "volume web1-a from backup b-v-web1-a-1: ended as error_restoring" in (recovery.error or "")
        world.target.restore_status = "available"
        world.service.resume(OPERATOR, recovery.id)
        recovery, _ = world.wait(recovery)
        assert recovery.state is RecoveryState.DONE
        assert len(world.target.rows["volumes"]) == 2

    @pytest.mark.parametrize(
        "path",
        ["/networks", "/subnets", "/ports", "/security-groups", "/flavors", "/os-keypairs",
         "/os-server-groups", "/servers", "/backups/import_record", "/backups/b-v-web1-a-1/restore"],
    )  # fmt: skip
    def test_a_lost_answer_makes_nothing_twice(self, world: World, path: str) -> None:
        world.point(f"lost{path.count('/')}{path[1:9]}", servers=1)
        done: list[str] = []

        def after(method: str, at: str, body: Any) -> None:
            if method == "POST" and at == path and not done:
                done.append(at)
                raise lost(method, at)

        world.target.after = after
        world.recovered(f"lost{path.count('/')}{path[1:9]}")
        assert done
        counts = {kind: len(ids) for kind, ids in world.target.left().items()}
        assert counts == {
            "networks": 1, "subnets": 1, "ports": 1, "security-groups": 2, "flavors": 1, "keypairs": 1,
            "server_groups": 1, "servers": 1, "volumes": 2,
        }  # fmt: skip

    @pytest.mark.parametrize("path", ["/networks", "/ports", "/servers", "/backups/b-v-web1-a-1/restore"])
    def test_undo_finds_what_was_never_answered(self, world: World, path: str) -> None:
        """The request took effect, the answer was lost, and looking for it failed too."""
        name = f"blind{path.count('/')}{path[1:8]}"
        world.point(name, servers=1, disks=1)
        blind: list[str] = []
        where = "volumes" if "restore" in path else path[1:]

        def after(method: str, at: str, body: Any) -> None:
            if method == "POST" and at == path and not blind:
                blind.append(at)
                raise lost(method, at)

        def before(method: str, at: str) -> None:
            if blind and method == "GET" and at.startswith(f"/{where}"):
                raise HttpError(500, "the site is in trouble")

        world.target.after, world.target.before = after, before
        recovery, _ = world.wait(world.start(name))
        assert recovery.state is RecoveryState.PAUSED
        world.target.before = lambda method, at: None
        world.service.undo(OPERATOR, recovery.id)
        recovery, job = world.wait(recovery)
        assert recovery.state is RecoveryState.UNDONE, job.error
        assert world.target.left() == {}

    def test_an_mtu_the_site_cannot_carry_is_left_to_it(self, world: World) -> None:
        world.point("mtu", planes=2, servers=1)
        refusing = [1]

        def before(method: str, at: str) -> None:
            if (method, at) == ("POST", "/networks") and refusing:
                refusing.pop()
                raise HttpError(400, "Invalid input for operation: Requested MTU is too big")

        world.target.before = before
        world.recovered("mtu")
        assert sorted("mtu" in n for n in world.target.rows["networks"].values()) == [False, True]


class TestWord:
    def test_the_name_must_be_said(self, world: World) -> None:
        world.point("word")
        with pytest.raises(Invalid, match="confirm: 'nonsense' is not the application's name"):
            world.service.start(OPERATOR, "word", "lyon", NEW, confirm="nonsense")
        assert world.target.calls == []

    def test_every_blocking_problem_is_listed_and_nothing_changed(self, world: World) -> None:
        world.point("blocked")
        world.facts = {
            "networks": (TargetNetwork("t-n", "plane0", "t-proj"),),
            "backup_services": {"lyon": "down"},
        }
        with pytest.raises(Conflict) as caught:
            world.start("blocked", {})
        for word in ("flavor t128", "network plane0", "lyon down", "openstack flavor create"):
            assert word in str(caught.value)
        assert world.target.calls == []
        assert [r for r in world.service.list(OPERATOR) if r.restore_point_id == "blocked"] == []

    def test_one_at_a_time(self, world: World) -> None:
        world.point("twice", servers=1)
        world.target.console = ""
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

    def test_what_cannot_be_used_is_said(self, world: World) -> None:
        with pytest.raises(Conflict, match="digest"):
            world.service.preview(OPERATOR, "damaged", "lyon", {})
        with pytest.raises(NotFound):
            world.service.preview(OPERATOR, "nothing", "lyon", {})
        world.point("where")
        with pytest.raises(NotFound, match="nowhere"):
            world.service.preview(OPERATOR, "where", "nowhere", {})

    def test_a_live_source_blocks_until_the_operator_vouches(self, world: World) -> None:
        world.point("alive")
        world.source_error = None
        world.source.rows["servers"]["id-web1"] = {"id": "id-web1", "status": "ACTIVE"}
        with pytest.raises(Conflict, match="active twice"):
            world.start("alive")
        found = world.service.preview(OPERATOR, "alive", "lyon", NEW)
        assert (found.source_state, found.startable) == ("alive", False)
        world.source.rows["servers"]["id-web1"]["status"] = "SHUTOFF"
        assert world.service.preview(OPERATOR, "alive", "lyon", NEW).source_state == "stopped"

    @pytest.mark.parametrize(
        ("error", "state"),
        [
            (Unreachable("paris", "log in", "no route"), "unreachable"),
            (NotFound("site: there is no site 'paris'"), "unknown"),
        ],
    )
    def test_what_cannot_be_seen_is_unknown(self, world: World, error: MultisiteError, state: str) -> None:
        world.point(f"see-{state}")
        world.source_error = error
        found = world.service.preview(OPERATOR, f"see-{state}", "lyon", NEW)
        assert (found.source_state, found.startable) == (state, True)

    def test_a_job_undone_by_its_own_name_is_seen(self, world: World) -> None:
        world.point("byjob", servers=1)
        recovery, _ = world.recovered("byjob")
        world.jobs.undo(recovery.job_id, "somebody")
        recovery, _ = world.wait(recovery)
        assert recovery.state is RecoveryState.UNDONE
