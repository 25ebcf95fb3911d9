"""What a protection asks of a site for each volume stays the same when the application is twice as large.

How long servers stand still is printed beside how long the bare calls in their best order take.  The sizes of
acceptance: ``MULTISITE_SERVERS=50,100,200 pytest -s tests/sim/test_linear.py`` (1,000 volumes, many minutes).
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bench.baseline_window import Baseline
from multisite.clouds.resources import lifecycle
from multisite.jobs.model import JobState
from multisite_lab.sim.world import make_world
from tests.sim import deploy
from tests.sim.service import SITE, Service, running_service

SERVERS = tuple(map(int, os.environ.get("MULTISITE_SERVERS", "1,2,4").split(",")))
VOLUMES = 5
PATIENCE = 1800.0
FREEZE_LIMIT = 600
GROWTH = 1.1


@dataclass(frozen=True)
class Cost:
    """Of one run, for each volume: requests to the site, and rows that its lists showed."""

    requests: float
    rows: float


def deployed(service: Service, servers: int) -> Baseline:
    """An application of one-port servers with ``VOLUMES`` volumes each; the bare calls that freeze it."""
    site, members, volumes = service.cloud(SITE), [], []
    network = deploy.network(site, "big", "10.40.0.0/16")
    image, flavor = deploy.image(site), deploy.flavor(site)
    for n in range(servers):
        root = deploy.volume(site, f"big-{n}-root", image=image)
        disks = [root, *(deploy.volume(site, f"big-{n}-{k}") for k in range(1, VOLUMES))]
        volumes += disks
        port = deploy.port(site, f"big-{n}", network)
        members.append(deploy.server(site, f"big-{n}", flavor, disks, [port]))
    for server in members:
        deploy.working(site, server)
    service.applications.create(service.owner(), "big", SITE, [{"id": server} for server in members])
    return Baseline(site.conn, members, volumes, FREEZE_LIMIT)


@contextmanager
def world_of(folder: Path, servers: int) -> Iterator[tuple[Any, Service, Baseline]]:
    folder.mkdir()
    with make_world() as world, running_service(folder, world) as service:
        service.patience = PATIENCE
        for site in world.sites.values():
            site.sim.settings.freeze_timeout = PATIENCE
            site.sim.quotas = dict.fromkeys(site.sim.quotas, -1)
        bare = deployed(service, servers)
        service.protection("big", freeze_timeout=FREEZE_LIMIT)
        yield world.sites[SITE], service, bare


def costs(folder: Path, servers: int) -> tuple[Cost, Cost]:
    """Of a full run, and of an incremental one beside the backups of the first."""
    found: list[Cost] = []
    with world_of(folder, servers) as (site, service, bare):
        for kind in ("full", "incremental"):
            least = bare.take().window
            before, begun = len(site.script.log), time.monotonic()
            job, point = service.protect("big")
            assert job.state == JobState.DONE, job.error
            assert point.incremental == (kind == "incremental")
            log, count = site.script.log[before:], servers * VOLUMES
            found.append(Cost(len(log) / count, sum(seen.rows or 0 for seen in log) / count))
            print(
                f"\n{servers} servers, {count} volumes, {kind}: {found[-1].requests:.2f} requests and "
                f"{found[-1].rows:.2f} rows per volume, frozen {point.frozen_seconds:.2f} s "
                f"(bare calls {least:.2f} s), {time.monotonic() - begun:.1f} s",
                end="",
            )
    return found[0], found[1]


def growth(smaller: Cost, larger: Cost) -> float:
    return max(larger.requests / smaller.requests, larger.rows / smaller.rows)


@pytest.mark.timeout(4 * PATIENCE)
def test_requests_and_rows_per_volume_are_constant(tmp_path: Path) -> None:
    measured = [costs(tmp_path / str(n), n) for n in SERVERS]
    for smaller, larger in itertools.pairwise(measured):
        assert growth(smaller[0], larger[0]) <= GROWTH
        assert growth(smaller[1], larger[1]) <= GROWTH


def test_a_list_of_all_backups_for_each_volume_would_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: as it was before, and where Cinder's deployer took the filter away."""
    listed = lifecycle.list_all

    def unfiltered(site: Any, kind: Any, *version: Any, **filters: Any) -> Any:
        filters.pop("volume_id", None)
        return listed(site, kind, *version, **filters)

    monkeypatch.setattr(lifecycle, "list_all", unfiltered)
    smaller, larger = (costs(tmp_path / str(n), n)[0] for n in (2, 4))
    assert growth(smaller, larger) > GROWTH
