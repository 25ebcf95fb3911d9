"""What is made of the sites' words: pure decisions, each with its opposite."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from multisite.domain.errors import Conflict, Invalid
from multisite.domain.moving_address import (
    SENTENCES,
    AddressMember,
    AddressState,
    BindingState,
    Mark,
    MovingAddress,
    Verdict,
    judge,
    read_mark,
)
from multisite.jobs.values import decode, plain
from multisite.networks.addresses.plan import MovePlan, plan_move

RECORD = MovingAddress(
    "a-1", "gw", "203.0.113.5", "p",
    (AddressMember("paris", "port-p", "ext", "f-p", bound_epoch=4, released_epoch=2),
     AddressMember("lyon", "port-l", "ext", "f-l", bound_epoch=3, released_epoch=3)),
    "paris", 4, AddressState.HELD, "icmp", "j", None, "olga", datetime(2026, 11, 21, tzinfo=UTC),
)  # fmt: skip
HELD = BindingState("paris", True, True, "port-p", "ACTIVE", Mark("a-1", 4, True))
FREE = BindingState("lyon", True, True, None, "DOWN", Mark("a-1", 3, False))
STALE = BindingState("lyon", True, True, "port-l", "ACTIVE", Mark("a-1", 3, True))
BY_HAND = replace(STALE, mark=Mark("a-1", 3, False))
AWAY = BindingState("lyon", False, why="no route")
GONE = replace(HELD, port_id=None, status="DOWN")


@pytest.mark.parametrize(
    ("seen", "verdict", "stale"),
    [
        ((HELD, FREE), Verdict.ONE, ()),
        ((HELD, STALE), Verdict.TWICE, ("lyon",)),
        ((HELD, BY_HAND), Verdict.TWICE, ("lyon",)),
        ((GONE, FREE), Verdict.NOBODY, ()),
        ((GONE, STALE), Verdict.ELSEWHERE, ("lyon",)),  # its epoch is over, whoever else holds it or not
        ((GONE, BY_HAND), Verdict.ELSEWHERE, ()),  # the only holder is left alone
        ((HELD, AWAY), Verdict.UNKNOWN, ()),
        ((replace(HELD, port_id="other"), FREE), Verdict.DRIFT, ()),
        ((HELD, replace(FREE, present=False)), Verdict.ONE, ()),
        (
            (HELD, replace(FREE, status="ACTIVE")),
            Verdict.TWICE,
            ("lyon",),
        ),  # let go of, its agent answers still
        ((replace(HELD, known=False), STALE), Verdict.ELSEWHERE, ("lyon",)),
    ],
)
def test_verdicts(seen: tuple[BindingState, ...], verdict: Verdict, stale: tuple[str, ...]) -> None:
    found = judge(RECORD, seen)
    assert (found.verdict, found.stale) == (verdict, stale)
    assert found.sentence
    assert [f.site for f in found.findings] == ["paris", "lyon"]


def test_a_holder_that_does_not_answer_is_no_good_news() -> None:
    assert judge(RECORD, (HELD, FREE), answers=False).verdict is Verdict.DRIFT
    assert judge(RECORD, (HELD, FREE), answers=None).verdict is Verdict.ONE


def test_a_site_in_doubt_shows() -> None:
    doubtful = RECORD.with_member(replace(RECORD.member("lyon"), bound_epoch=4, released_epoch=3))
    assert (RECORD.shown_state, doubtful.shown_state) == (AddressState.HELD, AddressState.MAYBE_TWICE)
    assert "in doubt: lyon" in doubtful.sentence
    assert "may be active twice" in judge(doubtful, (HELD, AWAY)).sentence


def test_every_state_has_a_sentence() -> None:
    assert set(SENTENCES) == set(AddressState)


@pytest.mark.parametrize(
    "text", ["", "multisite address a epoch x bound", "my address", "multisite address a-1 epoch 4"]
)
def test_words_that_are_no_mark(text: str) -> None:
    assert read_mark(text) is None
    assert read_mark(str(Mark("a-1", 4, True))) == Mark("a-1", 4, True)


def test_a_plan_in_words() -> None:
    plan = plan_move(RECORD, (HELD, FREE), "lyon", (), "olga", "upgrade")
    assert [name for name, _, _ in plan.titles()] == [
        "check",
        "release-paris",
        "silence",
        "epoch",
        "bind",
        "verify",
    ]
    assert decode(plain(plan, "plan"), MovePlan, "plan") == plan


@pytest.mark.parametrize(
    ("seen", "to", "fenced", "error", "words"),
    [
        ((HELD, FREE), "oslo", (), Invalid, "to: 'oslo' is none of the sites"),
        ((HELD, FREE), "lyon", ("oslo",), Invalid, "fenced: 'oslo'"),
        ((HELD, FREE), "lyon", ("lyon",), Invalid, "fenced: 'lyon' is where"),
        ((HELD, FREE), "paris", (), Conflict, "holds it already"),
        ((HELD, AWAY), "lyon", (), Conflict, "to: site lyon cannot be asked: no route"),
        ((replace(HELD, known=False, why="dead"), FREE), "lyon", (), Conflict, "--fenced paris"),
    ],
)
def test_moves_that_are_refused(
    seen: tuple[BindingState, ...], to: str, fenced: tuple[str, ...], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        plan_move(RECORD, seen, to, fenced, "olga", "")


def test_a_dead_site_that_let_go_long_ago_is_in_nobodys_way() -> None:
    oslo = AddressMember("oslo", "port-o", "ext", "f-o", bound_epoch=2, released_epoch=2)
    three = replace(RECORD, members=(*RECORD.members, oslo))
    dead = BindingState("oslo", False, why="dead")
    assert plan_move(three, (HELD, FREE, dead), "lyon", (), "olga", "").others == ("paris", "oslo")
    in_doubt = three.with_member(replace(oslo, bound_epoch=3))
    with pytest.raises(Conflict, match="--fenced oslo"):
        plan_move(in_doubt, (HELD, FREE, dead), "lyon", (), "olga", "")
