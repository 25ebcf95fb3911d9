"""Waits end: by the thing, by its failure, by time, by request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from multisite.clouds import waiting
from multisite.clouds.errors import Cancelled, Failed, NotFoundInSite, Refused, TimedOut, Unreachable
from multisite.clouds.waiting import volume_messages, wait_gone, wait_until

from .conftest import FakeCloud

GONE = NotFoundInSite("west", "read", "no such volume", site_status=404)
AWAY = Unreachable("west", "read", "connection refused")
BROKEN = Refused("west", "read", "oops", site_status=500)
DENIED = Refused("west", "read", "policy", site_status=403)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(10_000))
    monkeypatch.setattr(waiting.time, "monotonic", lambda: float(next(now)))
    monkeypatch.setattr(waiting.time, "sleep", lambda _s: None)


def reads(*values: Any) -> Callable[[], Any]:
    """Each value in turn, the last for ever; exceptions are raised."""

    def answers() -> Iterator[Any]:
        yield from values
        while True:
            yield values[-1]

    sequence = answers()

    def read() -> Any:
        value = next(sequence)
        if isinstance(value, Exception):
            raise value
        return value

    return read


def volume(status: str, **more: Any) -> SimpleNamespace:
    return SimpleNamespace(status=status, **more)


def test_done_by_state_without_case_and_progress() -> None:
    seen: list[str] = []
    read = reads(volume("creating"), AWAY, BROKEN, volume("Available"))
    found = wait_until(
        read,
        done={"available"},
        failed={"error"},
        timeout=60,
        what="volume db",
        on_poll=lambda v: seen.append(v.status),
    )
    assert found.status == "Available"
    assert seen == ["creating", "Available"]


def test_failed_says_novas_fault() -> None:
    server = {"status": "ERROR", "fault": {"message": "No valid host was found.", "code": 500}}
    with pytest.raises(
        Failed, match=r"site west: server db: ended as ERROR after .* s: No valid host"
    ) as caught:
        wait_until(
            reads(server), done={"active"}, failed={"error"}, timeout=60, what="server db", site="west"
        )
    assert caught.value.state == "ERROR"


def test_failed_says_why_a_backup_failed() -> None:
    backup = volume("error", fail_reason="Service not found for creating backup.")
    with pytest.raises(Failed, match="Service not found"):
        wait_until(reads(backup), done={"available"}, failed={"error"}, timeout=60, what="backup b")


def test_failed_explained_by_the_caller() -> None:
    with pytest.raises(Failed, match="because"):
        wait_until(
            reads(volume("error")),
            done={"available"},
            failed=lambda v: v.status == "error",
            timeout=60,
            what="volume v",
            explain=lambda _v: "because",
        )


def test_timeout_names_last_state_seconds_and_trouble() -> None:
    read = reads(volume("BUILD", task_state="spawning"), AWAY)
    with pytest.raises(TimedOut, match=r"last seen as BUILD \(spawning\); then connection refused") as caught:
        wait_until(read, done={"active"}, failed={"error"}, timeout=5, what="server db", site="west")
    assert caught.value.seconds >= 5
    assert caught.value.state == "BUILD (spawning)"


def test_never_seen() -> None:
    with pytest.raises(TimedOut, match="last seen as nothing"):
        wait_until(reads(AWAY), done={"x"}, failed=(), timeout=3, what="server db")


@pytest.mark.parametrize("error", [GONE, DENIED])
def test_refusals_end_a_wait(error: Exception) -> None:
    with pytest.raises(type(error)):
        wait_until(reads(error), done={"x"}, failed=(), timeout=3, what="server db")


def test_cancelled() -> None:
    with pytest.raises(Cancelled, match="it was creating"):
        wait_until(
            reads(volume("creating")),
            done={"x"},
            failed=(),
            timeout=9,
            what="volume",
            cancelled=lambda: True,
        )


def test_gone() -> None:
    wait_gone(reads(volume("deleting"), GONE), timeout=9, what="volume")
    wait_gone(reads(volume("deleting"), None), timeout=9, what="volume")
    wait_gone(reads({"status": "DELETED"}), timeout=9, what="server")
    with pytest.raises(Failed, match="error_deleting"):
        wait_gone(reads(volume("deleting"), volume("error_deleting")), timeout=9, what="volume")
    with pytest.raises(TimedOut):
        wait_gone(reads(volume("deleting")), timeout=3, what="volume")


def test_cinder_messages(fake: FakeCloud, site: Any) -> None:
    rows = [
        {"user_message": "create volume:Schedule failed"},
        {"user_message": "create volume:Schedule failed"},
    ]
    fake.json("GET", "block-storage", "/messages", {"messages": rows})
    assert volume_messages(site, "v1") == "create volume:Schedule failed"
    fake.json("GET", "block-storage", "/messages", {}, 403)
    assert volume_messages(site, "v1") == ""
