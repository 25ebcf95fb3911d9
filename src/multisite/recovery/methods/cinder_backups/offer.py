"""What methods that make Cinder backups have in common in what they offer."""

from __future__ import annotations

from collections.abc import Iterable

from multisite.domain.findings import Finding, Severity, blocking
from multisite.domain.model import Known
from multisite.recovery.methods.cinder_backups.state import ServerNow
from multisite.recovery.methods.estimates import rto as estimate_rto
from multisite.recovery.methods.estimates import usable_after
from multisite.recovery.methods.needs import RESTORES
from multisite.recovery.methods.offers import Candidate, Consistency, Result, SiteSeen, site_gaps


def backup_gaps(candidate: Candidate, needs: dict[str, str]) -> Iterable[Finding]:
    """What the sites lack; ``needs``: of the application's.  Two drivers whose records do not fit are a gap, too."""
    yield from site_gaps(candidate, needs, RESTORES)
    here, there = _driver(candidate.source), _driver(candidate.target)
    if candidate.target and here and there and here != there:
        yield blocking(
            candidate.target.name,
            "backup-driver",
            f"its cinder-backup uses {there}, that of {candidate.source.name} {here}",
            "give both sites the same backup store",
        )
    for volume in candidate.state.facts.volumes if candidate.state else ():
        if volume.encrypted_type_id is not None:
            yield Finding(
                "",
                f"volume {volume.name or volume.id}",
                "it is encrypted",
                "it comes back only where the target has the same volume type and the key",
                "see docs/recovery/recover.md, What a recovery cannot bring back",
                Severity.NOTE,
            )


def outcome(
    candidate: Candidate,
    method: str,
    consistency: Consistency,
    servers: Iterable[ServerNow],
    sizes_gib: list[int],
) -> Result:
    """``sizes_gib``: of all that is backed up and restored."""
    figures, boots = candidate.figures, len({server.order for server in servers})
    usable = usable_after(figures, method, sum(sizes_gib))
    return Result(consistency, usable, estimate_rto(figures, method, sizes_gib, boots))


def _driver(site: SiteSeen | None) -> str:
    """What an existing backup has told; "": there is none yet."""
    said = (c for c in site.capabilities if c.name == "backup-driver") if site else ()
    return next((c.detail for c in said if c.present is Known.YES), "")
