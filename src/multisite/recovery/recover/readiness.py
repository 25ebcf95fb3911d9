"""When a recovered server counts as ready: Nova says ACTIVE, its ports are ACTIVE, but for disabled ones, its console
shows what it should.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from multisite.clouds import build, resources
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import Cancelled, Refused, SiteError, Unreachable
from multisite.domain.pattern import newest_match
from multisite.jobs.model import StepFailed
from multisite.recovery.recover.model import Readiness

TAIL = 8
"""Console lines shown when the gate fails."""
LONGEST_LINE = 300
POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Seen:
    """One look.  ``line``: the newest console line that matches; ``console``: the last lines, in order."""

    status: str
    ports: dict[str, str]
    line: str | None
    console: tuple[str, ...]

    def missing(self, rule: Readiness) -> list[str]:
        """What is still not as it should be, in words; empty when the server is ready."""
        found = [] if self.status == "ACTIVE" else [f"Nova says {self.status}"]
        found += [f"port {port} is {status}" for port, status in self.ports.items() if status != "ACTIVE"]
        if rule.console is not None and self.line is None:
            found.append(f"no console line matches {rule.console!r}")
        return found


@dataclass(frozen=True)
class Ready:
    """``line``: the console line that was waited for, None when none was."""

    line: str | None
    seconds: float


def wait_ready(
    site: CloudSite,
    name: str,
    server_id: str,
    rule: Readiness,
    *,
    on_poll: Callable[[str], object] = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Ready:
    """Wait for a server.  ``on_poll`` gets what is missing, in words.

    Raises StepFailed naming the server, what is missing and its last console lines; Cancelled.
    """
    begun = clock()
    trouble: SiteError | None = None
    seen: Seen | None = None
    while True:
        try:
            seen, trouble = look(site, server_id, rule), None
        except Unreachable as error:
            trouble = error
        if seen is not None and trouble is None:
            missing = seen.missing(rule)
            if not missing:
                return Ready(seen.line, clock() - begun)
            on_poll("; ".join(missing))
            if seen.status in ("ERROR", "DELETED", "SHUTOFF"):
                raise _failure(site, name, f"Nova says {seen.status}", seen)
        if cancelled():
            raise Cancelled(site.name, f"server {name}", "stopped waiting for it to be ready, on request")
        if (waited := clock() - begun) >= rule.timeout:
            what = "; ".join(seen.missing(rule)) if seen else "it was never seen"
            what += f"; then {trouble.message}" if trouble else ""
            raise _failure(site, name, f"not ready after {waited:.0f} s: {what}", seen)
        pause(min(POLL_SECONDS, max(0.05, rule.timeout - waited)))


def look(site: CloudSite, server_id: str, rule: Readiness) -> Seen:
    """Look once.  The console is only read when a line of it is waited for."""
    row: dict[str, Any] = build.read_server(site, server_id)
    rows = resources.list_all(site, "port", device_id=server_id)
    ports = {row["id"]: row["status"] for row in rows if row.get("admin_state_up", True)}
    lines = _console(site, server_id) if rule.console is not None else []
    line = newest_match(rule.console, lines) if rule.console is not None else None
    return Seen(row["status"], ports, line, tuple(lines[-TAIL:]))


def _console(site: CloudSite, server_id: str) -> list[str]:
    try:
        text = build.console(site, server_id)
    except Refused as error:
        if error.site_status in (404, 409):
            return []  # there is no console yet
        raise StepFailed(
            f"server {server_id}: its console cannot be read, so {error}: recover without ready_console"
        ) from error
    return [line.strip()[:LONGEST_LINE] for line in text.splitlines() if line.strip()]


def _failure(site: CloudSite, name: str, what: str, seen: Seen | None) -> StepFailed:
    console = " | ".join(seen.console) if seen and seen.console else "nothing was read"
    return StepFailed(f"server {name} at {site.name}: {what}; last console lines: {console}")
