"""What a recovery will do, and everything that may stand in its way."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multisite.domain.findings import Finding, Severity, blockers
from multisite.domain.manifest import (
    FixedAddress,
    FlavorRecord,
    KeypairRecord,
    SecurityGroupRecord,
    SecurityGroupRule,
    SubnetRecord,
    dump,
    load,
)
from multisite.domain.model import Preview
from multisite.recovery.methods.cinder_backups.payload import BackupChain, payload_of
from multisite.recovery.recover.checks import SourceAnswer, SourceState
from multisite.recovery.recover.mapping import parse
from multisite.recovery.recover.model import RecoverPlan
from multisite.recovery.recover.plan import decide
from multisite.recovery.recover.speed import SpeedModel
from multisite.recovery.recover.target_facts import (
    TargetGroup,
    TargetNetwork,
    TargetPort,
    TargetSubnet,
)
from tests.unit.recovery.recover_samples import (
    EGRESS,
    FLAVOR,
    KEY,
    NOW,
    facts,
    look,
    made,
    manifest,
    quota,
    volume,
)


def the_problem(found: Preview) -> Finding:
    problems = blockers(found.problems)
    assert len(problems) == 1, problems
    assert not found.startable
    return problems[0]


def network(name: str = "plane0", id: str = "t-n0", cidr: str = "10.0.0.0/24", **more: Any) -> TargetNetwork:
    subnets = (TargetSubnet(f"{id}-s", "any", id, cidr, 4),)
    return TargetNetwork(id, name, more.pop("project_id", "t-proj"), subnets=subnets, **more)


class TestNothingInTheWay:
    def test_startable_and_every_part_is_said(self) -> None:
        found = look()
        assert found.startable, found.problems
        kinds = Counter((item.action, item.kind) for item in found.items)
        assert kinds == {
            ("use", "project"): 1,
            ("import", "backup record"): 8,
            ("restore", "volume"): 4,
            ("use", "flavor"): 1,
            ("create", "key pair"): 1,
            ("create", "server group"): 1,
            ("create", "security group"): 2,
            ("create", "network"): 2,
            ("create", "subnet"): 2,
            ("create", "port"): 4,
            ("create", "server"): 2,
        }

    def test_age_of_the_data(self) -> None:
        assert look().data_age_seconds == 300

    def test_the_operator_reads_that_backup_records_stay(self) -> None:
        details = [item.detail for item in look().items if item.kind == "backup record"]
        assert all("stays after an undo" in detail for detail in details)

    def test_predicts_nothing_without_figures(self) -> None:
        assert look().predicted_rto_seconds is None

    def test_predicts_by_following_the_plan(self) -> None:
        speed = SpeedModel(seconds_per_gib=10, boot_seconds=7, restores_at_once=2, fixed_seconds=1)
        # Four volumes of 1 GiB, two at a time: 1 + 10, 1 + 10, 1 + 20, 1 + 20; boots one after the other.
        assert look(speed=speed).predicted_rto_seconds == 21 + 7
        slow_boot = replace(speed, boot_seconds=30)
        assert look(speed=slow_boot).predicted_rto_seconds == 11 + 30 + 30

    def test_user_data_stays_in_the_backup_store(self) -> None:
        found = made()
        assert "Y2xvdWQ" not in str(found.to_json())
        assert all(s.has_user_data and s.record.user_data is None for s in found.servers)

    def test_json_and_back(self) -> None:
        found = made()
        assert RecoverPlan.from_json(found.to_json()) == found


class TestFlavors:
    LACKING = facts(flavors=())

    def test_lacking_is_a_problem_with_the_command_and_the_option(self) -> None:
        problem = the_problem(look(target=self.LACKING))
        assert problem.kind == "flavor t128"
        assert "1 vCPU, 128 MiB, disk 1 GiB" in problem.what
        assert "openstack flavor create t128 --vcpus 1 --ram 128 --disk 1" in problem.remedy
        assert "let the recovery do so: --create-missing-flavors" in problem.remedy

    def test_the_option_makes_it(self) -> None:
        mapping = {"create_missing_flavors": True}
        assert look(target=self.LACKING, mapping=mapping).startable
        assert made(target=self.LACKING, mapping=mapping).flavors[0].use is None

    def test_an_equal_one_under_another_name_is_suggested_not_taken(self) -> None:
        other = facts(flavors=(replace(FLAVOR, id="x", name="tiny"),))
        assert "--map flavor:t128=tiny" in the_problem(look(target=other)).remedy
        assert made(target=other, mapping={"flavors": {"t128": "tiny"}}).flavors[0].use == "x"

    def test_same_name_other_size(self) -> None:
        other = facts(flavors=(replace(FLAVOR, id="x", memory_mib=256),))
        assert (
            "another size" in the_problem(look(target=other, mapping={"create_missing_flavors": True})).what
        )

    def test_mapped_to_a_smaller_one_is_a_note(self) -> None:
        small = facts(flavors=(replace(FLAVOR, id="x", name="small", memory_mib=64),))
        found = look(target=small, mapping={"flavors": {"t128": "small"}})
        assert found.startable
        assert any("smaller" in p.what for p in found.problems)

    def test_mapped_to_one_too_small_for_the_image(self) -> None:
        point = manifest(1)
        first = replace(point.volumes[0], image_metadata={"min_ram": "96"})
        point = replace(point, volumes=(first, *point.volumes[1:]))
        small = facts(flavors=(replace(FLAVOR, id="x", name="small", memory_mib=64),))
        assert "needs 96" in the_problem(look(point, small, {"flavors": {"t128": "small"}})).what

    def test_two_sizes_under_one_name(self) -> None:
        point = manifest(2)
        odd = replace(point.servers[1], flavor=FlavorRecord("", "t128", 2, 256, 1))
        point = replace(point, servers=(point.servers[0], odd))
        found = look(point, self.LACKING, {"create_missing_flavors": True})
        assert "different sizes" in the_problem(found).what

    def test_unknown_is_not_absent(self) -> None:
        target = facts(flavors=(), unknown={"flavors": "connection refused"})
        problem = the_problem(look(target=target))
        assert (problem.kind, "connection refused" in problem.what) == ("flavors", True)

    def test_unknown_is_told_although_something_of_the_kind_was(self) -> None:
        silent = Finding("", "backups", "whether they are there is not known", "", "", Severity.UNKNOWN)
        target = facts(unknown={"backups": "no answer within 60 s"})
        preview = decide(manifest(), target, parse({}), NOW, others=(silent,)).preview
        assert [p.what for p in preview.problems if p.blocking] == [
            "could not be read at lyon, so nothing can be said: no answer within 60 s"
        ]


class TestNetworks:
    def test_a_network_of_the_same_name_collides(self) -> None:
        problem = the_problem(look(target=facts(networks=(network(cidr="192.168.0.0/24"),))))
        assert problem.kind == "network plane0"
        assert "t-n0" in problem.what
        assert "use it: --map network:plane0=t-n0, or make another: " in problem.remedy

    def test_of_another_project_it_does_not(self) -> None:
        assert look(target=facts(networks=(network(project_id="other"),))).startable

    def test_another_name_for_the_new_one(self) -> None:
        target = facts(networks=(network(),))
        found = made(target=target, mapping={"network_names": {"plane0": "plane0-b"}})
        assert (found.networks[0].name, found.networks[0].use) == ("plane0-b", None)

    def test_mapped_it_is_used_with_the_subnet_that_holds_the_addresses(self) -> None:
        target = facts(networks=(network(id="t1", name="prod", cidr="10.0.0.0/16"),))
        found = made(target=target, mapping={"networks": {"plane0": "prod"}})
        assert found.networks[0].use == "t1"
        assert [s.use for s in found.networks[0].subnets] == ["t1-s"]

    def test_mapped_where_no_subnet_holds_the_addresses(self) -> None:
        target = facts(networks=(network(id="t1", name="prod", cidr="172.16.0.0/16"),))
        rules = {"networks": {"n0": "prod"}}
        assert "no subnet" in the_problem(look(target=target, mapping=rules)).what
        relaxed = look(target=target, mapping=rules | {"keep_addresses": False})
        assert relaxed.startable
        ports = made(target=target, mapping=rules | {"keep_addresses": False}).ports
        assert {p.mac_address for p in ports if p.record.network_id == "n0"} == {None}
        assert None not in {p.mac_address for p in ports if p.record.network_id == "n1"}

    @pytest.mark.parametrize(
        ("mac", "addresses", "word"),
        [
            ("fa:16:3e:99:99:99", ("10.0.0.10",), "address 10.0.0.10"),
            ("FA:16:3E:00:00:00", ("10.0.0.77",), "MAC"),
        ],
    )
    def test_an_address_or_mac_in_use(self, mac: str, addresses: tuple[str, ...], word: str) -> None:
        taken = TargetPort("p9", "t-n0", mac, addresses, "compute:nova")
        target = facts(networks=(network(name="prod"),), ports=(taken,))
        problem = the_problem(look(target=target, mapping={"networks": {"plane0": "prod"}}))
        assert word in problem.what
        assert "p9 (compute:nova)" in problem.what

    def test_overlap_is_a_note(self) -> None:
        target = facts(networks=(network(name="other", cidr="10.0.0.0/8"),))
        found = look(target=target)
        assert found.startable
        assert any("overlaps" in p.what for p in found.problems)

    def test_a_providers_network_must_be_mapped(self) -> None:
        point = manifest()
        point = replace(point, networks=(replace(point.networks[0], external=True), point.networks[1]))
        problem = the_problem(look(point, facts(networks=(network(external=True, project_id="x"),))))
        assert "external network" in problem.what
        assert "t-n0" in problem.remedy

    def test_mapped_to_nothing_or_to_many(self) -> None:
        assert "not at lyon" in the_problem(look(mapping={"networks": {"plane0": "prod"}})).what
        twins = facts(networks=(network("prod", "t1"), network("prod", "t2")))
        assert "t1, t2" in the_problem(look(target=twins, mapping={"networks": {"plane0": "prod"}})).remedy

    def test_addresses_neutron_derives_are_not_asked_for(self) -> None:
        point = manifest(1, planes=1)
        slaac = SubnetRecord("s0", "n0", "six", "2001:db8::/64", 6, None, dhcp=True)
        slaac = replace(slaac, ipv6_address_mode="slaac", ipv6_ra_mode="slaac")
        port = replace(point.ports[0], fixed_addresses=(FixedAddress("s0", "2001:db8::f816:3eff:fe00:0"),))
        point = replace(point, subnets=(slaac,), ports=(port,))
        assert [a.address for a in made(point).ports[0].addresses] == [None]


class TestSecurityGroups:
    def test_the_default_group_becomes_one_of_the_application(self) -> None:
        point = manifest()
        groups = (replace(point.security_groups[0], name="default"), point.security_groups[1])
        found = look(replace(point, security_groups=groups))
        item = next(i for i in found.items if i.kind == "security group")
        assert item.name == "demo-default"
        assert "stays as it is" in item.detail

    def test_or_what_the_operator_maps_it_to(self) -> None:
        point = manifest()
        groups = (replace(point.security_groups[0], name="default"), point.security_groups[1])
        target = facts(security_groups=(TargetGroup("t-d", "default", "t-proj", EGRESS),))
        rules = {"security_groups": {"default": "default"}}
        found = made(replace(point, security_groups=groups), target, rules)
        assert found.security_groups[0].use == "t-d"

    def test_same_name_and_rules_is_used_also_with_references_in_a_circle(self) -> None:
        def group(id: str, name: str, remote: str, *more: Any) -> TargetGroup:
            rule = SecurityGroupRule("ingress", "IPv4", *more, remote_group_id=remote)
            return TargetGroup(id, name, "t-proj", (*EGRESS, rule))

        same = (group("tg1", "front", "tg2", "tcp", 80, 80), group("tg2", "back", "tg1"))
        assert [g.use for g in made(target=facts(security_groups=same)).security_groups] == ["tg1", "tg2"]

    def test_same_name_other_rules(self) -> None:
        other = facts(security_groups=(TargetGroup("tg1", "front", "t-proj", EGRESS),))
        problem = the_problem(look(target=other))
        assert (problem.kind, "other rules" in problem.what) == ("security group front", True)
        rules = {"security_group_names": {"front": "front-b"}}
        assert made(target=other, mapping=rules).security_groups[0].name == "front-b"

    def test_a_rule_that_leads_out_of_the_restore_point(self) -> None:
        stray = SecurityGroupRecord(
            "g1", "front", rules=(SecurityGroupRule("ingress", "IPv4", remote_group_id="g9"),)
        )
        point = manifest()
        point = replace(point, security_groups=(stray, point.security_groups[1]))
        assert "g9" in the_problem(look(point)).what
        target = facts(security_groups=(TargetGroup("t9", "partners", "t-proj"),))
        found = made(point, target, {"security_groups": {"g9": "partners"}})
        assert found.remote_groups == {"g9": "t9"}


class TestOtherThings:
    def test_key_pairs(self) -> None:
        same = facts(keypairs=(KeypairRecord("ops", KEY.replace("operator@source", "someone")),))
        assert made(target=same).keypairs[0].use == "ops"
        other = facts(keypairs=(KeypairRecord("ops", "ssh-ed25519 BBBB"),))
        assert "another public key" in the_problem(look(target=other)).what
        assert "--map keypair-name:ops=" in the_problem(look(target=other)).remedy
        renamed = made(target=other, mapping={"keypair_names": {"ops": "ops-2"}})
        assert [(k.use, k.name) for k in renamed.keypairs] == [(None, "ops-2")]
        assert {s.key_name for s in renamed.servers} == {"ops-2"}
        both = facts(keypairs=(KeypairRecord("ops", "ssh-ed25519 BBBB"), KeypairRecord("mine", "ssh-rsa C")))
        found = made(target=both, mapping={"keypairs": {"ops": "mine"}})
        assert {s.key_name for s in found.servers} == {"mine"}

    def test_a_key_pair_that_could_not_be_read_is_left_out(self) -> None:
        found = look(manifest(keypairs=()))
        assert found.startable
        assert made(manifest(keypairs=())).servers[0].key_name is None

    def test_volume_types(self) -> None:
        point = manifest(1, disks=1)
        typed = replace(point, volumes=(replace(point.volumes[0], volume_type="gold"),))
        found = look(typed)
        assert found.startable
        assert any("no volume type 'gold'" in p.what for p in found.problems)
        assert made(typed).volumes[0].volume_type is None
        mapped = made(typed, mapping={"volume_types": {"gold": "fast"}}).volumes[0]
        assert (mapped.volume_type, mapped.details["blank_first"]) == ("fast", True)

    def test_cinder_makes_the_volume_when_type_and_size_allow(self) -> None:
        assert not any(v.details["blank_first"] for v in made().volumes)
        grown = replace(manifest(1, disks=1), volumes=(replace(volume("web1", "a"), size_gib=5),))
        assert made(grown).volumes[0].details["blank_first"]

    def test_zones(self) -> None:
        elsewhere = facts(availability_zones=("az1",))
        found = look(target=elsewhere)
        assert found.startable
        assert any("no availability zone 'nova'" in p.what for p in found.problems)
        assert made(target=elsewhere).servers[0].availability_zone is None
        rules = {"availability_zones": {"nova": "az1"}}
        assert made(target=elsewhere, mapping=rules).servers[0].availability_zone == "az1"
        wrong = look(target=elsewhere, mapping={"availability_zones": {"nova": "az9"}})
        assert all("az9" in p.what for p in blockers(wrong.problems))

    def test_known_backups_are_used(self) -> None:
        target = facts(backups={"b-v-web1-a-0": ("available", "v-web1-a")})
        actions = Counter(i.action for i in look(target=target).items if i.kind == "backup record")
        assert actions == {"use": 1, "import": 7}

    def test_a_broken_backup_record_blocks_and_is_not_to_be_deleted(self) -> None:
        target = facts(backups={"b-v-web1-a-0": ("error", "v-web1-a")})
        problem = the_problem(look(target=target))
        assert "never delete it while it names a container" in problem.remedy

    def test_a_record_of_another_volume_blocks(self) -> None:
        target = facts(backups={"b-v-web1-a-0": ("available", "v-other")})
        assert "is one of volume v-other at the target" in the_problem(look(target=target)).what
        data = dump(manifest()).replace(b"b-v-web1-a-0", b"b-of-others-0")
        assert "has the record of another backup" in the_problem(look(load(data))).what

    @pytest.mark.parametrize(
        ("change", "word"),
        [
            ({"backup_services": {"lyon": "down"}}, "lyon down"),
            ({"backup_services": {}}, "no backup service"),
            ({"unknown": {"backup_services": "HTTP 503"}}, "HTTP 503"),
        ],
    )
    def test_the_backup_service(self, change: dict[str, Any], word: str) -> None:
        problem = the_problem(look(target=facts(**change)))
        assert (problem.kind, word in problem.what) == ("cinder-backup", True)

    def test_the_source_alive(self) -> None:
        problem = the_problem(look(source=SourceAnswer(SourceState.ALIVE)))
        assert "active twice" in problem.what
        assert "--source-is-fenced" in problem.remedy
        assert look(source=SourceAnswer(SourceState.ALIVE), mapping={"source_is_fenced": True}).startable

    @pytest.mark.parametrize("state", [SourceState.UNREACHABLE, SourceState.UNKNOWN])
    def test_no_answer_is_said_to_be_unknown(self, state: SourceState) -> None:
        found = look(source=SourceAnswer(state))
        assert found.startable
        assert found.source_state == state.value
        assert any("unknown" in p.what for p in found.problems if p.kind == "site paris")

    def test_all_problems_at_once(self) -> None:
        target = facts(flavors=(), networks=(network(),), quotas={"cores": quota("cores", 1)})
        assert {p.kind for p in blockers(look(target=target).problems)} == {
            "flavor t128",
            "network plane0",
            "quota cores",
        }

    def test_notes_of_the_restore_point_are_shown(self) -> None:
        found = look(
            manifest(notes=("server web1 has a floating address: it is not carried over",), quiesced=False)
        )
        assert found.startable
        assert sum("floating" in p.what or "without quiescing" in p.what for p in found.problems) == 2

    @pytest.mark.parametrize(
        "part", ["volumes", "ports", "networks", "subnets", "security_groups", "server_groups"]
    )
    def test_a_restore_point_with_a_hole_is_refused(self, part: str) -> None:
        found = look(manifest(**{part: getattr(manifest(), part)[1:]}))
        assert any("not described" in p.what or "not part of" in p.what for p in blockers(found.problems))

    def test_a_volume_without_backup(self) -> None:
        point = manifest(1, disks=1)
        assert not look(
            replace(point, volumes=(replace(point.volumes[0], payload=payload_of(BackupChain(()))),))
        ).startable


class TestBootOrder:
    def test_one_after_the_other(self) -> None:
        servers = made(manifest(3)).servers
        assert [s.record.name for s in servers] == ["web1", "web2", "web3"]
        assert [s.after for s in servers] == [(), ("ready-1",), ("ready-2",)]

    def test_equal_order_boots_together(self) -> None:
        point = manifest(3)
        servers = (point.servers[0], replace(point.servers[1], order=2), replace(point.servers[2], order=2))
        assert [s.after for s in made(replace(point, servers=servers)).servers] == [
            (),
            ("ready-1",),
            ("ready-1",),
        ]

    def test_parallel(self) -> None:
        assert {s.after for s in made(manifest(3), mapping={"parallel_boot": True}).servers} == {()}

    def test_the_boot_volume_first_then_by_device(self) -> None:
        point = manifest(1, disks=3)
        shuffled = replace(point.servers[0], volume_ids=("v-web1-c", "v-web1-a", "v-web1-b"))
        found = made(replace(point, servers=(shuffled,))).servers[0]
        assert found.record.volume_ids == ("v-web1-a", "v-web1-b", "v-web1-c")


orders = st.lists(st.integers(1, 4), min_size=1, max_size=6)


@given(
    orders=orders,
    disks=st.integers(1, 3),
    planes=st.integers(1, 3),
    parallel=st.booleans(),
    mapped=st.booleans(),
)
@settings(max_examples=60, deadline=timedelta(seconds=5))
def test_any_plan_is_complete_and_ordered(
    orders: list[int], disks: int, planes: int, parallel: bool, mapped: bool
) -> None:
    point = manifest(len(orders), disks=disks, planes=planes)
    servers = tuple(replace(s, order=o) for s, o in zip(point.servers, orders, strict=True))
    point = replace(point, servers=servers)
    target = facts(networks=(network(name="prod"),), quotas={})
    rules = {"parallel_boot": parallel} | ({"networks": {"n0": "prod"}} if mapped else {})
    decision = decide(point, target, parse(rules), NOW)
    found = decision.plan
    assert decision.preview.startable
    assert sorted(p.record.id for p in found.ports) == sorted(p.id for p in point.ports)
    assert sorted(v.record.id for v in found.volumes) == sorted(v.id for v in point.volumes)
    assert sorted(s.record.id for s in found.servers) == sorted(s.id for s in point.servers)
    place = {s.gate: n for n, s in enumerate(found.servers)}
    by_gate = {s.gate: s.record.order for s in found.servers}
    for server in found.servers:
        earlier = {s.record.order for s in found.servers if s.record.order < server.record.order}
        expected = {g for g, o in by_gate.items() if earlier and o == max(earlier)}
        assert set(server.after) == (set() if parallel else expected)
        assert all(place[gate] < place[server.gate] for gate in server.after)
    assert RecoverPlan.from_json(found.to_json()) == found
