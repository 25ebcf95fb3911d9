"""The gate a server must pass before the next one boots."""

from __future__ import annotations

import pytest

from multisite.clouds.errors import Cancelled
from multisite.jobs.model import StepFailed
from multisite.recovery.recover.model import Readiness
from multisite.recovery.recover.readiness import Ready, wait_ready
from tests.unit.simulated import SimulatedSite, simulated_target


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
def target(monkeypatch: pytest.MonkeyPatch) -> SimulatedSite:
    made = simulated_target(monkeypatch)
    made.add_network("n")
    for port in ("p1", "p2"):
        made.add_port(port, "n", device_id="s1", status="ACTIVE")
    made.add_server("s1", "web1", ports=["p1", "p2"], console=["booting", "GUEST-READY up=3"])
    return made


def wait(target: SimulatedSite, clock: Clock, console: str | None = None, timeout: float = 30) -> Ready:
    rule = Readiness(console=console, timeout=timeout)
    return wait_ready(target.site, "web1", "s1", rule, pause=clock.pause, clock=clock)


def test_active_with_active_ports_is_enough_without_a_pattern(target: SimulatedSite) -> None:
    assert wait(target, Clock()).line is None
    assert target.sent
    assert target.changes == [], "no console is read"


def test_the_newest_matching_line_is_kept(target: SimulatedSite) -> None:
    target.state.servers["s1"].console = ["GUEST-READY up=1", "GUEST-READY up=9", "login:"]
    assert wait(target, Clock(), "GUEST-R.*up=").line == "GUEST-READY up=9"


def test_waits_for_ports_and_console(target: SimulatedSite) -> None:
    clock = Clock()
    port, server = target.state.ports["p2"], target.state.servers["s1"]
    server.console, port["status"] = [], "DOWN"
    clock.at = {
        5: lambda: port.update(status="ACTIVE"),
        9: lambda: server.console.append("GUEST-READY"),
    }
    assert 9 <= wait(target, clock, "GUEST-READY").seconds < 11


def test_what_is_missing_is_named_with_the_last_lines(target: SimulatedSite) -> None:
    target.state.servers["s1"].console = [f"line {n}" for n in range(20)]
    target.state.ports["p2"]["status"] = "DOWN"
    with pytest.raises(StepFailed) as caught:
        wait(target, Clock(), "GUEST-READY")
    said = str(caught.value)
    assert said.startswith(
        "server web1 at lyon: not ready after 30 s: port p2 is DOWN; no console line matches"
    )
    assert "line 12 | line 13" in said
    assert "line 11" not in said


def test_a_server_that_fell_over_is_not_waited_for(target: SimulatedSite) -> None:
    clock = Clock()
    target.state.servers["s1"].status = "SHUTOFF"
    with pytest.raises(StepFailed, match="Nova says SHUTOFF"):
        wait(target, clock)
    assert clock.now == 0


def test_no_console_yet_is_waited_for_but_no_console_at_all_is_said(target: SimulatedSite) -> None:
    refused = target.strike("error", "POST", "/action#os-getConsoleOutput$", status=409, times=1000)
    with pytest.raises(StepFailed, match="last console lines: nothing was read"):
        wait(target, Clock(), "GUEST-READY")
    assert refused.struck > 1
    target.heal()
    target.strike("error", "POST", "/action#os-getConsoleOutput$", status=501, times=1000)
    with pytest.raises(StepFailed, match="recover without ready_console"):
        wait(target, Clock(), "GUEST-READY")


def test_the_operator_may_stop_waiting(target: SimulatedSite) -> None:
    target.state.servers["s1"].console = []
    with pytest.raises(Cancelled):
        wait_ready(target.site, "web1", "s1", Readiness("GUEST-READY"), cancelled=lambda: True)
