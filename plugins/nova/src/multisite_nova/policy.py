# SPDX-License-Identifier: Apache-2.0
"""Who may freeze a server: three rules, to be overridden in Nova's policy.yaml."""

import contextlib

from nova import policy
from oslo_policy import policy as oslo_policy

BASE = "os_compute_api:multisite:%s"
ADMIN_OR_SERVICE = "rule:context_is_admin or role:service"

RULES = [
    oslo_policy.DocumentedRuleDefault(
        name=BASE % action,
        check_str=ADMIN_OR_SERVICE,
        description=description,
        operations=[{"method": method, "path": path}],
        scope_types=["project"],
    )
    for action, description, method, path in (
        ("quiesce", "Freeze a server's file systems", "POST", "/servers/{server_id}/action (quiesce)"),
        ("unquiesce", "Thaw a server's file systems", "POST", "/servers/{server_id}/action (unquiesce)"),
        ("show", "Show whether a server is frozen", "GET", "/servers/{server_id}/os-multisite-quiesce"),
    )
]


def register() -> None:
    """Add the rules to Nova's enforcer, unless they are there (Nova may have replaced its enforcer)."""
    policy.init()
    enforcer = policy._ENFORCER
    for rule in RULES:
        if rule.name not in enforcer.registered_rules:
            with contextlib.suppress(oslo_policy.DuplicatePolicyError):  # another thread was faster
                enforcer.register_default(rule)


def list_rules() -> list[oslo_policy.DocumentedRuleDefault]:
    """Tell oslopolicy-sample-generator about the rules."""
    return RULES
