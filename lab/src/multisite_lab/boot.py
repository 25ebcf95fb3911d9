"""Brings a site's programs up in the order of their needs; run by the supervisor inside the site.

It may run again at any time: what is up is left alone.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TextIO

from multisite_lab import ceph, control, database, form, lean, ovs, ready
from multisite_lab.listening import answers as answers  # also for the golden database
from multisite_lab.model import Host, Machine, machine_named
from multisite_lab.program import Service
from multisite_lab.services import services
from multisite_lab.star import programs as identity
from multisite_lab.supervise import Supervisor

DEADLINE = 420.0
READY = "READY"
FAILED = "FAILED"


@dataclass(frozen=True)
class Task:
    """Something done once at boot, in its own thread, between services."""

    name: str
    needs: tuple[str, ...]
    action: Callable[[Any], None]


TASKS = (
    Task("ceph-format", (), ceph.format_monitor),
    Task("ceph-disk", ("ceph-mon",), ceph.format_disk),
    Task("ceph-pool", ("ceph-osd",), ceph.ensure_pool),
    Task("ovs-database", (), ovs.new_database),
    Task("ovs-bridges", ("ovs-vswitchd",), ovs.make_bridges),
    Task("database", ("mariadb",), database.localize),
)


_SWITCH = tuple(task for task in TASKS if task.name.startswith("ovs-"))
HOST_TASKS = (*_SWITCH, Task("control-plane", (), control.wait_answers))
"""At the boot of a further compute host."""

LEAN_TASKS = (*_SWITCH, Task("database", ("mariadb",), lean.localize))
"""At the boot of a site that is only identity and networks."""


def tasks(site: Machine) -> list[Task]:
    """What is done at the boot of this machine."""
    if isinstance(site, Host):
        return list(HOST_TASKS)
    if form.lean(site):
        return list(LEAN_TASKS)
    if not form.shared():
        return list(TASKS)
    theirs = [Task(name, needs, action) for name, needs, action in identity.work(site)]
    replaced = {task.name for task in theirs}
    own = [task for task in TASKS if task.name not in replaced] if form.whole(site) else []
    return [*own, *theirs]


class Boot:
    """One run: starts what can be started, waits for what was started, until nothing is left."""

    def __init__(self, site: Machine, report: Callable[[str], None]) -> None:
        self._supervisor = Supervisor(site)
        self._site = site
        self._report = report
        self._waiting: list[Service | Task] = [*tasks(site), *services(site)]
        self._begun: dict[str, Service | Future[None]] = {}
        self._done: set[str] = set()
        self._old = {p.name for p in self._supervisor.programs().values() if p.running and p.name != "boot"}

    def run(self) -> None:
        """Go through the whole graph; an exception says what could not be started."""
        end = time.monotonic() + DEADLINE
        watch = time.monotonic()
        with ThreadPoolExecutor() as pool:
            while self._waiting or self._begun:
                self._begin(pool)
                self._finish()
                if time.monotonic() > watch:
                    self._check_programs()
                    watch = time.monotonic() + 2
                if time.monotonic() > end:
                    names = sorted(self._begun) + [f"{n.name} (not begun)" for n in self._waiting]
                    raise TimeoutError(f"not up after {DEADLINE:.0f} s: {', '.join(names)}")
                time.sleep(0.05)

    def _begin(self, pool: ThreadPoolExecutor) -> None:
        for node in [n for n in self._waiting if self._done.issuperset(n.needs)]:
            self._waiting.remove(node)
            if isinstance(node, Task):
                self._begun[node.name] = pool.submit(node.action, self._site)
            else:
                self._supervisor.start(node.name)
                self._begun[node.name] = node

    def _finish(self) -> None:
        for name, node in list(self._begun.items()):
            if isinstance(node, Service):
                if not answers(node.probe):
                    continue
            elif not node.done():
                continue
            else:
                node.result()
            del self._begun[name]
            self._done.add(name)
            # In a repair only what was missing is news.
            if name not in self._old and not (self._old and isinstance(node, Future)):
                self._report(name)

    def _check_programs(self) -> None:
        fatal = [p.name for p in self._supervisor.programs().values() if p.state == "FATAL"]
        if fatal:
            raise RuntimeError(f"gave up starting: {', '.join(fatal)} (see multisite-lab logs)")


def main() -> None:
    """Boot the machine named on the command line and leave the story in its boot.log."""
    os.umask(0o077)
    site = machine_named(sys.argv[1])
    begun = time.monotonic()
    with (site.log / "boot.log").open("w", buffering=1) as log:

        def report(text: str) -> None:
            _write(log, begun, text)

        try:
            Boot(site, report).run()
            report("all started")
            ready.wait(site, timeout=DEADLINE, report=report)
        except Exception as error:  # whatever it was, the one who waits must read it
            traceback.print_exc()
            report(f"{FAILED} {type(error).__name__}: {error}")
            sys.exit(1)
        report(READY)


def _write(log: TextIO, begun: float, text: str) -> None:
    log.write(f"{time.monotonic() - begun:6.1f} {text}\n")


if __name__ == "__main__":
    main()
