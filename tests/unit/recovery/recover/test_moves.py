"""What a move makes of what its steps have found, and what of a restore point no longer fits its application."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from multisite.domain.model import Application, Member
from multisite.jobs.model import Json
from multisite.recovery.recover.moves.job import grow
from multisite.recovery.recover.moves.model import MoveOrder
from multisite.recovery.recover.moves.source import Look, SeenMember, changes
from recovery.recover_samples import manifest

APPLICATION = Application("a1", "mme", "p1", "paris", (Member("s1", "mme-1", 1),))
ORDER = MoveOrder("r1", "rp1", "pr1", APPLICATION, "lyon", "p2", {"ready_console": "login:"}, 3, "alice")
AT = datetime(2026, 11, 29, tzinfo=UTC)


def test_an_order_comes_back_from_the_parameters() -> None:
    assert MoveOrder.from_params(ORDER.to_params()) == ORDER


def test_it_grows_by_the_run_and_then_by_the_plan() -> None:
    found: dict[str, Json] = {}
    params = ORDER.to_params()
    assert grow(params, found.get) is None, "the members are not off yet"
    found["final"] = {"newest": {}, "order": {"restore_point_id": "rp1"}}
    longer = grow(params, found.get)
    assert longer == {**params, "final": {"restore_point_id": "rp1"}}
    assert grow(longer, found.get) is None, "the restore point is not there yet"
    found["plan"] = {"plan": {"restore_point_id": "rp1"}}
    whole = grow(longer, found.get)
    assert whole == {**longer, "plan": {"restore_point_id": "rp1"}}
    assert grow(whole, found.get) is None, "that is all"


def test_a_restore_point_that_does_not_fit_any_more_is_told() -> None:
    point = manifest()
    seen = Look(
        AT, tuple(SeenMember(s.id, s.name, "ACTIVE", s.port_ids, s.volume_ids) for s in point.servers)
    )
    assert list(changes(seen, point)) == []
    first, *others = seen.members
    for members, said in (
        ((replace(first, id="new", name="new"), *others), "server new is not in it"),
        (tuple(others), f"server {first.name} is none of its members any more"),
        ((replace(first, ports=()), *others), f"server {first.name} has other ports or volumes now"),
        ((replace(first, volumes=(*first.volumes, "more")), *others), "has other ports or volumes now"),
    ):
        (problem,) = changes(replace(seen, members=members), point)
        assert problem.blocking
        assert said in problem.what
