# SPDX-License-Identifier: Apache-2.0
"""ML2 mechanism driver `remote_port`: binds remote ports to the shadow hosts of their endpoints.

A remote port is bound with status ACTIVE, because nobody will ever report it up.  All forwarding entries are then
l2population's work, for the port looks like one that came up on another compute host: bound -> announced, deleted
-> withdrawn, other endpoint (another host) -> withdrawn and announced, agent starts -> told of all.

Works before and after l2population in the list of drivers.  Nothing is done after a commit, on purpose: Neutron 29
calls the hooks of a delete in reverse order, and l2population finds the entries to withdraw by the shadow agent.
"""

from __future__ import annotations

from neutron import policy
from neutron.worker import PeriodicWorker
from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api
from oslo_log import log as logging

from multisite_neutron import names, shadow, worker

LOG = logging.getLogger(__name__)


class RemotePortMechanismDriver(api.MechanismDriver):
    """What ML2 calls (neutron_lib.plugins.ml2.api.MechanismDriver)."""

    def initialize(self) -> None:
        """Load Neutron's policies before the first request.

        Neutron loads them with it, and judges requests that come meanwhile by no rules at all (neutron/policy.py,
        init): for a moment after each start of a server with several threads, lists are empty and ports that are
        there are "not found".  Who keeps remote ports equal to other sites' ports must not be told that there are none.
        """
        policy.init()

    @property
    def connectivity(self) -> str:
        """Ports without an address may be bound, too."""
        return portbindings.CONNECTIVITY_L2

    def get_workers(self) -> list[PeriodicWorker]:
        """Give the worker of the shadow agents; only neutron-periodic-workers starts it."""
        return [worker.make()]

    def bind_port(self, context: api.PortContext) -> None:
        """Bind a remote port to the VXLAN segment of its network."""
        if not names.is_remote(context.current) or names.vtep_of(context.host) is None:
            return
        for segment in context.segments_to_bind:
            if segment[api.NETWORK_TYPE] == constants.TYPE_VXLAN:
                context.set_binding(
                    segment[api.ID],
                    names.VIF_TYPE,
                    {portbindings.CAP_PORT_FILTER: False},
                    status=constants.PORT_STATUS_ACTIVE,
                )
                return
        LOG.error("remote port %s is not bound: its network has no VXLAN segment", context.current["id"])

    def delete_port_precommit(self, context: api.PortContext) -> None:
        """Give back a shadow agent somebody deleted: l2population needs it to withdraw the port's entries."""
        vtep = names.vtep_of(context.host)
        if vtep is not None and names.is_remote(context.current):
            shadow.ensure(context.plugin_context, vtep)
