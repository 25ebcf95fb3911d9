"""What a reprotection makes of members and protections."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter

from multisite.domain.model import (
    Application,
    DescribedBefore,
    Member,
    MemberRole,
    Protection,
    Recovery,
    RecoveryState,
)
from multisite.recovery.failback.reprotect import recovered_members, turned

AT = datetime(2026, 1, 1, tzinfo=UTC)
OLD = Application(
    "a1", "mme", "p1", "west",
    (Member("o2", "mme-2", 1, quiesce=False), Member("o1", "mme-1", 2, role=MemberRole.STANDBY),
     Member("o3", "mme-3", 3)),
)  # fmt: skip


def recovery(*pairs: tuple[str, str]) -> Recovery:
    servers = tuple({"id": new, "name": f"new-{new}", "source_id": old} for old, new in pairs)
    return Recovery(
        "r1", "mme", "p1", "rp1", "east", RecoveryState.DONE, "j1", "olga", AT, servers=servers, epoch=1
    )


def test_order_quiesce_and_role_are_those_of_the_old_members() -> None:
    """In whatever order the recovery shows its servers."""
    found = recovered_members(OLD, recovery(("o1", "n1"), ("o3", "n3"), ("o2", "n2")))
    assert found == (
        Member("n2", "new-n2", 1, quiesce=False),
        Member("n1", "new-n1", 2, role=MemberRole.STANDBY),
        Member("n3", "new-n3", 3),
    )


def test_members_the_restore_point_did_not_have_are_none_any_more() -> None:
    found = recovered_members(OLD, recovery(("o1", "n1")))
    assert found == (Member("n1", "new-n1", 1, role=MemberRole.STANDBY),)


def test_a_recovered_server_that_was_no_member_any_more_comes_last() -> None:
    found = recovered_members(OLD, recovery(("gone", "n9"), ("o2", "n2")))
    assert [(m.server_id, m.order) for m in found] == [("n2", 1), ("n9", 2)]


@pytest.mark.parametrize(
    ("before", "asked", "after"),
    [
        ("east", None, "west"),  # the way back
        ("north", None, "north"),  # a third site stays the target
        (None, None, None),  # none was said
        ("east", "north", "north"),
        (None, "west", "west"),
    ],
)
def test_from_where_to_where(before: str | None, asked: str | None, after: str | None) -> None:
    known = Protection("pr1", "a1", "mme", "p1", "consistent-backup", "west", before, {"full_every": 3}, AT)
    known = replace(known, policy_id="po1", policy="gold", paused=True)
    found = turned(known, recovery(), "west", asked)
    assert (found.site, found.target_site) == ("east", after)
    assert replace(found, site="west", target_site=before) == known, "method, options and policy are kept"


@pytest.mark.parametrize(
    ("before", "asked", "after"),
    [
        (("east", "north"), None, ("west", "north")),  # the old site first, then the other one
        (("north", "east"), None, ("west", "north")),
        (("north", "south"), None, ("north", "south")),  # recovered elsewhere: they stay
        (("east", "west"), None, ("west",)),  # never twice
        (("east", "north"), "south", ("south", "north")),
        (("east", "north"), "north", ("north",)),
    ],
)
def test_from_where_to_which_of_several(
    before: tuple[str, ...], asked: str | None, after: tuple[str, ...]
) -> None:
    known = Protection("pr1", "a1", "mme", "p1", "consistent-backup", "west", None).aimed_at(before)
    assert turned(known, recovery(), "west", asked).target_sites == after


def test_what_an_earlier_release_kept_can_be_read() -> None:
    """Of one target, which is all it knew."""
    kept = {
        "site": "west", "members": [], "protections": [{"id": "pr1", "site": "west", "target_site": "east"}],
    }  # fmt: skip
    (was,) = TypeAdapter(DescribedBefore).validate_python(kept).protections
    assert (was.target_site, was.other_target_sites) == ("east", ())
