"""What this method could do for an application: a pure function of what both sites were seen to have."""

from __future__ import annotations

from multisite.recovery.methods.cinder_backups.offer import backup_gaps, outcome
from multisite.recovery.methods.cinder_backups.payload import INSTANCE_SNAPSHOT
from multisite.recovery.methods.instance_snapshot.options import options_of
from multisite.recovery.methods.instance_snapshot.plan import make_plan, seen_of
from multisite.recovery.methods.needs import BACKUPS
from multisite.recovery.methods.offers import Candidate, Consistency, Offer, as_notes, assemble, refuse

NEEDS = {**BACKUPS, "image": "put Glance into the site's service catalog and let the account use it"}


def offer(candidate: Candidate) -> Offer:
    """Possible where a run would not be refused now, and the target could restore."""
    if INSTANCE_SNAPSHOT in candidate.refused:
        return refuse(INSTANCE_SNAPSHOT, candidate)
    options = options_of(candidate.options[INSTANCE_SNAPSHOT])
    found = [*backup_gaps(candidate, NEEDS)]
    if candidate.state is None:
        return assemble(INSTANCE_SNAPSHOT, candidate, found, None)
    plan = make_plan(seen_of(candidate.state, candidate.said), (), None, options, incremental=False)
    found += [*plan.problems, *as_notes("freeze", plan.notes)]
    consistency = Consistency.SERVER if plan.quiesced else Consistency.CRASH
    roots = [image.root.size_gib for image in plan.images if image.root]
    sizes = [*roots, *(volume.size_gib for volume in plan.volumes)]
    result = outcome(candidate, INSTANCE_SNAPSHOT, consistency, candidate.state.servers, sizes)
    return assemble(INSTANCE_SNAPSHOT, candidate, found, result)
