"""What a compute host waits for at its boot: the control plane of its site."""

from __future__ import annotations

import functools

from multisite_lab import process
from multisite_lab.listening import answers
from multisite_lab.model import PORTS, Host

QUEUE_PORT = 5672
MONITOR_PORT = 3300
TIMEOUT = 400.0


def wait_answers(host: Host) -> None:
    """Return when the site's queue, monitor and APIs listen; TimeoutError names the first that does not.

    Agents started before would lose their first calls, and each waits long before it asks again.
    """
    site = host.site
    for name, port in {
        "queue": QUEUE_PORT,
        "Ceph monitor": MONITOR_PORT,
        "neutron": PORTS["neutron"],
        "nova": PORTS["nova"],
    }.items():
        listens = functools.partial(answers, f"tcp:{site.management}:{port}")
        process.wait_until(listens, f"{site.name} {name} listens", TIMEOUT, 0.5)
