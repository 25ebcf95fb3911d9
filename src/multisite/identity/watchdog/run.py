"""The watchdog's program: checks, decides, acts, logs what changed."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from multisite.domain.errors import MultisiteError
from multisite.identity.watchdog import act, collect, plan
from multisite.identity.watchdog.canary import Canary
from multisite.identity.watchdog.database import ERRORS, message
from multisite.identity.watchdog.judge import History, State, Verdict, cluster_position, judge
from multisite.identity.watchdog.plan import Memory
from multisite.identity.watchdog.settings import Settings, load
from multisite.periodic.loop import Loop
from multisite.periodic.schedule import Interval
from multisite.periodic.task import Task

LOG = logging.getLogger("multisite.identity.watchdog")


class Watchdog:
    """One site's.  Everything it must remember is found again by a check: it may be killed at any time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._history = History()
        self._memory = Memory()
        self._said: dict[str, object] = {}
        self._busy: set[str] = set()
        self.verdicts: list[Verdict] = []

    def check(self, now: float) -> None:
        """One check and what follows from it; ``now``: seconds of a monotonic clock."""
        # Replicas first: what they have the masters, asked later, have too.
        replicas = collect.replicas(self._settings)
        masters = collect.masters(self._settings)
        for master in masters:
            self._log_change(
                master.site,
                master.primary,
                f"master {master.site}: {'primary' if master.primary else master.why}",
            )
        self._memory = self._memory.with_masters(masters, now)
        self._history = self._history.with_(now, cluster_position(masters))
        stale_after = self._settings.times.stale_after
        self.verdicts = [judge(replica, masters, self._history, now, stale_after) for replica in replicas]
        for verdict in self.verdicts:
            self._log_change(
                verdict.name, verdict.state, f"replica {verdict.name} is {verdict.state}: {verdict.reason}"
            )
        self._control_proxy()
        homes = {replica.name: replica.home for replica in self._settings.replicas}
        limits = self._settings.times
        for action in plan.repair(replicas, self.verdicts, masters, homes, self._memory, now, limits):
            if action.replica not in self._busy:
                self._memory = self._memory.with_touched(action.replica, now)
                self._busy.add(action.replica)
                # A replica that is trying its dead master stops only when that has timed out: go on checking meanwhile.
                threading.Thread(target=self._repair, args=(action,), daemon=True).start()

    def _repair(self, action: plan.Repoint | plan.Start) -> None:
        what = f"follows {action.master} now" if isinstance(action, plan.Repoint) else "started again"
        began = time.monotonic()
        try:
            act.repair(self._settings, action)
            took = time.monotonic() - began
            LOG.warning("replica %s %s (in %.1f s): %s", action.replica, what, took, action.why)
        except ERRORS as error:
            LOG.warning("replica %s: not done (%s): %s", action.replica, what, message(error))
        finally:
            self._busy.discard(action.replica)

    def _control_proxy(self) -> None:
        proxy = self._settings.proxy
        if proxy is None:
            return
        try:
            socket = Path(proxy.socket)
            have = act.servers(socket)
            for server, is_out in self._wanted(proxy.local).items():
                if have.get(server, False) != is_out:
                    act.set_out(socket, server, is_out)
                    LOG.warning("proxy: %s %s", server, "taken out" if is_out else "put back")
            self._log_change("proxy", True, "proxy answers")
        except act.ProxyError as error:
            self._log_change("proxy", False, f"proxy does not answer: {error}")

    def _wanted(self, local: tuple[str, ...]) -> Mapping[str, bool]:
        out = plan.out(self.verdicts)
        found = {s: out[r.name] for r in self._settings.replicas if r.name in out for s in r.servers}
        return found | dict.fromkeys(local, plan.site_out(self.verdicts))

    def _log_change(self, about: str, state: object, text: str) -> None:
        """Once for each change."""
        if self._said.get(about) != state:
            level = logging.INFO if state in (True, State.FRESH) else logging.WARNING
            LOG.log(level, "%s", text)
            self._said[about] = state


def tasks(settings: Settings) -> list[Task]:
    """What this watchdog does.  No database of ours: it works while every one is lost."""
    # From start to start: a check that waited for a dead database is followed by no pause: every second counts.
    every = Interval(settings.times.every, from_start=True)
    found = []
    if settings.replicas:
        watchdog = Watchdog(settings)
        found.append(Task("watchdog", every, lambda: watchdog.check(time.monotonic())))
    if settings.beats_at is not None:
        found.append(Task("canary", every, Canary(settings, settings.beats_at).beat))
    return found


def main() -> int:
    """``python -m multisite.identity.watchdog.run FILE``: until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="the watchdog's settings (JSON)")
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO, stream=sys.stderr)
    try:
        settings = load(parser.parse_args().file)
        settings.password()
    except MultisiteError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the user of the command reads it
        return 2
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    loop = Loop(tasks(settings))
    loop.start()
    stop.wait()
    loop.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
