"""What needs a service of its own: a worker that is killed, a planned move there and back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from multisite.domain.model import Purpose, Recovery
from multisite.jobs.model import JobState
from multisite.jobs.view import Job
from multisite_lab.sim.world import make_world
from tests.dns.bind import Bind
from tests.dns.setup import KEPT, NAME, OLD, RECORD, addresses, reach, zone_line
from tests.sim.service import ROOT, SITE, TARGET, Service, running_service


def test_a_worker_that_is_killed_between_the_update_and_its_note(bind: Bind, tmp_path: Path) -> None:
    with make_world() as world:
        with running_service(tmp_path, world, outside=reach(bind)) as service:
            service.deploy("mme", full=False)
            point = service.protect("mme")[1].id
            service.plans.create(service.owner(), "by-day", "mme", TARGET, mapping=KEPT, dns=[RECORD])
            world.lose(SITE)
        assert _worker(bind, tmp_path, "die", point, "by-day") == -9
        updated = bind.has(NAME)
        assert updated != OLD
        assert _worker(bind, tmp_path, "rest") == 0
        assert bind.has(NAME) == updated
        with running_service(tmp_path, world, outside=reach(bind)) as service:
            (job,) = [job for job in service.jobs.list() if job.kind == "recover"]
            assert job.state is JobState.DONE, job.error
            assert service.jobs.get(job.id).step("dns-1").attempt == 2
            (found,) = service.recoveries.list(service.caller)
            service.undone(found.id)
            assert bind.has(NAME) == OLD


def test_a_move_takes_the_name_along_and_its_undo_brings_it_back(bind: Bind, tmp_path: Path) -> None:
    with make_world() as world, running_service(tmp_path, world, outside=reach(bind)) as service:
        service.deploy("mme", full=False)
        point = service.protect("mme")[1].id
        _, found = _moved(service, point, TARGET, {})
        assert bind.has(NAME) == (addresses(service, found), 30)
        service.undone(found.id)
        assert bind.has(NAME) == OLD


def test_a_move_back_takes_the_name_home(bind: Bind, tmp_path: Path) -> None:
    """The application is reprotected, its old copy removed, and moved by the plan for its first site."""
    with make_world() as world, running_service(tmp_path, world, outside=reach(bind)) as service:
        service.deploy("mme", full=False)
        _, away = _moved(service, service.protect("mme")[1].id, TARGET, {})
        service.failback.reprotect(service.caller, away.id)
        job, point = service.protect("mme")
        assert job.state is JobState.DONE, job.error
        removal, _ = service.failback.commit(service.caller, away.id, remove_source=True, confirm="mme")
        assert service.rest(str(removal)).state is JobState.DONE
        bind.by_hand(NAME, "A", *OLD[0], ttl=OLD[1])
        same = {f"mme-{kind}": f"mme-{kind}" for kind in ("data", "mgmt")}
        job, home = _moved(service, point.id, SITE, {"networks": same, "security_groups": same})
        assert (home.target_site, bind.has(NAME)) == (SITE, (addresses(service, home), 30))
        assert f"192.0.2.10 -> {', '.join(addresses(service, home))}" in str(
            [line.message for line in job.journal]
        )


def _moved(service: Service, point: str, target: str, rules: dict[str, Any]) -> tuple[Job, Recovery]:
    service.plans.create(service.owner(), f"to-{target}", "mme", target, mapping=KEPT | rules, dns=[RECORD])
    started = service.recoveries.start(
        service.caller, point, None, {}, confirm="mme", plan=f"to-{target}", purpose=Purpose.MOVE
    )
    job = service.rest(started.job_id)
    assert job.state is JobState.DONE, job.error
    return job, service.recoveries.get(service.caller, started.id)


def _worker(bind: Bind, folder: Path, verb: str, *words: str) -> int:
    argv = [
        sys.executable,
        "-m",
        "tests.dns.worker",
        str(folder),
        zone_line(bind),
        str(bind.keys),
        verb,
        *words,
    ]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=180, env=os.environ)
    assert done.returncode in (0, -9), done.stderr
    assert "secret" not in done.stderr
    return done.returncode
