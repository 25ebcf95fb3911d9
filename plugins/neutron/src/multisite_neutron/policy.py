# SPDX-License-Identifier: Apache-2.0
"""Who may see and set a tunnel endpoint: three rules, to be overridden in Neutron's policy.yaml.

Neutron 29 collects the defaults of packages outside its tree by the entry point `neutron.policies`
(neutron.policy.register_rules).
"""

from __future__ import annotations

from neutron_lib.policy import rules
from oslo_policy import policy

from multisite_neutron import names

RULES = [
    policy.DocumentedRuleDefault(
        name=f"{action}_port:{names.TUNNELING_IP}",
        check_str=rules.ADMIN_OR_SERVICE,
        scope_types=["project"],
        description=description,
        operations=[{"method": method, "path": path} for method, path in operations],
    )
    for action, description, operations in (
        ("create", "Create a remote port: specify ``tunneling_ip``", [("POST", "/ports")]),
        ("update", "Move a remote port to another tunnel endpoint", [("PUT", "/ports/{id}")]),
        ("get", "See ports' tunnel endpoints", [("GET", "/ports"), ("GET", "/ports/{id}")]),
    )
]


def list_rules() -> list[policy.DocumentedRuleDefault]:
    """Give Neutron, and oslopolicy-sample-generator, the rules."""
    return RULES
