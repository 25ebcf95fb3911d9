"""The host name that a server is asked for with: Nova shows names that it does not take."""

from __future__ import annotations

from multisite.clouds import host_names
from multisite.clouds.microversions import number
from multisite.domain.manifest import ServerRecord
from multisite.recovery.recover.draft import Draft


def host_name(draft: Draft, record: ServerRecord) -> str | None:
    """What to ask for; None where Nova makes the same of the server's name, or where it cannot be had."""
    wanted = record.hostname
    if wanted is None or (version := host_names.version_for(wanted)) == host_names.PLAIN:
        return wanted
    if wanted == host_names.derived(record.name):
        return None
    site, newest = draft.facts.site, ".".join(map(str, draft.facts.compute_version))
    why = "no Nova takes it"
    if version is not None:
        if not draft.needs("compute_version", "version of Nova"):
            return None
        if draft.facts.compute_version >= number(version):
            return wanted
        why = f"{site} has version {newest} of Nova's API, it needs {version}"
    draft.loss(
        "host-name",
        record.id,
        record.name,
        f"its host name {wanted!r} cannot be asked for: {why}; Nova would make one of its name",
        "upgrade Nova there, or give the server another host name and protect it again: openstack "
        f"--os-compute-api-version 2.90 server set --hostname ... {record.id}",
    )
    return None
