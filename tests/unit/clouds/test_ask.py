"""One question to several sites: bounded in time and threads, fenced, and what is not known says why."""

from __future__ import annotations

import threading
import time

import pytest

from multisite.clouds.ask import AT_ONCE, ask_all, do_all
from multisite.clouds.errors import TimedOut, Unreachable
from multisite.domain import fence, work
from multisite.domain.errors import Invalid, MultisiteError


def test_answers_and_reasons_in_the_order_of_the_sites() -> None:
    def question(site: str) -> str:
        if site == "lyon":
            raise Unreachable(site, "list ports", "connection refused")
        time.sleep(0.05 if site == "oslo" else 0)
        return site.upper()

    found = ask_all(["oslo", "lyon", "paris"], question)
    assert list(found.known.items()) == [("oslo", "OSLO"), ("paris", "PARIS")]
    assert found.reasons == {"lyon": "site lyon: list ports: connection refused"}


def test_a_late_site_is_unknown_and_holds_nobody_up() -> None:
    stop = threading.Event()
    begun = time.monotonic()
    try:
        found = ask_all(
            ["oslo", "paris"], lambda site: site == "paris" or stop.wait(20), seconds={"oslo": 0.1}
        )
    finally:
        stop.set()
    assert time.monotonic() - begun < 5
    assert found.known == {"paris": True}
    assert isinstance(found.unknown["oslo"], TimedOut)
    assert "no answer within 0 s" in found.reasons["oslo"]


def test_other_errors_are_raised() -> None:
    def question(site: str) -> None:
        raise Invalid(f"site: there is no site {site!r}")

    with pytest.raises(Invalid):
        ask_all(["oslo"], question)
    assert list(ask_all(["oslo"], question, errors=(MultisiteError,)).unknown) == ["oslo"]


def test_a_timeout_of_the_question_itself_is_not_taken_for_a_late_site() -> None:
    def question(_site: str) -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        ask_all(["oslo"], question)


def test_bounded_in_threads() -> None:
    now, most, lock = 0, 0, threading.Lock()

    def question(_site: str) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.02)
        with lock:
            now -= 1

    assert len(ask_all([f"s{n}" for n in range(3 * AT_ONCE)], question).known) == 3 * AT_ONCE
    assert 1 < most <= AT_ONCE


class _Lost(BaseException):
    pass


class _Fence:
    def check(self) -> None:
        raise _Lost

    def waits(self, why: str) -> None: ...


def test_fence_and_work_go_along() -> None:
    with work.doing(work.Work(user="ann")):
        assert ask_all(["oslo"], lambda _: work.current().user).known == {"oslo": "ann"}
    with fence.around(_Fence()), pytest.raises(_Lost):
        ask_all(["oslo"], lambda _: fence.check())


def test_nobody_to_ask() -> None:
    assert ask_all([], lambda _: 1).known == {}


def test_changes_are_over_when_it_returns_or_raises() -> None:
    done: list[str] = []

    def act(site: str) -> None:
        if site == "bad":
            raise Unreachable("bad", "change", "away")
        if site == "worse":
            raise KeyboardInterrupt
        time.sleep(0.2)
        done.append(site)

    assert list(do_all(["bad", "good"], act)) == ["bad"]
    assert done == ["good"]
    with pytest.raises(KeyboardInterrupt):
        do_all(["worse", "slow"], act)
    assert done == ["good", "slow"]
