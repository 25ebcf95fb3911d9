# SPDX-License-Identifier: Apache-2.0
"""The words this plugin adds to Neutron, and how a remote port is told from an ordinary one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ALIAS = "remote-port"
"""The API extension."""

DRIVER = "remote_port"
"""Name of both ML2 drivers, and of the group of options."""

TUNNELING_IP = "tunneling_ip"
"""The attribute added to ports: address of the VXLAN tunnel endpoint (VTEP) behind which the port is."""

DEVICE_OWNER = "multisite:remote_port"
"""What makes a port a remote one."""

AGENT_TYPE = "Remote VTEP"
AGENT_BINARY = "neutron-remote-port"

HOST_PREFIX = "remote-vtep-"
"""No host of this Neutron may be called so."""

VIF_TYPE = "other"
"""Nothing is plugged in this site."""


def host_of(vtep: str) -> str:
    """Name the shadow host of a tunnel endpoint: what a remote port is bound to."""
    return HOST_PREFIX + vtep


def vtep_of(host: object) -> str | None:
    """Tell the tunnel endpoint of a shadow host; None for every other host and for none."""
    if isinstance(host, str) and host.startswith(HOST_PREFIX):
        return host.removeprefix(HOST_PREFIX)
    return None


def is_remote(port: Mapping[str, Any]) -> bool:
    """Whether a port, as Neutron's dict, stands for one in another site."""
    return port.get("device_owner") == DEVICE_OWNER
