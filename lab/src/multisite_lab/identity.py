"""Projects, users and catalog that every site's identity service starts with."""

from __future__ import annotations

from typing import Any

import openstack

from multisite_lab.database import PLACEHOLDER_HOST, PLACEHOLDER_REGION
from multisite_lab.model import api_url
from multisite_lab.passwords import Passwords

SERVICE_USERS = ("placement", "glance", "cinder", "nova", "neutron")
CATALOG = {
    "placement": "placement",
    "glance": "image",
    "cinder": "volumev3",
    "nova": "compute",
    "neutron": "network",
}
"""API -> its type in the service catalog."""

_NAMES = {"cinder": "cinderv3"}
"""Names in the catalog that differ from ours; Nova looks for Cinder by this one."""

_PEOPLE = {
    "operator": ("vnf", ("admin", "member")),
    "member": ("vnf", ("member",)),
    "other": ("other", ("member",)),
    "multisite": ("service", ("admin", "service")),
}
"""User -> project and roles there."""


def fill(url: str, passwords: Passwords) -> None:
    """Create everything in a fresh Keystone that answers at `url`."""
    connection = openstack.connect(
        auth_url=url,
        username="admin",
        password=passwords.admin,
        project_name="admin",
        user_domain_name="Default",
        project_domain_name="Default",
        region_name=PLACEHOLDER_REGION,
        identity_api_version="3",
        identity_endpoint_override=url,
    )
    identity: Any = connection.identity
    roles = {role.name: role for role in identity.roles()}
    projects = {
        name: identity.create_project(name=name, domain_id="default") for name in ("service", "vnf", "other")
    }
    for name in SERVICE_USERS:
        _user(identity, name, passwords.service, projects["service"], [roles["admin"], roles["service"]])
    for name, (project, names) in _PEOPLE.items():
        _user(identity, name, vars(passwords)[name], projects[project], [roles[n] for n in names])
    for api, kind in CATALOG.items():
        service = identity.create_service(name=_NAMES.get(api, api), type=kind)
        for interface in ("public", "internal"):
            identity.create_endpoint(
                service_id=service.id, interface=interface, region_id=PLACEHOLDER_REGION,
                url=api_url(api, PLACEHOLDER_HOST),
            )  # fmt: skip


def _user(identity: Any, name: str, password: str, project: Any, roles: list[Any]) -> None:
    user = identity.create_user(
        name=name, password=password, domain_id="default", default_project_id=project.id
    )
    for role in roles:
        identity.assign_project_role_to_user(project, user, role)
