"""A master site is lost: the other one serves on, and the lost one comes back with what it missed and no more."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
import requests
from real_identity import ENTRY, SITES, Service, in_step, login, passwords, running_service, token, until

from multisite_lab import sites
from multisite_lab.model import ALL_SITES
from multisite_lab.star import entry, layout, sql

RTO = 15.0


@dataclass
class Story:
    """When something was tried and whether it was well, in seconds of the monotonic clock."""

    tries: list[tuple[float, float, bool]] = field(default_factory=list)

    def longest_pause(self, since: float) -> float:
        """The longest time without a success ending, from a moment to the last try; a slow answer is a pause too."""
        moments = [
            since,
            *(ended for _, ended, well in self.tries if well and ended > since),
            self.tries[-1][1],
        ]
        return max(later - earlier for earlier, later in pairwise(moments))

    def failures(self, since: float) -> str:
        tries = [well for began, _, well in self.tries if began > since]
        return f"{tries.count(False)} of {len(tries)} failed"


class Load:
    """Logs in at the entry and uses a fresh token at the services, over and over."""

    def __init__(self, services: list[Service]) -> None:
        self.issue, self.validate = Story(), {service.site: Story() for service in services}
        self._services = services
        self._tokens = [token()]
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._issue)]
        self._threads += [threading.Thread(target=self._validate, args=(service,)) for service in services]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _issue(self) -> None:
        while not self._end.is_set():
            self._try(self.issue, self._login)
            time.sleep(0.3)

    def _login(self) -> bool:
        answer = login(ENTRY, "member", passwords().member, "vnf", timeout=20)
        if answer.status_code == 201:
            self._tokens.append(answer.headers["X-Subject-Token"])
        return answer.status_code == 201

    def _validate(self, service: Service) -> None:
        while not self._end.is_set():
            self._try(
                self.validate[service.site], lambda: service.status(self._tokens[-1], timeout=20) == 200
            )
            time.sleep(0.3)

    def _try(self, story: Story, what: object) -> None:
        began = time.monotonic()
        try:
            well = bool(what())  # type: ignore[operator]
        except requests.RequestException:
            well = False
        story.tries.append((began, time.monotonic(), well))


@pytest.mark.parametrize("lost", ["site1", "site2"])
def test_the_other_master_serves_on_and_the_lost_one_rejoins_by_ist(tmp_path: Path, lost: str) -> None:
    other = "site2" if lost == "site1" else "site1"
    node, donor = (layout.node_of_master(ALL_SITES[name]) for name in (lost, other))
    binlogs = {path.name for path in node.data.glob("binlog.0*")}
    with (
        running_service(tmp_path, other) as near,
        running_service(tmp_path, "site3") as far,
        Load([near, far]) as load,
    ):
        until(lambda: len(load.issue.tries) > 3, "load", 60)
        sites.kill(lost)
        killed = time.monotonic()
        time.sleep(RTO + 20)
    stories = {"issue": load.issue} | {f"validate at {site}": story for site, story in load.validate.items()}
    pauses = {what: round(story.longest_pause(killed), 1) for what, story in stories.items()}
    print(
        f"\n{lost} lost: longest pauses {pauses};",
        {what: story.failures(killed) for what, story in stories.items()},
    )
    assert max(pauses.values()) <= RTO

    marks = {n: n.error_log.stat().st_size for n in (node, donor)}
    begun = time.monotonic()
    sites.start(lost)
    print(f"{lost} ready again after {time.monotonic() - begun:.1f} s")
    said = {n: _since(n.error_log, mark) for n, mark in marks.items()}
    assert re.search(r"WSREP: Receiving IST: \d+ writesets", said[node]), "no incremental transfer"
    assert "rsync SST started on donor" not in said[donor], "a full transfer"
    assert binlogs <= {path.name for path in node.data.glob("binlog.0*")}
    # Its copy was behind and finds what it missed in these binary logs: no error 1236.
    until(in_step, "all in step", 30)
    until(lambda: entry.servers() == {"site1": "UP", "site2": "UP"}, "both masters in the entry", 30)


def test_a_master_without_a_majority_is_not_asked(tmp_path: Path) -> None:
    """Site 1 and the arbitrator's site lost: site 2 still accepts connections, and the entry must not use it."""
    sites.kill("site1")
    sites.kill("site3")
    node = layout.node_of_master(ALL_SITES["site2"])
    until(
        lambda: sql.status(node).get("wsrep_cluster_status") == "non-Primary", "site 2 without a majority", 40
    )
    until(lambda: entry.servers()["site2"] == "DOWN", "site 2 out of the entry", 15)
    for site in ("site1", "site3"):
        sites.start(site)
    assert {site: sites.is_alive(site) for site in SITES} == dict.fromkeys(SITES, True)
    until(in_step, "all in step", 60)


def _since(path: Path, mark: int) -> str:
    with path.open("rb") as file:
        file.seek(mark)
        return file.read().decode(errors="replace")
