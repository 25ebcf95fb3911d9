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
    subject, site = f"server {record.name}", draft.facts.site
    if version is not None:
        if not draft.needs("compute_version", "version of Nova"):
            return None
        if draft.facts.compute_version >= number(version):
            return wanted
    newest = ".".join(map(str, draft.facts.compute_version))
    why = f"{site} has version {newest} of Nova's API, it needs {version}" if version else "no Nova takes it"
    draft.problem(
        subject,
        f"its host name {wanted!r} cannot be asked for: {why}",
        "upgrade Nova there, or protect the server again with a host name of letters, digits and hyphens: "
        f"openstack --os-compute-api-version 2.90 server set --hostname ... {record.id}"
        if version
        else "give it another and protect it again: "
        f"openstack --os-compute-api-version 2.90 server set --hostname ... {record.id}",
    )
    return None
