"""The gate a server must pass before the next one boots."""

from __future__ import annotations

import pytest

from multisite.clouds.errors import Cancelled
from multisite.jobs.model import StepFailed
from multisite.recovery.recover.model import Readiness
from multisite.recovery.recover.readiness import Ready, wait_ready
from tests.unit.recovery.recover_fakes import FakeTarget, HttpError


class Clock:
    """Seconds pass only while somebody waits; ``at`` does something at a time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.at: dict[int, object] = {}

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds
        for due in [d for d in self.at if d <= self.now]:
            action = self.at.pop(due)
            assert callable(action)
            action()


@pytest.fixture
def target() -> FakeTarget:
    fake = FakeTarget()
    fake.rows["servers"]["s1"] = {"id": "s1", "name": "web1", "status": "ACTIVE"}
    for port in ("p1", "p2"):
        fake.rows["ports"][port] = {"id": port, "device_id": "s1", "status": "ACTIVE", "tags": []}
    return fake


def wait(target: FakeTarget, clock: Clock, console: str | None = None, timeout: float = 30) -> Ready:
    rule = Readiness(console=console, timeout=timeout)
    return wait_ready(target.as_site(), "web1", "s1", rule, pause=clock.pause, clock=clock)


def test_active_with_active_ports_is_enough_without_a_pattern(target: FakeTarget) -> None:
    assert wait(target, Clock()).line is None
    assert not [c for c in target.calls if c[0] == "POST"], "no console is read"


def test_the_newest_matching_line_is_kept(target: FakeTarget) -> None:
    target.console = "GUEST-READY up=1\nGUEST-READY up=9\nlogin:\n"
    assert wait(target, Clock(), "GUEST-R.*up=").line == "GUEST-READY up=9"


def test_waits_for_ports_and_console(target: FakeTarget) -> None:
    clock = Clock()
    target.console = ""
    target.rows["ports"]["p2"]["status"] = "DOWN"
    clock.at = {
        5: lambda: target.rows["ports"]["p2"].update(status="ACTIVE"),
        9: lambda: setattr(target, "console", "GUEST-READY\n"),
    }
    assert 9 <= wait(target, clock, "GUEST-READY").seconds < 11


def test_what_is_missing_is_named_with_the_last_lines(target: FakeTarget) -> None:
    target.console = "\n".join(f"line {n}" for n in range(20))
    target.rows["ports"]["p2"]["status"] = "DOWN"
    with pytest.raises(StepFailed) as caught:
        wait(target, Clock(), "GUEST-READY")
    said = str(caught.value)
    assert said.startswith(
        "server web1 at lyon: not ready after 30 s: port p2 is DOWN; no console line matches"
    )
    assert "line 12 | line 13" in said
    assert "line 11" not in said


def test_a_server_that_fell_over_is_not_waited_for(target: FakeTarget) -> None:
    clock = Clock()
    target.rows["servers"]["s1"]["status"] = "SHUTOFF"
    with pytest.raises(StepFailed, match="Nova says SHUTOFF"):
        wait(target, clock)
    assert clock.now == 0


def test_no_console_yet_is_waited_for_but_no_console_at_all_is_said(target: FakeTarget) -> None:
    def refuse(status: int) -> None:
        def before(method: str, path: str) -> None:
            if path.endswith("/action"):
                raise HttpError(status, "console is not available")

        target.before = before

    refuse(409)
    with pytest.raises(StepFailed, match="last console lines: nothing was read"):
        wait(target, Clock(), "GUEST-READY")
    refuse(501)
    with pytest.raises(StepFailed, match="recover without ready_console"):
        wait(target, Clock(), "GUEST-READY")


def test_the_operator_may_stop_waiting(target: FakeTarget) -> None:
    target.console = ""
    with pytest.raises(Cancelled):
        wait_ready(target.as_site(), "web1", "s1", Readiness("GUEST-READY"), cancelled=lambda: True)
