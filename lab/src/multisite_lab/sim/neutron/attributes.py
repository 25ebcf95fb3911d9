"""Neutron: the attributes that extensions add to ports, networks and subnets (neutron_lib/api/definitions)."""

from __future__ import annotations

import copy
from typing import Any

from multisite_lab.sim.model import Row, Sim
from multisite_lab.sim.wire import neutron_error

ATTRIBUTES: dict[str, dict[str, tuple[str, Any]]] = {
    "port": {
        "extra_dhcp_opts": ("extra_dhcp_opt", []),
        "dns_name": ("dns-integration", ""),
        "dns_domain": ("dns-domain-ports", ""),
        "qos_policy_id": ("qos", None),
    },
    "network": {
        "dns_domain": ("dns-integration", ""),
        "qos_policy_id": ("qos", None),
        "availability_zone_hints": ("network_availability_zone", []),
    },
    "subnet": {
        "dns_publish_fixed_ip": ("subnet-dns-publish-fixed-ip", False),
        "service_types": ("subnet-service-types", []),
    },
}
"""Attribute -> the extension that brings it, its default."""
EXTENSIONS = tuple(dict.fromkeys(alias for kind in ATTRIBUTES.values() for alias, _ in kind.values()))


def given(sim: Sim, kind: str, fields: Row) -> Row:
    """Those of a new resource, as asked for or by default."""
    refuse_unknown(sim, kind, fields)
    found = {}
    for name, (alias, default) in ATTRIBUTES[kind].items():
        if alias not in sim.settings.lacks:
            value = fields.get(name)
            found[name] = copy.deepcopy(default if value is None else value)
    return found


def refuse_unknown(sim: Sim, kind: str, fields: Row) -> None:
    """400 for attributes of extensions that are not loaded."""
    unknown = [n for n, (alias, _) in ATTRIBUTES[kind].items() if alias in sim.settings.lacks and n in fields]
    if unknown:
        said = f"Unrecognized attribute(s) '{', '.join(unknown)}'"
        raise neutron_error(400, "HTTPBadRequest", said)
