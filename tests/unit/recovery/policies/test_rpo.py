"""The series of an RPO, and its alarms, over real repositories."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from multisite.domain.rpo import RpoState
from multisite.recovery.manifests import StoreUnavailable
from multisite.recovery.policies.rpo import Rpo, RpoAlarm, log_alarm
from tests.unit.recovery.policies.simulated import ANN, START, Setup, setup_in

TARGET = 2 * 3600


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Setup]:
    with setup_in(tmp_path) as made:
        made.policy(schedules=[{"cron": "0 * * * *"}], rpo_seconds=TARGET)
        yield made


def rpo(setup: Setup, *alarms: object) -> Rpo:
    return Rpo(setup.database, setup.protections.points, setup.clock, alarms)  # type: ignore[arg-type]


def state(setup: Setup) -> RpoState:
    protection = setup.protections.get(ANN, "pr1")
    return rpo(setup).of([protection])["pr1"].state


def test_it_follows_what_is_there(setup: Setup) -> None:
    assert state(setup) is RpoState.MISSED, "there is nothing yet"
    setup.let_pass(START + timedelta(hours=1), timedelta(hours=1))
    assert state(setup) is RpoState.MET
    setup.pause()
    assert state(setup) is RpoState.AT_RISK
    setup.clock.pass_(hours=3)
    assert state(setup) is RpoState.MISSED


def test_each_change_is_an_alarm_once_and_an_event(setup: Setup, caplog: pytest.LogCaptureFixture) -> None:
    told: list[RpoAlarm] = []
    hour = timedelta(hours=1)
    for number in range(1, 9):
        setup.protections.clock.to(START + hour * number)
        if number not in (4, 5, 6, 7):
            setup.look()
        rpo(setup, told.append, log_alarm).sample()  # each time by another process: its memory is the series
    assert [(alarm.before, alarm.now.state) for alarm in told] == [
        (RpoState.MET, RpoState.MISSED),
        (RpoState.MISSED, RpoState.MET),
    ]
    report = rpo(setup).report(setup.protections.get(ANN, "pr1"), 24)
    assert [sample.lost_seconds for sample in report.samples] == [0, 0, 0, 3600, 7200, 10800, 14400, 0]
    assert [event.state for event in report.events] == [RpoState.MET, RpoState.MISSED, RpoState.MET]
    (missed,) = [record for record in caplog.records if "rpo missed" in record.getMessage()]
    assert missed.levelname == "WARNING"
    for word in ("protection=pr1", f"target_seconds={TARGET}", "actual_seconds=10800"):
        assert word in missed.getMessage()


def test_an_alarm_that_fails_stops_nothing(setup: Setup) -> None:
    told: list[RpoAlarm] = []

    def broken(_alarm: RpoAlarm) -> None:
        raise RuntimeError("no mail server")

    rpo(setup, broken, told.append).sample()
    assert len(told) == 1


def test_the_series_is_pruned_by_the_policy(setup: Setup) -> None:
    setup.service.update(ANN, setup.state.policy_id, {"history_days": 2})
    for day in range(6):
        setup.clock.to(START + timedelta(days=day))
        rpo(setup).sample()
    report = rpo(setup).report(setup.protections.get(ANN, "pr1"), 24 * 30)
    assert [sample.at for sample in report.samples] == [START + timedelta(days=day) for day in (3, 4, 5)]


def test_without_the_store_it_is_unknown(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    setup.let_pass(START + timedelta(hours=1), timedelta(hours=1))

    def away(_applications: object) -> None:
        raise StoreUnavailable("it is not mounted")

    monkeypatch.setattr(setup.protections.points, "newest", away)
    assert state(setup) is RpoState.UNKNOWN
