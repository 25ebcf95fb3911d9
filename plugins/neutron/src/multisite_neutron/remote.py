# SPDX-License-Identifier: Apache-2.0
"""What may be asked of a remote port, and of an ordinary one when it comes to tunnel endpoints."""

from __future__ import annotations

from typing import Any

from neutron.db import segments_db
from neutron_lib import constants
from neutron_lib.api import validators
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins import directory
from neutron_lib.plugins.ml2 import api

from multisite_neutron import endpoints, names, shadow
from multisite_neutron.errors import BadRemotePort, RemotePortConflict


def create(context: Any, data: dict[str, Any], result: dict[str, Any]) -> None:
    """Check a new remote port and bind it to its endpoint's host, in the request and in the port."""
    _require_drivers()
    _require_vxlan(context, result["network_id"])
    vtep = endpoints.check(context, endpoints.asked_for(data)[1])
    _refuse_other_host(data, vtep)
    shadow.ensure(context, vtep)
    # Neutron takes the host from the request, or from the port when several are created by one request.
    data[portbindings.HOST_ID] = result[portbindings.HOST_ID] = names.host_of(vtep)
    result[names.TUNNELING_IP] = vtep


def update(context: Any, data: dict[str, Any], result: dict[str, Any]) -> None:
    """Check a change of a remote port; another endpoint is another host."""
    current = names.vtep_of(result[portbindings.HOST_ID])
    assert current is not None  # the caller has looked
    asked, value = endpoints.asked_for(data)
    vtep = endpoints.check(context, value) if asked and value != current else current
    _refuse_other_host(data, current, vtep)
    # Both: l2population withdraws the port from the one and announces it at the other.
    for needed in {current, vtep}:
        shadow.ensure(context, needed)
    if vtep != current:
        data[portbindings.HOST_ID] = names.host_of(vtep)
    else:
        data.pop(portbindings.HOST_ID, None)
    result[names.TUNNELING_IP] = vtep


def refuse_on_ordinary(data: dict[str, Any], current: str | None) -> None:
    """Refuse what only remote ports may have.  An unchanged value passes: Neutron writes whole ports back."""
    _, value = endpoints.asked_for(data)
    if value is not None and value != current:
        raise BadRemotePort(
            error_message="tunneling_ip: on an ordinary port it follows the host and cannot be set; leave it out, or "
            f"create a remote port (device_owner {names.DEVICE_OWNER})"
        )
    if names.vtep_of(data.get(portbindings.HOST_ID)) is not None:
        raise BadRemotePort(
            error_message=f"binding:host_id: names beginning with {names.HOST_PREFIX} are for remote ports; give "
            f"the port device_owner {names.DEVICE_OWNER} and tunneling_ip instead"
        )


def _refuse_other_host(data: dict[str, Any], *vteps: str) -> None:
    host = data.get(portbindings.HOST_ID)
    if validators.is_attr_set(host) and host and host not in {names.host_of(vtep) for vtep in vteps}:
        raise BadRemotePort(
            error_message="binding:host_id: the host of a remote port follows its tunneling_ip; leave it out"
        )


def _require_drivers() -> None:
    loaded = directory.get_plugin().mechanism_manager.mech_drivers
    missing = [name for name in ("l2population", names.DRIVER) if name not in loaded]
    if missing:
        raise RemotePortConflict(
            error_message=f"device_owner: {names.DEVICE_OWNER} does not work in this Neutron: it runs without "
            f"{' and '.join(missing)}; the operator has to add that to [ml2] mechanism_drivers"
        )


def _require_vxlan(context: Any, network_id: str) -> None:
    segments = segments_db.get_network_segments(context, network_id)
    if not any(segment[api.NETWORK_TYPE] == constants.TYPE_VXLAN for segment in segments):
        raise BadRemotePort(
            error_message=f"network_id: network {network_id} is not of type vxlan; remote ports work in VXLAN networks "
            "only: use one (provider:network_type vxlan)"
        )
