"""How a move member by member grows and goes back, in which order, and what would part the members."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest

from multisite.domain.manifest import Manifest
from multisite.domain.model import Application, Member, MemberRole
from multisite.domain.recovery_plan import PlanGroup
from multisite.domain.stretched import Member as Part
from multisite.domain.stretched import StretchedNetwork, StretchKind, StretchState
from multisite.jobs.model import Json, Step, StepContext
from multisite.recovery.plans.rules import NO_PLAN, PlanRules
from multisite.recovery.recover.mapping import Rules
from multisite.recovery.recover.moves import turns
from multisite.recovery.recover.moves.model import MoveOrder, OneByOne, Taken, Turn
from multisite.recovery.recover.moves.scope import scoped
from multisite.recovery.recover.moves.source import SeenMember
from multisite.recovery.recover.moves.split import split
from multisite.recovery.recover.moves.stages import not_alone
from multisite.recovery.recover.moves.turns import grow, retreat, suffix, turn_order
from recovery.recover_samples import manifest

POINT = manifest()
SOURCE = POINT.source.name
MEMBERS = tuple(Member(s.id, s.name, n) for n, s in enumerate(POINT.servers, 1))
APPLICATION = Application("a1", "mme", "p1", SOURCE, MEMBERS)
IDS = tuple(member.server_id for member in MEMBERS)
ORDER = MoveOrder(
    "r1",
    str(uuid.uuid4()),
    "pr1",
    APPLICATION,
    "lyon",
    "p2",
    {},
    3,
    "alice",
    one_by_one=OneByOne("b", {}, IDS),
)


def moving(order: MoveOrder) -> OneByOne:
    assert order.one_by_one is not None
    return order.one_by_one


def after(order: MoveOrder, found: dict[str, Json]) -> MoveOrder:
    """Grown by these results, and by them alone."""
    assert grow(order, lambda _: None) is None
    longer = grow(order, found.get)
    assert longer is not None
    return MoveOrder.from_params(longer)


def one_turn(order: MoveOrder, number: int, turn: Turn) -> MoveOrder:
    """From where it may be stopped to where it was moved."""
    order = after(order, {f"go-on@{number}": {"next": "x"}})
    assert moving(order).turns[-1].begun
    order = after(order, {f"final{suffix(number, turn)}": {"newest": {}, "order": {"id": number}}})
    assert moving(order).turns[-1].final == {"id": number}
    order = after(order, {f"plan{suffix(number, turn)}": {"taken": {"volumes": [], "stopped": False}}})
    assert moving(order).turns[-1].taken == Taken((), stopped=False)
    return order


def test_it_grows_member_by_member_and_by_the_end() -> None:
    order = after(ORDER, {"prepared": {"members": []}})
    for number, id in enumerate(IDS, 1):
        assert [turn.server_id for turn in moving(order).turns] == list(IDS[:number])
        assert moving(order).turns[-1] == Turn(id)
        order = one_turn(order, number, Turn(id))
        order = after(order, {f"moved@{number}": {"name": "x"}})
    assert moving(order).ending
    assert grow(order, lambda _: {}) is None, "that is all"
    assert MoveOrder.from_params(order.to_params()) == order


def test_only_the_member_that_is_being_moved_is_taken_back() -> None:
    def back(order: MoveOrder, **found: Json) -> MoveOrder | None:
        params = retreat(order.to_params(), lambda name: found.get(name.split("@")[0]))
        return None if params is None else MoveOrder.from_params(params)

    order = after(ORDER, {"prepared": {}})
    assert back(ORDER) is back(order) is None, "nothing was stopped"
    moved = one_turn(order, 1, Turn(IDS[0]))
    assert back(moved, moved={"name": "x"}) is None, "it took over"
    for stage in (moved, after(order, {"go-on@1": {}})):
        shorter = back(stage)
        assert shorter is not None
        assert moving(shorter).turns == (Turn(IDS[0], attempt=2),)
    second = after(moved, {"moved@1": {}})
    assert back(second) is None, "between two members"
    begun = after(second, {"go-on@2": {}})
    shorter = back(begun)
    assert shorter is not None
    assert moving(shorter).turns == (*moving(moved).turns, Turn(IDS[1], attempt=2))
    again = one_turn(shorter, 2, moving(shorter).turns[-1])
    assert grow(again, {"moved@2": {}}.get) is None, "that is the first attempt's"
    assert grow(again, {"moved@2-2": {}}.get) is not None
    assert back(replace(again, one_by_one=replace(moving(again), ending=True))) is None
    assert retreat(replace(ORDER, one_by_one=None).to_params(), lambda _: None) is None, "all together"


def test_each_attempt_has_a_restore_point_of_its_own_that_is_known() -> None:
    one = replace(moving(ORDER), turns=(Turn(IDS[0]), Turn(IDS[1], attempt=2)))
    order = replace(ORDER, one_by_one=one)
    known = [id for id, _ in order.points()]
    assert len(set(known)) == 3
    assert known == [id for id, _ in MoveOrder.from_params(order.to_params()).points()]
    assert known[-1] == order.point_of(one.turns[1])
    assert [id for id, _ in replace(order, one_by_one=None).points()] == [ORDER.restore_point_id]


@pytest.mark.parametrize(
    ("standby", "groups", "wanted"),
    [
        ((), (), "123"),
        ("3", (), "312"),
        ("23", (), "231"),
        ((), ("2", "13"), "213"),
        ("3", ("2", "13"), "231"),
        ("3", ("2",), "231"),
    ],
)
def test_in_which_order(standby: str, groups: tuple[str, ...], wanted: str) -> None:
    """Groups of a plan first (who is in none comes last), then standbys, then the application's order."""
    server = POINT.servers[0]
    point = replace(
        POINT, servers=tuple(replace(server, id=f"s{n}", name=f"mme-{n}", order=n) for n in (1, 2, 3))
    )
    role = {n: MemberRole.STANDBY if str(n) in standby else MemberRole.ACTIVE for n in (1, 2, 3)}
    members = tuple(Member(f"s{n}", f"mme-{n}", n, role=role[n]) for n in (3, 1, 2))
    plan = tuple(PlanGroup(f"g{its}", tuple(f"mme-{n}" for n in its)) for its in groups)
    rules = PlanRules(plan) if plan else NO_PLAN
    found = turn_order(replace(APPLICATION, members=members), point, rules)
    assert "".join(id[-1] for id in found) == wanted


def shared() -> Manifest:
    """In which two servers have ports in every network."""
    ports = [replace(port, id=f"{port.id}-too") for port in POINT.ports]
    other = replace(POINT.servers[0], id="other", name="other", port_ids=tuple(port.id for port in ports))
    return replace(POINT, servers=(*POINT.servers, other), ports=(*POINT.ports, *ports))


def stretched(network_id: str, **more: Any) -> StretchedNetwork:
    parts = (Part(SOURCE, network_id), Part("lyon", "there"))
    made = StretchedNetwork(
        "n1", "hb", "p1", StretchKind.VLAN, StretchState.ACTIVE, "10.0.0.0/24", parts, segmentation_id=7
    )
    return replace(made, **more)


def test_what_would_part_the_members() -> None:
    point = shared()
    used = {port.network_id for port in POINT.ports if any(port.id in s.port_ids for s in POINT.servers)}
    network = next(n for n in point.networks if n.id in used)
    others = [stretched(n.id, id=n.id) for n in point.networks if n.id != network.id]

    def said(*networks: StretchedNetwork, **rules: Any) -> str:
        found = split(point, "lyon", Rules(one_by_one=True, **rules), [*others, *networks])
        return "; ".join(problem.what for problem in found.problems)

    assert "would not reach the others over it" in said()
    assert said(accept_split=True) == ""
    assert said(stretched(network.id)) == ""
    found = split(point, "lyon", Rules(one_by_one=True), [*others, stretched(network.id)])
    assert found.networks[network.id] == "there"
    elsewhere = (Part(SOURCE, network.id), Part("oslo", "x"))
    assert "would not reach" in said(stretched(network.id, members=elsewhere))
    assert "is creating" in said(stretched(network.id, state=StretchState.CREATING))
    assert "not its part in lyon" in said(stretched(network.id), networks={network.id: "another"})
    assert said(stretched(network.id), networks={network.id: "there"}) == ""
    rows = tuple(replace(n, shared=n.id == network.id) for n in point.networks)
    point = replace(point, networks=rows)
    assert "would not reach" in said(stretched(network.id, project_id="others")), (
        "nothing is told of others' networks"
    )
    assert said(stretched(network.id, project_id=point.project_id)) == ""
    point = shared()
    assert "stretched by remote ports" in said(stretched(network.id, kind=StretchKind.VXLAN))
    assert "stretched by remote ports" in said(
        stretched(network.id, kind=StretchKind.VXLAN), accept_split=True
    )
    assert said(stretched(network.id, kind=StretchKind.VXLAN), keep_addresses=False) == ""


def test_a_network_of_one_member_parts_nobody() -> None:
    """The negative control."""
    alone = replace(POINT, servers=POINT.servers[:1])
    assert split(alone, "lyon", Rules(one_by_one=True), []).problems == ()


def test_what_cannot_go_alone() -> None:
    def said(point: Manifest, **more: Any) -> str:
        members = [SeenMember(s.id, s.name, "ACTIVE", s.port_ids, s.volume_ids) for s in POINT.servers]
        members[0] = replace(members[0], **more)
        return "; ".join(f"{p.what} -> {p.remedy}" for p in not_alone(point, members, "lyon"))

    assert said(POINT) == ""
    first, second, *others = POINT.servers
    both = replace(second, volume_ids=(*second.volume_ids, first.volume_ids[0]))
    assert "several servers have it attached" in said(replace(POINT, servers=(first, both, *others)))
    assert "it boots from an image" in said(POINT, volumes=first.volume_ids[1:])


class Known:
    """A step's context that knows results."""

    job_id, step, token, project_id = "j1", "check@2", "multisite:j1:check@2", "p1"
    attempt, interrupted = 1, False

    def __init__(self, **results: Any) -> None:
        self.results, self.events = results, list[str]()

    def result_of(self, step: str, kind: Any) -> Any:
        return self.results[step]

    def progress(self, done: float, total: float | None = None, unit: str = "", detail: str = "") -> None:
        self.events.append(f"{done}/{total} {unit}{detail}")

    def event(self, message: str, **data: Json) -> None:
        self.events.append(message)

    def cancelled(self) -> bool:
        return True


def test_steps_under_other_names_find_each_other() -> None:
    def run(ctx: StepContext) -> Any:
        ctx.event("seen")
        ctx.progress(1, 2, "GiB")
        return ctx.result_of("check", str), ctx.result_of("beside", str), ctx.token, ctx.cancelled()

    undone: list[Any] = []

    def undo(ctx: StepContext, result: object) -> None:
        undone.extend([ctx.result_of("check", str), result])

    steps = [Step("check", "t", run), Step("work", "t", run, undo, ("check", "beside"))]
    check, work = scoped(steps, {"check": "check@2", "work": "work@2"})
    assert (check.name, work.name, work.needs) == ("check@2", "work@2", ("check@2", "beside"))
    assert (check.undo, check.limit) == (None, None)
    ctx = Known(**{"check@2": "a", "beside": "b", "check": "of another"})
    assert work.run(ctx) == ("a", "b", "multisite:j1:check@2", True)
    assert ctx.events == ["seen", "1/2 GiB"]
    assert work.undo is not None
    work.undo(ctx, "r")  # type: ignore[arg-type]
    assert undone == ["a", "r"]


def test_names_are_told_by_turn_and_attempt() -> None:
    assert (suffix(2, Turn("s")), suffix(2, Turn("s", attempt=3))) == ("@2", "@2-3")
    assert turns.names_of(IDS[::-1], APPLICATION) == [m.server_name for m in MEMBERS[::-1]]
