"""Watching: a line per change, a live table on a terminal, through restarts of the service."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from api.jobs import job, step
from keystoneauth1.exceptions import ConnectFailure
from openstack.exceptions import HttpException

from multisite.api.jobs import JobOut
from multisite.jobs.model import JobState, StepState
from multisite_client.osc import live, progress
from osc.cloud import Cloud
from osc.conftest import Openstack

RUNNING, DONE, WAITING = StepState.RUNNING, StepState.DONE, StepState.WAITING


def told(item: Any) -> dict[str, Any]:
    return JobOut.model_validate(item).model_dump(mode="json")


def status_of(item: Any) -> progress.JobStatus:
    return progress.JobStatus(told(item), at=0.0, begun=0.0)


def play(*steps: Any) -> list[Any]:
    """A job whose only step goes through these states; the last one is its end."""
    running = job(state=JobState.RUNNING, ended_at=None)
    last = replace(running, state=JobState.DONE, settled=True, steps=(steps[-1],), ended_at=job().ended_at)
    return [*(replace(running, steps=(s,)) for s in steps[:-1]), last]


def test_a_line_per_change(openstack: Openstack, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY", 0.0)
    script = play(
        step("b", WAITING, elapsed=None),
        step("b", RUNNING, done=0.4, total=1.0, unit="GiB", detail="vnf-1 /dev/vda"),
        step("b", RUNNING, done=0.4, total=1.0, unit="GiB", detail="vnf-1 /dev/vda", elapsed=3.0),
        step("b", RUNNING, done=0.9, total=1.0, unit="GiB", detail="vnf-1 /dev/vda"),
        step("b", DONE, done=1.0, total=1.0, unit="GiB", elapsed=5.0),
    )
    item = cloud.services.put_job(script[0])
    cloud.script = list(script)
    shown = openstack("job", "watch", item.id)
    assert shown.code == 0
    said = [line.split("] ", 1)[1] for line in shown.out.splitlines() if line.startswith("[")]
    assert said == [
        "the step b  0.4/1.0 GiB  vnf-1 /dev/vda",
        "the step b  0.9/1.0 GiB  vnf-1 /dev/vda",
        "the step b  done (5.0 s)",
        "protect mme: done",
    ]


def test_machines_get_one_object_on_stdout(openstack: Openstack, cloud: Cloud) -> None:
    item = cloud.services.of("jobs")
    watched = openstack("job", "watch", item.id, "-f", "json")
    assert watched.json["state"] == "done"
    steps = [s["name"] for s in watched.json["steps"]]
    assert steps == [s.name for s in cloud.services.jobs.get(item.id).steps]
    assert (steps[0], steps[-1]) == ("check", "cleanup")
    assert f"{item.title}: done" in watched.err


def test_a_failed_job_ends_with_1_and_its_reason(openstack: Openstack, cloud: Cloud) -> None:
    bad = step("boot", StepState.FAILED, error="server mme-db: no valid host; free one vCPU")
    item = cloud.services.put_job(job(state=JobState.PAUSED, steps=(bad,)))
    watched = openstack("job", "watch", item.id)
    assert watched.code == 1
    assert "the step boot: server mme-db: no valid host; free one vCPU" in watched.err
    assert f"openstack multisite job resume|undo {item.id}" in watched.err


ENDS = [
    ("resume", JobState.PAUSED, JobState.DONE, 0),
    ("undo", JobState.PAUSED, JobState.UNDONE, 0),
    ("cancel", JobState.RUNNING, JobState.PAUSED, 0),
    ("undo", JobState.DONE, JobState.UNDO_FAILED, 1),
]


@pytest.mark.parametrize(("verb", "before", "state", "code"), ENDS)
def test_acts_wait_for_their_end(
    openstack: Openstack, cloud: Cloud, verb: str, before: JobState, state: JobState, code: int
) -> None:
    item = cloud.services.put_job(job(state=before))
    cloud.ending = replace(item, state=state, settled=True)
    ended = openstack("job", verb, item.id, "-f", "json")
    assert (ended.code, ended.json["state"]) == (code, state)
    act = cloud.services.jobs.get(item.id).journal[-1]
    assert (act.who, act.message) == ("olga", f"{verb} requested")


def test_an_act_that_its_state_forbids_changes_nothing(openstack: Openstack, cloud: Cloud) -> None:
    item = cloud.services.put_job(job())
    refused = openstack("job", "resume", item.id)
    assert refused.code == 1
    assert f"job: {item.id} is done and cannot be resumed; only a job that is paused can" in refused.err
    assert cloud.services.jobs.get(item.id).journal == item.journal


def test_jobs_are_listed_and_shown(openstack: Openstack, cloud: Cloud) -> None:
    item = cloud.services.of("jobs")
    listed = openstack("job", "list", "--state", "done", "-f", "json").json
    assert {row["ID"]: row["Title"] for row in listed}[item.id] == item.title
    last = cloud.services.jobs.get(item.id).steps[-1]
    assert f"done     {last.title}" in openstack("job", "show", item.id).out


def test_an_unchanged_job_is_not_sent_again(openstack: Openstack, cloud: Cloud) -> None:
    script = play(step("b", RUNNING), step("b", RUNNING), step("b", RUNNING), step("b", DONE))
    item = cloud.services.put_job(script[0])
    cloud.script = list(script)
    openstack("job", "watch", item.id)
    asked = [line.split()[-1] for line in cloud.requests if "/v1/jobs/" in line]
    assert asked == ["200", "304", "304", "200"]


class Flaky:
    """A service that restarts while it is watched."""

    def __init__(self, answers: list[Any]) -> None:
        self.answers = answers

    def job_if_changed(self, id: str, etag: str | None) -> tuple[Any, str | None, str | None]:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer, "e", None


def test_a_restart_of_the_service_is_ridden_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "POLL", 0.0)
    running = told(job(state=JobState.RUNNING, ended_at=None))
    lost = ConnectFailure("connection refused")
    seen = list(progress.watch(Flaky([running, lost, lost, None, told(job())]), "j"))  # type: ignore[arg-type]
    assert [s.job["state"] for s in seen] == ["running"] * 4 + ["done"]
    with pytest.raises(ConnectFailure):
        list(progress.watch(Flaky([lost]), "j"))  # type: ignore[arg-type]


@pytest.mark.parametrize(("status", "ridden_out"), [(503, True), (504, True), (500, False), (404, False)])
def test_only_who_is_away_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, status: int, ridden_out: bool
) -> None:
    monkeypatch.setattr(progress, "POLL", 0.0)
    running = told(job(state=JobState.RUNNING, ended_at=None))
    watched = progress.watch(
        Flaky([running, HttpException("no", http_status=status), told(job())]),  # type: ignore[arg-type]
        "j",
    )
    if ridden_out:
        assert [s.job["state"] for s in watched] == ["running", "running", "done"]
    else:
        with pytest.raises(HttpException):
            list(watched)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_live_view_ends_with_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "140")
    out = Terminal()
    view = live.Live(out)
    half = step("backup", RUNNING, done=0.5, total=2.0, unit="GiB", detail="vnf-1 /dev/vda")
    running = status_of(job(state=JobState.RUNNING, ended_at=None, steps=(step("snapshot"), half)))
    view.update(running)
    view.update(running)
    ended = status_of(job())
    view.close(ended)
    shown = out.getvalue()
    assert "0.5/2.0 GiB" in shown
    assert "the step snapshot" in shown
    assert "2/2 steps  4.0 s" in shown


def test_a_window_follows_the_work() -> None:
    steps = [{"state": "done", "n": n} for n in range(30)] + [
        {"state": "running", "n": n} for n in range(30, 50)
    ]
    shown = live.window(steps, 10)
    assert len(shown) == 10
    assert 30 in [s["n"] for s in shown]
    assert live.window(steps[:5], 10) == steps[:5]
    assert live.window(steps[:30], 10)[-1]["n"] == 29


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.04, "0.0 s"), (59.9, "59.9 s"), (61, "1 min 1 s"), (7380, "2 h 3 min"), (90000, "1 d 1 h")],
)
def test_durations_for_people(value: float, shown: str) -> None:
    from multisite_client.osc.base import seconds

    assert seconds(value) == shown
