"""Who asks: taken from the Keystone token by the API, from the operating system by management commands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Caller:
    user_id: str
    user_name: str
    project_id: str
    project_name: str
    roles: frozenset[str]
    request_id: str
    project_domain_name: str = ""
    """Name of the domain the project is in; without it the project is known by its id only."""

    @property
    def is_admin(self) -> bool:
        return "admin" in self.roles

    @property
    def scope(self) -> str | None:
        """Id of the project whose things it may see; None: those of all projects."""
        return None if self.is_admin else self.project_id
