"""Who may do what: oslo.policy with defaults that need no file.

Defaults: administrators register sites; members of a project work with what is theirs; readers look.  What
belongs to another project does not exist for anybody but an administrator (404: ids cannot be probed).  The rules
themselves are declared with the routes (``routing``).
"""

from __future__ import annotations

from collections.abc import Sequence

from flask import g
from oslo_config.cfg import ConfigOpts
from oslo_policy.policy import Enforcer, RuleDefault

from multisite.api import identity
from multisite.domain.caller import Caller
from multisite.domain.errors import NotFound

ADMIN = "rule:multisite:admin"
MEMBER = "rule:multisite:project_member_or_admin"
READER = "rule:multisite:project_reader_or_admin"
ANY = "rule:multisite:any_reader"
PUBLIC = "public"
"""Not a check: the route is answered without a token, and has no rule."""
ROLES = {
    ADMIN: "administrators",
    MEMBER: "members",
    READER: "readers",
    ANY: "anybody",
    PUBLIC: "without a token",
}
"""The defaults a route may have, as the documentation calls them."""
SCOPES = ["project"]

BASE = (
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


class Policy:
    """The enforcer of one service; files named in ``[oslo_policy]`` may override defaults."""

    def __init__(self, conf: ConfigOpts, rules: Sequence[RuleDefault]) -> None:
        self._enforcer = Enforcer(conf)
        self._enforcer.register_defaults(rules)
        self._enforcer.load_rules()

    def check(self, rule: str, project_id: str | None = None) -> Caller:
        """Refuse with 403 unless the caller may; ``project_id``: whose thing it is (default: the caller's).

        Returns the caller.
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
