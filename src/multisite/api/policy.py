"""Who may do what: oslo.policy with defaults that need no file.

Defaults: administrators register sites; members of a project work with what is theirs; readers look.  What
belongs to another project does not exist for anybody but an administrator (404: ids cannot be probed).
"""

from __future__ import annotations

from flask import g
from oslo_config.cfg import ConfigOpts
from oslo_policy.policy import DocumentedRuleDefault, Enforcer, RuleDefault

from multisite.api import identity
from multisite.domain.caller import Caller
from multisite.domain.errors import NotFound

ADMIN = "rule:multisite:admin"
MEMBER = "rule:multisite:project_member_or_admin"
READER = "rule:multisite:project_reader_or_admin"
ANY = "rule:multisite:any_reader"
SCOPES = ["project"]

_BASE = (
    RuleDefault("multisite:admin", "role:admin", "Administrators of the cloud"),
    RuleDefault(
        "multisite:project_member_or_admin",
        "role:admin or (role:member and project_id:%(project_id)s)",
        "Members of the project it belongs to",
    ),
    RuleDefault(
        "multisite:project_reader_or_admin",
        "role:admin or ((role:reader or role:member) and project_id:%(project_id)s)",
        "Readers and members of the project it belongs to",
    ),
    RuleDefault("multisite:any_reader", "role:admin or role:reader or role:member", "Anybody with a role"),
)

_RULES: dict[str, tuple[str, str, str, str]] = {
    "site:list": (ANY, "List sites", "GET", "/v1/sites"),
    "site:show": (ANY, "Show a site", "GET", "/v1/sites/{name}"),
    "site:register": (ADMIN, "Register a site", "POST", "/v1/sites"),
    "site:unregister": (ADMIN, "Unregister a site", "DELETE", "/v1/sites/{name}"),
    "site:check": (ADMIN, "Check what a site can do", "POST", "/v1/sites/{name}/check"),
    "application:list": (READER, "List applications", "GET", "/v1/applications"),
    "application:show": (READER, "Show an application", "GET", "/v1/applications/{id}"),
    "application:create": (MEMBER, "Describe an application", "POST", "/v1/applications"),
    "application:delete": (MEMBER, "Forget an application", "DELETE", "/v1/applications/{id}"),
    "plane:list": (READER, "List an application's planes", "GET", "/v1/applications/{id}/planes"),
    "plane:show": (READER, "Show a plane", "GET", "/v1/applications/{id}/planes/{name}"),
    "plane:describe": (MEMBER, "Describe an application's planes", "PUT", "/v1/applications/{id}/planes"),
    "plane:preview": (
        MEMBER,
        "Preview a plane (stretched: as network:preview)",
        "POST",
        "/v1/applications/{id}/planes/{name}/preview",
    ),
    "plane:realize": (
        MEMBER,
        "Realize a plane (stretched: as network:stretch)",
        "POST",
        "/v1/applications/{id}/planes/{name}/realize",
    ),
    "plane:check": (
        MEMBER,
        "Look for drift of a plane",
        "POST",
        "/v1/applications/{id}/planes/{name}/check",
    ),
    "plane:repair": (
        MEMBER,
        "Mend what is missing of a plane",
        "POST",
        "/v1/applications/{id}/planes/{name}/repair",
    ),
    "plane:forget": (
        MEMBER,
        "Forget what is left of a plane in sites that will not come back",
        "POST",
        "/v1/applications/{id}/planes/{name}/forget",
    ),
    "plane:remove": (
        MEMBER,
        "Take a plane away from its sites (stretched: as network:unstretch)",
        "DELETE",
        "/v1/applications/{id}/planes/{name}/realization",
    ),
    "protection:list": (READER, "List protections", "GET", "/v1/protections"),
    "protection:show": (READER, "Show a protection", "GET", "/v1/protections/{id}"),
    "protection:create": (MEMBER, "Create a protection", "POST", "/v1/protections"),
    "protection:delete": (MEMBER, "Delete a protection", "DELETE", "/v1/protections/{id}"),
    "protection:run": (MEMBER, "Protect now", "POST", "/v1/protections/{id}/run"),
    "restore_point:list": (READER, "List restore points", "GET", "/v1/restore-points"),
    "restore_point:show": (READER, "Show a restore point", "GET", "/v1/restore-points/{id}"),
    "restore_point:delete": (MEMBER, "Delete a restore point", "DELETE", "/v1/restore-points/{id}"),
    "restore_point:rescan": (ADMIN, "Read the backup store again", "POST", "/v1/restore-points/rescan"),
    "recovery:list": (READER, "List recoveries", "GET", "/v1/recoveries"),
    "recovery:show": (READER, "Show a recovery", "GET", "/v1/recoveries/{id}"),
    "recovery:preview": (MEMBER, "Preview a recovery", "POST", "/v1/recoveries/preview"),
    "recovery:start": (MEMBER, "Start a recovery", "POST", "/v1/recoveries"),
    "recovery:resume": (MEMBER, "Resume a recovery", "POST", "/v1/recoveries/{id}/resume"),
    "recovery:undo": (MEMBER, "Undo a recovery", "POST", "/v1/recoveries/{id}/undo"),
    "job:list": (READER, "List jobs", "GET", "/v1/jobs"),
    "job:show": (READER, "Show a job", "GET", "/v1/jobs/{id}"),
    "job:cancel": (MEMBER, "Cancel a job", "POST", "/v1/jobs/{id}/cancel"),
    "job:resume": (MEMBER, "Resume a job", "POST", "/v1/jobs/{id}/resume"),
    "job:undo": (MEMBER, "Undo a job", "POST", "/v1/jobs/{id}/undo"),
    "network:list": (READER, "List stretched networks", "GET", "/v1/stretched-networks"),
    "network:show": (READER, "Show a stretched network", "GET", "/v1/stretched-networks/{id}"),
    "network:preview": (ADMIN, "Preview stretching", "POST", "/v1/stretched-networks/preview"),
    "network:stretch": (ADMIN, "Stretch a network", "POST", "/v1/stretched-networks"),
    "network:check": (MEMBER, "Check a stretched network", "POST", "/v1/stretched-networks/{id}/check"),
    "network:reconcile": (
        ADMIN,
        "Repair a stretched network",
        "POST",
        "/v1/stretched-networks/{id}/reconcile",
    ),
    "network:unstretch": (ADMIN, "Unstretch a network", "POST", "/v1/stretched-networks/{id}/unstretch"),
    "address:list": (READER, "List moving addresses", "GET", "/v1/addresses"),
    "address:show": (READER, "Show a moving address", "GET", "/v1/addresses/{id}"),
    "address:create": (MEMBER, "Set a moving address up", "POST", "/v1/addresses"),
    "address:move": (MEMBER, "Move an address to another site", "POST", "/v1/addresses/{id}/move"),
    "address:undo": (MEMBER, "Take the last move of an address back", "POST", "/v1/addresses/{id}/undo"),
    "address:delete": (MEMBER, "Let go of an address and forget it", "DELETE", "/v1/addresses/{id}"),
    "address:check": (MEMBER, "Ask every site who holds an address", "POST", "/v1/addresses/{id}/check"),
    "path:list": (READER, "List L3 paths", "GET", "/v1/paths"),
    "path:show": (READER, "Show an L3 path", "GET", "/v1/paths/{id}"),
    "path:create": (MEMBER, "Make an L3 path", "POST", "/v1/paths"),
    "path:delete": (MEMBER, "Remove an L3 path", "DELETE", "/v1/paths/{id}"),
    "path:check": (MEMBER, "Look for drift of an L3 path", "POST", "/v1/paths/{id}/check"),
    "probe:run": (ADMIN, "Measure an address from the service", "POST", "/v1/probes"),
    "audit:list": (READER, "List who changed what", "GET", "/v1/audit"),
}


def list_rules() -> list[RuleDefault]:
    """Every rule with its default (the entry point of ``oslopolicy-sample-generator``)."""
    documented = [
        DocumentedRuleDefault(
            f"multisite:{name}", check, what, [{"method": method, "path": path}], scope_types=SCOPES
        )
        for name, (check, what, method, path) in _RULES.items()
    ]
    return [*_BASE, *documented]


class Policy:
    """The enforcer of one service; files named in ``[oslo_policy]`` may override defaults."""

    def __init__(self, conf: ConfigOpts) -> None:
        self._enforcer = Enforcer(conf)
        self._enforcer.register_defaults(list_rules())
        self._enforcer.load_rules()

    def check(self, rule: str, project_id: str | None = None) -> Caller:
        """Refuse with 403 unless the caller may; ``project_id``: whose thing it is (default: the caller's).

        Returns the caller, so that a route reads: ``caller = policy.check("job:list")``.
        """
        caller = identity.caller()
        target = {"project_id": caller.project_id if project_id is None else project_id}
        self._enforcer.authorize(f"multisite:{rule}", target, identity.context(), do_raise=True)
        return caller

    def check_owned(self, rule: str, project_id: str | None, what: str) -> Caller:
        """As ``check`` for a thing that was found; 404 when it belongs to another project."""
        caller = identity.caller()
        if not caller.is_admin and project_id != caller.project_id:
            raise NotFound(what)
        g.owner = project_id  # for the audit trail: an administrator may act on another project's things
        return self.check(rule, project_id)
