"""What a role may do at all: who is neither a member nor an administrator may only read.

The default rules of Nova, Cinder and Neutron: ``PROJECT_MEMBER_OR_ADMIN`` (nova/policies/base.py),
``xena_system_admin_or_project_member`` (cinder/policies/base.py), ``ADMIN_OR_PROJECT_MEMBER``
(neutron/conf/policies/base.py).
"""

from __future__ import annotations

from multisite_lab.sim.wire import Ask, fault, neutron_error

_CHANGE = frozenset({"admin", "member", "service"})


def refuse_readers(ask: Ask, template: str) -> None:
    """403 for a change that is asked for with none of these roles; ``template``: of the request's path."""
    if ask.method == "GET" or ask.service == "identity" or _CHANGE & set(ask.account.roles):
        return
    if ask.service == "network":
        said = f"(rule:{ask.method.lower()} {template}) is disallowed by policy"
        raise neutron_error(403, "PolicyNotAuthorized", said)
    raise fault(403, f"Policy doesn't allow {ask.method} {template} to be performed.")
