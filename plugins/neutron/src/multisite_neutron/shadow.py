# SPDX-License-Identifier: Apache-2.0
"""Shadow agents: one row of Neutron's agents table for each remote tunnel endpoint.

To l2population a remote port is a port on another compute host, and a host is known by its L2 agent: the stock
driver looks the agent's row up whenever it announces or withdraws a port, and joins ports with agents when an
agent starts (neutron/plugins/ml2/drivers/l2pop/db.py).  It does not look at the heart beat; that is for operators.
"""

from __future__ import annotations

import datetime
from typing import Any

import sqlalchemy
from neutron.db.models import agent as agent_model
from neutron.plugins.ml2 import models as ml2_models
from neutron_lib import constants
from neutron_lib.db import api as db_api
from neutron_lib.plugins import directory
from oslo_config import cfg
from oslo_utils import timeutils

from multisite_neutron import names

Agent = agent_model.Agent
Binding = ml2_models.PortBinding


def beat_interval() -> int:
    """Seconds between two heart beats: two may be lost before an agent is shown dead."""
    return max(1, cfg.CONF.agent_down_time // 3)


def state(vtep: str) -> dict[str, Any]:
    """Compose what an agent on such a host would report."""
    return {
        "agent_type": names.AGENT_TYPE,
        "binary": names.AGENT_BINARY,
        "host": names.host_of(vtep),
        "topic": "N/A",
        "configurations": {
            names.TUNNELING_IP: vtep,
            "tunnel_types": [constants.TYPE_VXLAN],
            "l2pop_network_types": [constants.TYPE_VXLAN],
            "shadow": True,
        },
    }


def ensure(context: Any, vtep: str) -> bool:
    """Make sure that an endpoint has its shadow agent and will keep it for a while; whether one was made.

    Part of the caller's transaction.  A row that has beaten lately is only read: requests for one endpoint would
    otherwise queue up for its lock.
    """
    found = _beaten_at(context, vtep)
    if found is not None and not timeutils.is_older_than(found, beat_interval() + 1):
        return False
    directory.get_plugin().create_or_update_agent(context.elevated(), state(vtep))
    return found is None


@db_api.CONTEXT_READER
def used(context: Any) -> set[str]:
    """Endpoints that remote ports are bound to."""
    query = context.session.query(Binding.host).filter(Binding.host.like(names.HOST_PREFIX + "%")).distinct()
    return {vtep for (host,) in query if (vtep := names.vtep_of(host))}


@db_api.CONTEXT_READER
def existing(context: Any) -> set[str]:
    """Endpoints that have a shadow agent."""
    query = context.session.query(Agent.host).filter(Agent.agent_type == names.AGENT_TYPE)
    return {vtep for (host,) in query if (vtep := names.vtep_of(host))}


@db_api.CONTEXT_READER
def bound_ports(context: Any, vtep: str) -> list[str]:
    """Ids of the ports behind an endpoint."""
    query = context.session.query(Binding.port_id).filter(Binding.host == names.host_of(vtep))
    return [port_id for (port_id,) in query.order_by(Binding.port_id)]


@db_api.retry_db_errors
@db_api.CONTEXT_WRITER
def beat(context: Any, endpoints: set[str]) -> None:
    """Let the shadow agents of these endpoints be shown alive; one statement for all."""
    hosts = sorted(names.host_of(vtep) for vtep in endpoints)
    context.session.execute(
        sqlalchemy.update(Agent)
        .where(Agent.agent_type == names.AGENT_TYPE, Agent.host.in_(hosts))
        .values(heartbeat_timestamp=timeutils.utcnow())
        .execution_options(synchronize_session=False)
    )


@db_api.retry_db_errors
@db_api.CONTEXT_WRITER
def collect(context: Any) -> int:
    """Delete shadow agents that nothing is bound to and that have not beaten for agent_down_time; how many.

    Bindings are read without a lock.  A port created meanwhile has refreshed the heart beat (`ensure`), which the
    DELETE looks at once more under the row's lock.
    """
    limit = timeutils.utcnow() - datetime.timedelta(seconds=cfg.CONF.agent_down_time)
    silent = (Agent.agent_type == names.AGENT_TYPE, Agent.heartbeat_timestamp < limit)
    hosts = {host for (host,) in context.session.query(Agent.host).filter(*silent)}
    unused = hosts and hosts - {names.host_of(vtep) for vtep in used(context)}
    if not unused:
        return 0
    done = context.session.execute(
        sqlalchemy.delete(Agent)
        .where(*silent, Agent.host.in_(sorted(unused)))
        .execution_options(synchronize_session=False)
    )
    return int(done.rowcount)


@db_api.CONTEXT_READER
def _beaten_at(context: Any, vtep: str) -> datetime.datetime | None:
    query = context.session.query(Agent.heartbeat_timestamp).filter(
        Agent.agent_type == names.AGENT_TYPE, Agent.host == names.host_of(vtep)
    )
    return query.scalar()
