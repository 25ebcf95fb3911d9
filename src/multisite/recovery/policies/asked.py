"""In whose name a policy is carried out: who gave it to the protection, with the rights of then, without a token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from multisite.domain.caller import Caller

_KEPT = ("user_id", "user_name", "project_id", "project_name", "project_domain_name")


def kept(caller: Caller) -> dict[str, Any]:
    """What is noted of who asked."""
    return {name: getattr(caller, name) for name in _KEPT} | {"roles": sorted(caller.roles)}


def caller_of(noted: Mapping[str, Any]) -> Caller:
    """Who asked, acting now."""
    return Caller(
        roles=frozenset(noted["roles"]), request_id="", **{name: str(noted[name]) for name in _KEPT}
    )
