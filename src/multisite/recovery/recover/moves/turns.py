"""In which order members are moved, and how a move member by member grows and goes back; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from multisite.domain.manifest import Manifest
from multisite.domain.model import Application, MemberRole
from multisite.jobs.model import Json
from multisite.jobs.values import plain_object
from multisite.recovery.plans.rules import PlanRules
from multisite.recovery.recover.boot_groups import arrange
from multisite.recovery.recover.moves.dependencies import FINAL, PLAN
from multisite.recovery.recover.moves.model import MoveOrder, OneByOne, Turn

PREPARED = "prepared"
"""Name of the step after which the first member may be stopped."""


def turn_order(application: Application, manifest: Manifest, rules: PlanRules) -> tuple[str, ...]:
    """Ids of the members.  By the groups of a recovery plan, if it has any; then standbys before those that are active,
    so that one that serves is moved when its partner can serve already; then the application's order.
    """
    groups: dict[str, int] = {}
    if rules.groups:
        groups = {server.id: server.order for server in arrange(manifest, rules).manifest.servers}

    def turn(member: object) -> tuple[int, bool, int, str]:
        m = by_id[str(member)]
        return groups.get(m.server_id, len(groups) + 1), m.role is MemberRole.ACTIVE, m.order, m.server_name

    by_id = {member.server_id: member for member in application.members}
    return tuple(sorted(by_id, key=turn))


def suffix(number: int, turn: Turn) -> str:
    """What the names of a turn's steps end with; of an attempt after the first, too."""
    return f"@{number}" + (f"-{turn.attempt}" if turn.attempt > 1 else "")


def go_on_step(number: int) -> str:
    """After it the member with this number may be stopped."""
    return f"go-on@{number}"


def moved_step(number: int, turn: Turn) -> str:
    """After it the member runs at the target, and is not taken back."""
    return f"moved{suffix(number, turn)}"


def grow(order: MoveOrder, result: Callable[[str], Json]) -> Mapping[str, Json] | None:
    """The parameters with what has been found out since; None while there is nothing new."""
    moving = order.one_by_one
    assert moving is not None
    longer = _longer(moving, result)
    return None if longer is None else replace(order, one_by_one=longer).to_params()


def _longer(moving: OneByOne, result: Callable[[str], Json]) -> OneByOne | None:
    if moving.ending:
        return None
    if not moving.turns:
        return _next(moving) if result(PREPARED) is not None else None
    number, turn = len(moving.turns), moving.turns[-1]
    if not turn.begun:
        return _with(moving, replace(turn, begun=True)) if result(go_on_step(number)) is not None else None
    if turn.taken is not None:
        return _next(moving) if result(moved_step(number, turn)) is not None else None
    step, into, key = (FINAL, "final", "order") if turn.final is None else (PLAN, "taken", "taken")
    found = result(step + suffix(number, turn))
    return None if found is None else _with(moving, _read(turn, into, plain_object(found, step)[key]))


def _read(turn: Turn, into: str, found: Json) -> Turn:
    return Turn.from_json({**turn.to_json(), into: found})


def _next(moving: OneByOne) -> OneByOne:
    """The next member's turn, or the end."""
    begun = len(moving.turns)
    if begun == len(moving.order):
        return replace(moving, ending=True)
    return replace(moving, turns=(*moving.turns, Turn(moving.order[begun])))


def _with(moving: OneByOne, turn: Turn) -> OneByOne:
    return replace(moving, turns=(*moving.turns[:-1], turn))


def retreat(params: Mapping[str, Json], result: Callable[[str], Json]) -> Mapping[str, Json] | None:
    """``JobKind.retreat``: back to where the member that is being moved was not stopped yet.

    None when none is: before the first, between two members, at the end, and for a move of all together.
    """
    order = MoveOrder.from_params(params)
    moving = order.one_by_one
    if moving is None or moving.ending or not moving.turns or not moving.turns[-1].begun:
        return None
    number, turn = len(moving.turns), moving.turns[-1]
    if turn.taken is not None and result(moved_step(number, turn)) is not None:
        return None
    back = _with(moving, Turn(turn.server_id, turn.attempt + 1))
    return replace(order, one_by_one=back).to_params()


def names_of(order: Sequence[str], application: Application) -> list[str]:
    """The members' names in this order."""
    names = {member.server_id: member.server_name for member in application.members}
    return [names[id] for id in order]
