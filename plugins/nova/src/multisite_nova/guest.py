# SPDX-License-Identifier: Apache-2.0
"""The way to a guest: nova-compute on its host, which asks the agent inside."""

import oslo_messaging as messaging
from nova import context as nova_context
from nova import exception, objects
from nova.compute import rpcapi, vm_states

from multisite_nova.records import FAILED, OK, REFUSED, UNKNOWN

# nothing runs, so nothing is frozen
OFF = {vm_states.STOPPED, vm_states.SHELVED, vm_states.SHELVED_OFFLOADED, vm_states.SOFT_DELETED}
REFUSALS = (exception.QemuGuestAgentNotEnabled, exception.InstanceQuiesceNotSupported, NotImplementedError)
ANSWERS = (exception.NovaException, messaging.RemoteError, messaging.MessagingServerError)


def cell_context(uuid: str, request_id: str) -> nova_context.RequestContext:
    """Make an admin context aimed at the server's cell, with the id of the request the work is done for."""
    context = nova_context.RequestContext(is_admin=True, overwrite=False, request_id=request_id)
    mapping = objects.InstanceMapping.get_by_instance_uuid(context, uuid)
    nova_context.set_target_cell(context, mapping.cell_mapping)
    return context


def send(context: nova_context.RequestContext, server: objects.Instance, method: str, timeout: float) -> None:
    """Ask nova-compute and wait for its answer, for a thaw too: Nova's own client sends that one blindly."""
    client = rpcapi.ComputeAPI().router.client(context)
    version = "6.0" if client.can_send_version("6.0") else "5.0"
    call = client.prepare(server=server.host, version=version, timeout=timeout)
    call.call(context, method, instance=server)


def outcome_of(error: BaseException | None) -> str:
    """Tell an answer that settles the matter from none."""
    if error is None:
        return OK
    if isinstance(error, REFUSALS):
        return REFUSED
    return FAILED if isinstance(error, ANSWERS) else UNKNOWN


def reason_of(error: BaseException | None) -> str:
    """Put an error into one line, without the traceback of another process."""
    text = error.format_message() if isinstance(error, exception.NovaException) else str(error)
    return (text.strip().splitlines() or [type(error).__name__])[0]
