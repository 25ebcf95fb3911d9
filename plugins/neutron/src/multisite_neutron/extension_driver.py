# SPDX-License-Identifier: Apache-2.0
"""ML2 extension driver `remote_port`: the attribute `tunneling_ip` of ports.

ML2 calls process_create_port and process_update_port inside the port's transaction and before it processes the
binding, with the very dict of the request (neutron/plugins/ml2/plugin.py).  So the host a remote port is bound to
is set here, and a new endpoint is to everybody else a port that moved to another host.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neutron.api import extensions
from neutron_lib.api.definitions import port as port_api
from neutron_lib.api.definitions import portbindings
from neutron_lib.db import resource_extend
from neutron_lib.plugins.ml2 import api
from oslo_config import cfg

from multisite_neutron import extensions as api_extensions
from multisite_neutron import names, options, remote, vteps
from multisite_neutron.errors import BadRemotePort, harmless

_FOLDER = str(Path(api_extensions.__file__).parent)


@resource_extend.has_resource_extenders
class RemotePortExtensionDriver(api.ExtensionDriver):
    """What ML2 calls (neutron_lib.plugins.ml2.api.ExtensionDriver)."""

    def initialize(self) -> None:
        """Make the options known, and the API extension; Neutron looks for extensions after the drivers."""
        options.register(cfg.CONF)
        if _FOLDER not in cfg.CONF.api_extensions_path.split(":"):
            extensions.append_api_extensions_path([_FOLDER])

    @property
    def extension_alias(self) -> str:
        """The API extension this driver serves."""
        return names.ALIAS

    def process_create_port(self, plugin_context: Any, data: dict[str, Any], result: dict[str, Any]) -> None:
        """Check a new port; bind a remote one to its endpoint."""
        if names.is_remote(result):
            remote.create(plugin_context, data, result)
            return
        with harmless("checking a new ordinary port"):
            remote.refuse_on_ordinary(data, None)

    def process_update_port(self, plugin_context: Any, data: dict[str, Any], result: dict[str, Any]) -> None:
        """Check a change of a port; ``result`` is the port with the change, but for its binding."""
        was_remote = names.vtep_of(result.get(portbindings.HOST_ID)) is not None
        if was_remote != names.is_remote(result) and "device_owner" in data:
            raise BadRemotePort(
                error_message=f"device_owner: a port cannot become or cease to be {names.DEVICE_OWNER}; delete it "
                "and create another one"
            )
        if was_remote:
            remote.update(plugin_context, data, result)
            return
        with harmless("checking a change of an ordinary port"):
            remote.refuse_on_ordinary(data, result.get(names.TUNNELING_IP))

    def extend_port_dict(self, session: Any, base_model: Any, result: dict[str, Any]) -> None:
        """Add the endpoint; for ports of a list it is looked up when the list is complete."""
        value: str | vteps.Unresolved | None = None
        with harmless("reading the tunnel endpoint of a port"):
            host = vteps.bound_host(base_model)
            if result.get("bulk") and host and names.vtep_of(host) is None:
                value = vteps.Unresolved(session, host)
            else:
                value = vteps.of_host(session, host)
        result[names.TUNNELING_IP] = value

    @staticmethod
    @resource_extend.extends([port_api.COLLECTION_NAME_BULK])
    def extend_port_list(ports: list[dict[str, Any]], _nothing: None) -> None:
        """Look up the endpoints of a list's ports, all at once."""
        with harmless("reading the tunnel endpoints of a list of ports"):
            vteps.resolve(ports)
        for port in ports:  # whatever went wrong, nobody else could make anything of these
            if isinstance(port.get(names.TUNNELING_IP), vteps.Unresolved):
                port[names.TUNNELING_IP] = None
