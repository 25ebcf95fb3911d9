"""Watching a job: live on a terminal, a line per change when piped, on standard error when machines read."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TextIO

from osc_lib.exceptions import CommandError

from multisite_client.osc.base import seconds
from multisite_client.osc.status import JobStatus, View, amount, moment, waits

if TYPE_CHECKING:
    from multisite_client.proxy import Proxy

POLL = 0.5
PATIENCE = 120.0
"""Seconds without an answer of the service before watching gives up (the job does not)."""
FRESH = 5.0
"""A job younger than this (seconds) is watched from its beginning."""
AWAY = (502, 503, 504)
"""What a proxy says of a service that restarts, and the service of a Keystone that does not answer."""
LINE_EVERY = 1.0
"""Seconds between two lines about the same step while only its amount changes."""


def add_options(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """``--no-wait``."""
    parser.add_argument("--no-wait", action="store_true", help="Do not wait: print the job and return")
    return parser


def follow(command: Any, job_id: str, parsed: argparse.Namespace, *wanted: str) -> dict[str, Any]:
    """Watch until the job rests; the command's exit status becomes 1 unless it ends as ``wanted`` (done)."""
    view = _view(command.app, parsed)
    status = None
    try:
        for status in watch(command.client, job_id):
            view.update(status)
    except KeyboardInterrupt:
        raise CommandError(
            f"stopped watching; the job goes on: openstack multisite job watch {job_id}"
        ) from None
    finally:
        if status is not None:
            view.close(status)
    assert status is not None
    job = status.job
    if job["state"] not in (wanted or ("done",)):
        command.exit_status = 1
        command.app.stderr.write(failure(job) + "\n")
    return job


def watch(client: Proxy, job_id: str) -> Iterator[JobStatus]:
    """The job as often as it was asked for, until it is settled; rides out a service that restarts."""
    from keystoneauth1.exceptions import ConnectionError
    from openstack.exceptions import HttpException

    etag: str | None = None
    status: JobStatus | None = None
    answered = time.monotonic()
    while True:
        try:
            body, etag, date = client.job_if_changed(job_id, etag)
        except (ConnectionError, HttpException) as error:
            away = not isinstance(error, HttpException) or error.status_code in AWAY
            if not away or status is None or time.monotonic() - answered > PATIENCE:
                raise
            status.problem = f"the service does not answer, asking again: {error}"
        else:
            answered = time.monotonic()
            if body is not None:
                begun = status.begun if status else answered - _age(body, date)
                status = JobStatus(body, answered, begun)
            assert status is not None
            status.problem = None
        yield status
        if status.job["settled"]:
            return
        time.sleep(POLL)


def failure(job: dict[str, Any]) -> str:
    """Why a job did not end well, and what can be done."""
    reasons = [f"{s['title']}: {s['error']}" for s in job["steps"] if s["error"]] or [
        job["error"] or "no reason given"
    ]
    text = [f"The job {job['title']!r} ended {job['state']}:", *(f"  {reason}" for reason in reasons)]
    if job["state"] in ("paused", "undo_failed"):
        verbs = "resume|undo" if job["state"] == "paused" else "undo"
        text.append(f"  openstack multisite job {verbs} {job['id']}")
    return "\n".join(text)


@dataclass
class Lines:
    """A line per change, for pipes and logs."""

    stream: TextIO
    _said: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    _when: dict[str, float] = field(default_factory=dict)
    _state: str | None = None

    def update(self, status: JobStatus) -> None:
        if status.problem:
            self._once(status, "problem", (status.problem,), status.problem)
        if self._state is None:
            self._arrive(status)
        self._state = status.job["state"]
        for step in status.job["steps"]:
            self._step(status, step)

    def _arrive(self, status: JobStatus) -> None:
        """What had ended long before anybody watched is worth one line, not one each."""
        ended = [s for s in status.job["steps"] if s["state"] not in ("waiting", "running", "undoing")]
        if status.total() < FRESH or not ended:
            return
        for step in ended:
            self._said[step["name"]], self._when[step["name"]] = _facts(step), time.monotonic()
        counts = Counter(step["state"] for step in ended)
        self._say(
            status, "so far: " + ", ".join(f"{number} steps {state}" for state, number in counts.items())
        )

    def close(self, status: JobStatus) -> None:
        self._say(status, f"{status.job['title']}: {status.job['state']}")

    def _step(self, status: JobStatus, step: dict[str, Any]) -> None:
        if step["state"] == "waiting":
            return
        name, now = step["name"], time.monotonic()
        facts = _facts(step)
        known = self._said.get(name)
        only_amount = known is not None and known[0] == facts[0]
        if only_amount and now - self._when[name] < LINE_EVERY:
            return
        self._once(status, name, facts, line(status, step))

    def _once(self, status: JobStatus, key: str, facts: tuple[Any, ...], text: str) -> None:
        if self._said.get(key) != facts:
            self._said[key], self._when[key] = facts, time.monotonic()
            self._say(status, text)

    def _say(self, status: JobStatus, text: str) -> None:
        self.stream.write(f"[{status.total():.1f} s] {text}\n")
        self.stream.flush()


def line(status: JobStatus, step: dict[str, Any]) -> str:
    """One step in one line."""
    parts = [step["title"]]
    if step["state"] == "running":
        parts += [amount(step), step["detail"], waits(step)]
    else:
        elapsed = status.elapsed(step)
        parts += [step["state"] + (f" ({seconds(elapsed)})" if elapsed is not None else ""), step["error"]]
    return "  ".join(part for part in parts if part)


def _facts(step: dict[str, Any]) -> tuple[Any, ...]:
    """What is worth a new line when it changes."""
    return step["state"], step["done"], step["total"], step["detail"], step.get("waits")


def _view(app: Any, parsed: argparse.Namespace) -> View:
    for_people = getattr(parsed, "formatter", "table") == "table"
    if for_people and app.stdout.isatty():
        from multisite_client.osc.live import Live

        return Live(app.stdout)
    return Lines(app.stdout if for_people else app.stderr)


def _age(job: dict[str, Any], date: str | None) -> float:
    """Seconds since the job was accepted, by the service's clock: ours may be wrong."""
    if not date:
        return 0.0
    told = parsedate_to_datetime(date)
    if told.tzinfo is None:  # a header that passed a careless proxy; HTTP knows only UTC
        told = told.replace(tzinfo=UTC)
    age = (told - moment(job["created_at"])).total_seconds()
    return max(0.0, age)
