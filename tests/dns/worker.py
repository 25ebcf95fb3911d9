"""The service in a process of its own, which kills itself (-9) right after a DNS server has taken an update.

python -m tests.dns.worker FOLDER ZONE-LINE KEYS die POINT PLAN | rest
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from multisite.recovery.dns.rfc2136 import Rfc2136
from multisite.recovery.plans.outside import outside
from tests.sim.service import Service


def die_after_the_update() -> None:
    replace = Rfc2136.replace

    def and_die(self: Rfc2136, *what: Any) -> None:
        replace(self, *what)
        os.kill(os.getpid(), signal.SIGKILL)

    Rfc2136.replace = and_die  # type: ignore[method-assign]


def main() -> None:
    folder, zone, keys, verb, *words = sys.argv[1:]
    service = Service(Path(folder), outside=outside(dns_zones=[zone], dns_keys=keys))
    if verb == "die":
        die_after_the_update()
    service.open()
    if verb == "die":
        point, plan = words
        sure = {"source_is_fenced": True}
        started = service.recoveries.start(service.caller, point, None, sure, confirm="mme", plan=plan)
        service.rest(started.job_id)
    for job in service.jobs.list():
        service.rest(job.id)
    service.close()


if __name__ == "__main__":
    main()
