"""Groups of a recovery plan and their gates: what is kept, what is planned, and when a gate is passed."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from multisite.clouds.errors import Cancelled
from multisite.domain.errors import Invalid
from multisite.domain.findings import blockers
from multisite.domain.model import Purpose
from multisite.jobs.model import StepFailed
from multisite.recovery.plans.groups import parse_groups
from multisite.recovery.plans.outside import NOTHING, Outside, outside
from multisite.recovery.plans.rules import PlanRules
from multisite.recovery.recover.gates import port_missing, wait_until
from multisite.recovery.recover.mapping import parse
from multisite.recovery.recover.model import RecoverPlan
from multisite.recovery.recover.plan import Decision, SpeedModel, decide
from tests.unit.recovery.recover_samples import NOW, facts, manifest

POINT = manifest(servers=4)
REACH = outside(["10.0.0.0/8"])
PORT = {"kind": "port", "port": 5432}
GROUPS = [
    {"name": "data", "members": ["web3", "web4"], "gates": [PORT, {"kind": "console", "match": "up"}]},
    {"name": "front", "members": ["id-web1"]},
]


def decided(
    groups: list[dict[str, Any]], reach: Outside = REACH, purpose: Purpose = Purpose.DISASTER, **rules: Any
) -> Decision:
    boot = PlanRules(parse_groups(groups, rules), reach)
    return decide(
        POINT, facts(), parse(rules), NOW, by_plan=boot, purpose=purpose, speed=SpeedModel(1.0, 10.0)
    )


def told(found: Decision, kind: str, action: str) -> list[tuple[str, str]]:
    return [(i.name, i.detail) for i in found.preview.items if (i.kind, i.action) == (kind, action)]


def test_members_of_a_group_boot_together_after_the_group_before() -> None:
    plan = decided(GROUPS).plan
    after = {server.record.name: server.after for server in plan.servers}
    assert after == {"web3": (), "web4": (), "web1": ("boot-group-1",), "web2": ("boot-group-2",)}
    assert [group.name for group in plan.boot_groups] == ["data", "front", "the others"]
    assert RecoverPlan.from_json(plan.to_json()) == plan


def test_without_groups_the_order_is_the_applications() -> None:
    """The negative control of the above."""
    plan = decided([]).plan
    assert [len(server.after) for server in plan.servers] == [0, 1, 1, 1]
    assert plan.boot_groups == ()


def test_who_is_in_no_group_boots_last_and_is_told() -> None:
    found = decided(GROUPS)
    (note,) = [f for f in found.preview.problems if f.kind == "group the others"]
    assert "web2: in no group of the recovery plan" in note.what
    assert not blockers([note])


def test_a_member_that_left_is_told_and_in_nobodys_way() -> None:
    found = decided([{"name": "data", "members": ["web1", "gone"]}, {"name": "rest", "members": ["gone-2"]}])
    notes = [
        f.what for f in found.preview.problems if f.kind.startswith("group ") and "has no server" in f.what
    ]
    assert len(notes) == 2
    assert [group.name for group in found.plan.boot_groups] == ["data", "the others"]
    assert found.preview.startable


def test_gates_are_shown_and_planned_for_each_member() -> None:
    found = decided(GROUPS)
    shown = told(found, "gate", "wait")
    assert Counter(name for name, _ in shown) == {"web3": 2, "web4": 2}
    assert shown[0][1] == "port 5432 of its address in its first network within 300 s"
    gates = found.plan.boot_groups[0].gates
    assert [g.step for g in gates] == ["gate-1-1-1", "gate-1-1-2", "gate-1-2-1", "gate-1-2-2"]
    assert {g.port_id for g in gates if g.gate.kind == "port"} == {
        s.port_ids[0] for s in POINT.servers if s.name in ("web3", "web4")
    }


@pytest.mark.parametrize("reach", [NOTHING, outside(["192.0.2.0/24"])])
def test_a_gate_may_only_connect_to_what_the_configuration_names(reach: Outside) -> None:
    found = decided(GROUPS, reach)
    said = [f for f in blockers(found.preview.problems) if f.kind.startswith("gate of server")]
    assert len(said) == 2
    assert "[recovery_plans] gate_networks" in said[0].remedy
    assert blockers(decided(GROUPS).preview.problems) == ()


def test_a_drill_connects_to_nobody() -> None:
    """The address of its copy may be that of production, which would answer."""
    found = decided(GROUPS, NOTHING, Purpose.DRILL)
    left = told(found, "gate", "leave out")
    assert {name for name, _ in left} == {"web3", "web4"}
    assert "may be that of production" in left[0][1]
    assert {g.gate.kind for g in found.plan.boot_groups[0].gates} == {"console"}


def test_a_network_that_a_member_is_not_in() -> None:
    groups = [{"name": "data", "members": ["web1"], "gates": [PORT | {"network": "nowhere"}]}]
    (said,) = blockers(decided(groups).preview.problems)
    assert "it has no address in nowhere" in said.what
    assert "plane0" in said.remedy


def test_a_name_of_two_servers_must_be_an_id() -> None:
    twice = tuple(replace(s, name="web1") for s in POINT.servers)
    boot = PlanRules(parse_groups([{"name": "data", "members": ["web1"]}], {}))
    with pytest.raises(Invalid, match="'web1' is the name of 4 servers; name one of id-web1"):
        decide(replace(POINT, servers=twice), facts(), parse({}), NOW, by_plan=boot)
    both = [{"name": "a", "members": ["web1"]}, {"name": "b", "members": ["id-web1"]}]
    with pytest.raises(Invalid, match=r"server web1 .* is in two groups"):
        decided(both)


def test_the_time_of_a_group_is_that_of_its_slowest() -> None:
    assert decided(GROUPS).preview.predicted_rto_seconds is not None
    one = decided([{"name": "all", "members": ["web1", "web2", "web3", "web4"]}])
    assert one.preview.predicted_rto_seconds < decided(GROUPS).preview.predicted_rto_seconds  # type: ignore[operator]


@pytest.mark.parametrize(
    ("group", "said"),
    [
        ({"members": []}, "groups.0.members: name at least one member"),
        ({"gates": [{"kind": "port"}]}, "groups.0.gates.0.port: a gate of kind port needs it"),
        ({"gates": [{"kind": "console"}]}, "groups.0.gates.0.match: a gate of kind console needs it"),
        ({"gates": [{"kind": "agent", "port": 1}]}, "groups.0.gates.0.port: only a gate of kind port has it"),
        ({"gates": [{"kind": "command"}]}, "groups.0.gates.0.kind: "),
        ({"gates": [PORT | {"timeout": 0}]}, "groups.0.gates.0.timeout: "),
        ({"gates": [PORT | {"members": ["web9"]}]}, "'web9' is no member of group 'data'; it has: web1"),
        ({"gates": [PORT | {"ports": 1}]}, "groups.0.gates.0.ports: there is no such field of a gate"),
        ({"gate": []}, "groups.0.gate: there is no such field of a group"),
    ],
)
def test_groups_are_checked_when_they_are_kept(group: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        parse_groups([{"name": "data", "members": ["web1"]} | group], {})


def test_groups_and_one_boot_for_all_contradict() -> None:
    with pytest.raises(Invalid, match=r"mapping\.parallel_boot: the plan has groups"):
        parse_groups(GROUPS, {"parallel_boot": True})
    with pytest.raises(Invalid, match="'data' is the name of two groups"):
        parse_groups([{"name": "data", "members": ["a"]}, {"name": "data", "members": ["b"]}], {})
    with pytest.raises(Invalid, match="'a' is named twice"):
        parse_groups([{"name": "x", "members": ["a"]}, {"name": "y", "members": ["a"]}], {})


def test_networks_of_gates_are_read() -> None:
    assert REACH.may_connect("10.1.2.3")
    assert not REACH.may_connect("127.0.0.1")
    assert not REACH.may_connect("localhost")
    with pytest.raises(Invalid, match=r"\[recovery_plans\] gate_networks: .*give networks such as"):
        outside(["10.0.0.1/8"])


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def test_a_port_is_open_closed_or_unreachable(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    assert port_missing("127.0.0.1", port) == ""
    listener.close()
    assert port_missing("127.0.0.1", port) == "refused: nothing listens there yet"
    assert port_missing("255.255.255.255", port).startswith("unreachable from where Multisite runs: ")


class Context:
    """As much of a step's as a gate needs."""

    def __init__(self, cancelled: bool = False) -> None:
        self.said: list[str] = []
        self.cancelled = lambda: cancelled

    def progress(self, _done: float, _total: float, _unit: str, detail: str) -> None:
        self.said.append(detail)


def test_a_gate_waits_until_it_is_so() -> None:
    answers, slept = iter(["no", "not yet", ""]), []
    context: Any = Context()
    wait_until(lambda: next(answers), "gate", 60, context, pause=slept.append, clock=lambda: 0.0)
    assert context.said == ["no", "not yet"]
    assert len(slept) == 2


def test_a_gate_has_a_limit_and_can_be_cancelled() -> None:
    times, context = iter([0.0, 1.0, 61.0]), Context()
    with pytest.raises(StepFailed, match="gate: not so after 61 s: no: resume when it is, or undo"):
        wait_until(lambda: "no", "gate", 60, context, pause=lambda _: None, clock=lambda: next(times))  # type: ignore[arg-type]
    with pytest.raises(Cancelled):
        wait_until(lambda: "no", "gate", 60, Context(cancelled=True))  # type: ignore[arg-type]
