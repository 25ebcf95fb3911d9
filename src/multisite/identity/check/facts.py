"""What was read of a running deployment.  ``Unknown`` says that, and why, something was not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from multisite.identity.render.services import Endpoint


@dataclass(frozen=True)
class Unknown:
    """``reason``, and the ``remedy``: in words for the operator; never hold a password."""

    reason: str
    remedy: str = "check again when it answers"


@dataclass(frozen=True)
class DatabaseFacts:
    """``variables``, ``status``: SHOW GLOBAL VARIABLES, SHOW GLOBAL STATUS, names in lower case.

    ``replica``: the row of SHOW SLAVE STATUS, None when it follows nobody.
    ``privileges``: what Keystone's account may on ``*.*`` (SHOW GRANTS), in upper case.
    ``caught_up``: whether it got, while it was waited for, to where its master was before; None for a master.
    """

    variables: Mapping[str, str]
    status: Mapping[str, str]
    replica: Mapping[str, str] | Unknown | None
    privileges: frozenset[str] | Unknown
    caught_up: bool | Unknown | None = None


Options = Mapping[tuple[str, str], str]
"""Values by section and option."""


@dataclass(frozen=True)
class Catalog:
    """``endpoints``: of identity services, of all regions, as one site's Keystone gives them."""

    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True)
class Refusal:
    """A site's Keystone answered, but not with a catalog."""

    status: int
