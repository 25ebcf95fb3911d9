"""What a site has to have for a method, and looking at an application for one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from multisite.clouds.errors import NotFoundInSite, Unsupported
from multisite.domain.errors import Conflict
from multisite.domain.findings import Finding, Severity
from multisite.domain.model import Application, Capability, Known

SNAPSHOTS = {
    "compute": "put Nova into the site's service catalog and let the account use it",
    "block-storage": "put Cinder into the site's service catalog and let the account use it",
}
BACKUPS = {
    **SNAPSHOTS,
    "backup": "run cinder-backup there, with the backup store of the recovery site",
    "admin": "give the account the role admin there",
}
FREEZE = {"quiesce": "install multisite-nova in its nova-api, or protect without freezing (quiesce: false)"}
SERVERS = {
    **SNAPSHOTS,
    "network": "put Neutron into the site's service catalog and let the account use it",
    "admin": "give the account the role admin there",
}
RESTORES = {**SERVERS, "backup": "run cinder-backup there, with the backup store of the application's site"}
"""Each: capability -> what to do where it is missing; ``SERVERS`` and ``RESTORES`` of a site to recover in."""

T = TypeVar("T")


def lacking(capabilities: Sequence[Capability], needs: Mapping[str, str], site: str) -> tuple[Finding, ...]:
    """What of ``needs`` a site lacks; what is not known does not block."""
    return tuple(
        Finding(
            site,
            capability.name,
            capability.detail or "not there",
            remedy=needs[capability.name],
            severity=Severity.BLOCKING if capability.present is Known.NO else Severity.UNKNOWN,
        )
        for capability in capabilities
        if capability.name in needs and capability.present is not Known.YES
    )


def freezing(needs: Mapping[str, str], *, quiesce: bool) -> Mapping[str, str]:
    """What a site needs besides to freeze servers."""
    return {**needs, **FREEZE} if quiesce else needs


def looked_at(application: Application, look: Callable[[], T]) -> T:
    """What ``look`` sees of an application; Conflict, naming it, for one that is not there or cannot be protected."""
    try:
        return look()
    except (NotFoundInSite, Unsupported) as error:
        raise Conflict(f"application {application.name}: {error.message}") from error
