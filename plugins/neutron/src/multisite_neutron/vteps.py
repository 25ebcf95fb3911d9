# SPDX-License-Identifier: Apache-2.0
"""Reading tunnel endpoints: of this Neutron's hosts, as their agents report them.

A remote port's endpoint is in the name of the host it is bound to and costs no query.  For all ordinary ports of
a list one query is made, whatever its length (`Unresolved`).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from neutron.db.models import agent as agent_model
from neutron_lib import constants
from neutron_lib.db import api as db_api
from oslo_serialization import jsonutils

from multisite_neutron import names

_REPORTED = "%tunneling_ip%"


@dataclass(frozen=True)
class Unresolved:
    """Stands in a list's port for its endpoint until the whole list has been read; never leaves the plugin."""

    session: Any
    host: str


def bound_host(port: Any) -> str:
    """Tell the host of the active binding of a Port row; empty while there is none."""
    for binding in getattr(port, "port_bindings", None) or ():
        if binding.status == constants.ACTIVE:
            return binding.host or ""
    return ""


def of_host(session: Any, host: str) -> str | None:
    """Tell the tunnel endpoint of a host, real or shadow; None if it has none or there is no such host."""
    if not host:
        return None
    return names.vtep_of(host) or _reported(session, {host}).get(host)


def resolve(ports: list[dict[str, Any]]) -> None:
    """Give every unresolved port of a list its endpoint, by one query for all their hosts; None if that fails."""
    waiting = [port for port in ports if isinstance(port.get(names.TUNNELING_IP), Unresolved)]
    if not waiting:
        return
    unresolved: list[Unresolved] = [port[names.TUNNELING_IP] for port in waiting]
    for port in waiting:
        port[names.TUNNELING_IP] = None
    known = _reported(unresolved[0].session, {one.host for one in unresolved})
    for port, one in zip(waiting, unresolved, strict=True):
        port[names.TUNNELING_IP] = known.get(one.host)


@db_api.CONTEXT_READER
def local_host(context: Any, vtep: str) -> str | None:
    """Name the host of this Neutron that has a tunnel endpoint, if one does; shadow hosts do not count."""
    query = context.session.query(agent_model.Agent.host, agent_model.Agent.configurations).filter(
        agent_model.Agent.agent_type != names.AGENT_TYPE
    )
    # An IPv6 address may have been written in another form than ours: look at every agent that reports one.
    pattern = _REPORTED if ":" in vtep else f'%"{vtep}"%'
    for host, configurations in query.filter(agent_model.Agent.configurations.like(pattern)):
        if _endpoint(configurations) == vtep:
            return str(host)
    return None


def _reported(session: Any, hosts: Iterable[str]) -> dict[str, str]:
    """Endpoints by host, one query; sorted by agent type, so that two agents of a host never take turns."""
    agent = agent_model.Agent
    query = session.query(agent.host, agent.configurations).filter(
        agent.host.in_(list(hosts)),
        agent.configurations.like(_REPORTED),
        agent.agent_type != names.AGENT_TYPE,
    )
    found: dict[str, str] = {}
    for host, configurations in query.order_by(agent.host, agent.agent_type):
        endpoint = _endpoint(configurations)
        if endpoint:
            found.setdefault(host, endpoint)
    return found


def _endpoint(configurations: str) -> str | None:
    """Take the endpoint, canonical, from what an agent reports about itself; None if that is not to be read."""
    try:
        value = jsonutils.loads(configurations).get(names.TUNNELING_IP)
        return str(ipaddress.ip_address(value)) if value else None
    except (ValueError, TypeError, AttributeError):
        return None
