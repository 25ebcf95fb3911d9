# SPDX-License-Identifier: Apache-2.0
"""What goes on without requests, in neutron-periodic-workers: shadow agents beat, come back, and are collected.

Several controllers may do it at the same time: every part may be repeated.
"""

from __future__ import annotations

from typing import Any

from neutron import worker as neutron_worker
from neutron_lib import constants
from neutron_lib import context as neutron_context
from neutron_lib.plugins import directory
from oslo_log import log as logging

from multisite_neutron import names, shadow

LOG = logging.getLogger(__name__)


def make() -> neutron_worker.PeriodicWorker:
    """Give the worker; its thread never ends for an error."""
    return neutron_worker.PeriodicWorker(beat, shadow.beat_interval(), 0, desc="remote VTEP worker")


def beat() -> None:
    """Run one round."""
    for part in (_keep, _collect):
        try:
            part(neutron_context.get_admin_context())
        except Exception:
            LOG.exception("remote VTEP worker: %s failed; tried again at the next beat", part.__name__)


def _keep(context: Any) -> None:
    """Beat for every endpoint in use; give back the agents somebody deleted."""
    used = shadow.used(context)
    for vtep in sorted(used - shadow.existing(context)):
        _repair(vtep)
    if used:
        shadow.beat(context, used)


def _collect(context: Any) -> None:
    gone = shadow.collect(context)
    if gone:
        LOG.info("%d shadow agents without remote ports collected", gone)


def _repair(vtep: str) -> None:
    """Make a missing shadow agent again, and announce its ports.

    While it was missing, agents that started were not told of these ports, and ports that came up were not
    announced to anybody; announcing them once more harms nobody who knows.
    """
    context = neutron_context.get_admin_context()
    try:
        shadow.ensure(context, vtep)
        ports = shadow.bound_ports(context, vtep)
        LOG.warning("shadow agent of %s was missing: made again, announcing its %d ports", vtep, len(ports))
        announce(context, vtep, ports)
    except Exception:
        LOG.exception(
            "the shadow agent of %s is missing and could not be made; tried again at the next beat", vtep
        )


def announce(context: Any, vtep: str, ports: list[str]) -> None:
    """Let l2population tell all agents of ports behind an endpoint, as it does for ports an agent reports up."""
    plugin = directory.get_plugin()
    driver = plugin.mechanism_manager.mech_drivers.get("l2population")
    if driver is None:
        return
    for port_id in ports:
        bound = plugin.get_bound_port_context(context, port_id, names.host_of(vtep))
        if bound is not None and bound.current["status"] == constants.PORT_STATUS_ACTIVE:
            # With tunnels: the flood entry is sent too, however many ports the endpoint has.
            driver.obj.update_port_up(bound, True)
