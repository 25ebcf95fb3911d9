"""The calls that need an administrator of the site, and why.  Everything else is done as a member of the project.

Nothing that a caller names reaches one of these before the project's own token has seen it.
"""

from __future__ import annotations

from dataclasses import dataclass

from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import LoginRefused


@dataclass(frozen=True)
class AdminCall:
    """``why``: the rule of the service's default policy.  ``in_project``: it must be asked in the tenant's project."""

    what: str
    why: str
    in_project: bool = False


NETWORK_AGENTS = AdminCall("see whether SR-IOV agents are up", "Neutron, get_agent")
IMPORT_RECORD = AdminCall(
    "import backup records, see those of other projects",
    "Cinder, backup:backup-import; the record is made in the token's project",
    in_project=True,
)
EXPORT_RECORD = AdminCall("export backup records", "Cinder, backup:export-import")
STOP_BACKUP = AdminCall(
    "stop a backup that is being made", "Cinder, volume_extension:backup_admin_actions:force_delete"
)
GROUP_SPECS = AdminCall("read the specs of group types", "Cinder, group:access_group_types_specs")
SERVICES = AdminCall("see whether cinder-backup is up", "Cinder, volume_extension:services:index")
QUIESCE = AdminCall("freeze and thaw servers", "multisite-nova: administrators and services")
SERVER_ATTRIBUTES = AdminCall(
    "read user data and root devices", "Nova, os_compute_api:os-extended-server-attributes"
)
DIAGNOSTICS = AdminCall("read the order of NICs", "Nova, os_compute_api:os-server-diagnostics")
KEYPAIRS = AdminCall("read public keys of the servers' users", "Nova, os_compute_api:os-keypairs:index")
USERS = AdminCall("see who has a role in the project", "Keystone, identity:list_role_assignments")
USERS_KEYPAIRS = AdminCall("read, make and delete users' key pairs", "Nova, os_compute_api:os-keypairs:*")
FLAVORS = AdminCall(
    "make, describe and remove flavors, let the project use them, see who uses one",
    "Nova, os_compute_api:os-flavor-manage, os-flavor-access, servers:index:get_all_tenants",
)
BINDING_PROFILES = AdminCall(
    "read and set binding profiles of ports, read what networks are made of",
    "Neutron, get_port:binding:profile, update_port:binding:profile, get_network:provider:*",
)
COMPUTE_HOSTS = AdminCall("see which compute hosts are up", "Nova, os_compute_api:os-services:list")
HOST_ROOM = AdminCall(
    "see how much room compute hosts have",
    "Placement, placement:allocation_candidates:list, and Nova, os_compute_api:os-hypervisors:list-detail",
)
PRIVATE_TYPES = AdminCall(
    "see private volume types that the project has no access to", "Cinder shows these to administrators alone"
)
READ_ONLY = AdminCall("see whether volumes are read-only", "Cinder shows this to administrators alone")
STRETCH_NETWORKS = AdminCall(
    "stretch networks",
    "Neutron, create_network:provider:*, get_agent, create_port:tunneling_ip of multisite-neutron",
)
SOURCE_NAT = AdminCall(
    "switch a router's source NAT off", "Neutron, update_router:external_gateway_info:enable_snat"
)
MANAGE = AdminCall(
    "manage volumes that the storage has replicated, and unmanage them when that is undone",
    "Cinder, volume_extension:volume_manage, volume_unmanage; the volume is made in the token's project",
    in_project=True,
)
PUBLISH_IMAGE = AdminCall("show a copy of an image to all projects", "Glance, publicize_image")
QUOTAS = AdminCall(
    "read and set the project's limits",
    "Nova, os_compute_api:os-quota-sets:update, Cinder, volume_extension:quotas:update, and Neutron, update_quota",
)
TYPE_ENCRYPTION = AdminCall(
    "see whether volume types are encrypted", "Cinder, volume_extension:volume_type_encryption:get"
)
QOS_POLICIES = AdminCall(
    "make, change and remove the project's QoS policies and their rules",
    "Neutron, create_policy, update_policy, delete_policy and those of their rules",
)
CALLS = (
    NETWORK_AGENTS,
    *(IMPORT_RECORD, EXPORT_RECORD, STOP_BACKUP, GROUP_SPECS, SERVICES, QUIESCE),
    *(COMPUTE_HOSTS, HOST_ROOM, PRIVATE_TYPES),
    *(SERVER_ATTRIBUTES, DIAGNOSTICS, KEYPAIRS, FLAVORS, BINDING_PROFILES, READ_ONLY, STRETCH_NETWORKS),
    *(SOURCE_NAT, MANAGE, QUOTAS, USERS, USERS_KEYPAIRS, PUBLISH_IMAGE, QOS_POLICIES, TYPE_ENCRYPTION),
)
"""All of them; docs/projects.md has the table."""


def administrator(site: CloudSite, call: AdminCall) -> CloudSite:
    """The connection for such a call: in the account's own project, where it is an administrator.

    Or in the tenant's (``in_project``), with the account that ``multisite_administrator`` of clouds.yaml names.
    The same connection when it is an administrator's already, or the account's own.  Raises what logging in raises.
    """
    if site.administrator is None or "admin" in site.roles:
        return site
    return site.administrator(call.in_project)


def may_administer(site: CloudSite, call: AdminCall) -> bool:
    """Whether such a call can be made, as far as roles tell.  Raises what else logging in raises than LoginRefused."""
    return not kept_out(site, call) and "admin" in administrator(site, call).roles


def kept_out(site: CloudSite, call: AdminCall) -> str:
    """Name of the account for such a call that the site's Keystone does not let in there; "" when it does.

    Raises what else logging in raises.
    """
    admin = administrator(site, call)
    try:
        admin.login()
    except LoginRefused:
        return admin.account
    return ""
