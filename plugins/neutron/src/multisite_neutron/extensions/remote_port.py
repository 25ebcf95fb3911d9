# SPDX-License-Identifier: Apache-2.0
"""API extension `remote-port`: the attribute `tunneling_ip` of ports.

On a remote port (device_owner multisite:remote_port) the address of the tunnel endpoint (VTEP) of the real port's
host in the other site: required, and changed when the real port moves.  On an ordinary port read-only: the
endpoint of the host it is bound to, null while it is not bound.  For admins and services (policy).
"""

from __future__ import annotations

from typing import Any

from neutron_lib import constants
from neutron_lib.api import extensions

from multisite_neutron import names

ATTRIBUTES: dict[str, dict[str, dict[str, Any]]] = {
    "ports": {
        names.TUNNELING_IP: {
            "allow_post": True,
            "allow_put": True,
            "validate": {"type:ip_address_or_none": None},
            "default": constants.ATTR_NOT_SPECIFIED,
            "is_visible": True,
            "enforce_policy": True,
        }
    }
}


class Remote_port(extensions.ExtensionDescriptor):
    """What Neutron asks of an extension."""

    @classmethod
    def get_name(cls) -> str:
        """Give the name in GET /v2.0/extensions."""
        return "Remote ports"

    @classmethod
    def get_alias(cls) -> str:
        """Give the alias, too."""
        return names.ALIAS

    @classmethod
    def get_description(cls) -> str:
        """Say what it is for."""
        return "Ports of other sites in a stretched network, and the tunnel endpoints of ports."

    @classmethod
    def get_updated(cls) -> str:
        """Give the day of the last change."""
        return "2026-11-21T00:00:00-00:00"

    def get_extended_resources(self, version: str) -> dict[str, Any]:
        """Give the attributes this extension adds."""
        return ATTRIBUTES if version == "2.0" else {}
