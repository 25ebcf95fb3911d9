"""Every resource of the API, and the policy's rules, made of the routes."""

from __future__ import annotations

from oslo_policy.policy import DocumentedRuleDefault, RuleDefault

from multisite.api import (
    addresses,
    applications,
    audit,
    drills,
    failback,
    global_quotas,
    images,
    jobs,
    networks,
    paths,
    planes,
    policies,
    project_grants,
    protections,
    recoveries,
    recovery_plans,
    resource_syncs,
    restore_points,
    sites,
    versions,
)
from multisite.api.policy import BASE, PUBLIC, SCOPES
from multisite.api.routing import Route

MODULES = (
    *(
        versions,
        sites,
        project_grants,
        applications,
        planes,
        protections,
        restore_points,
        recoveries,
        failback,
    ),
    *(
        drills,
        jobs,
        policies,
        recovery_plans,
        networks,
        addresses,
        paths,
        images,
        resource_syncs,
        global_quotas,
        audit,
    ),
)
ROUTES: tuple[Route, ...] = tuple(route for module in MODULES for route in module.resource.routes)
DECLARED = {route.endpoint: route for route in ROUTES}
PUBLIC_PATHS = frozenset(route.path for route in ROUTES if route.default == PUBLIC)


def list_rules() -> list[RuleDefault]:
    """Every rule with its default (the entry point of ``oslopolicy-sample-generator``)."""
    documented = [
        DocumentedRuleDefault(
            f"multisite:{route.rule}", route.default, route.description,
            [{"method": route.method, "path": route.path}], scope_types=SCOPES,
        )
        for route in ROUTES
        if route.default != PUBLIC
    ]  # fmt: skip
    return [*BASE, *documented]
