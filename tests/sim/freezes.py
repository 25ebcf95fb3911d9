"""The order in which servers were asked to stand still and to go on, and in which they booted."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from multisite.domain.manifest import Manifest
from multisite_lab.sim.faults import Seen
from multisite_lab.sim.model import Sim

FREEZE, THAW = "/servers/{id}/action#quiesce", "/servers/{id}/action#unquiesce"


def order_problems(log: Sequence[Seen], ordered: Sequence[str]) -> list[str]:
    """What is wrong in a site's log: servers freeze in this order (ids), and are thawed in its reverse.

    The first time each was asked counts: what failed is asked again.  A freeze after a thaw begins another run.
    """
    asked = [seen for seen in log if seen.path in (FREEZE, THAW) and seen.subject in ordered]
    frozen: list[str] = []
    thawed: list[str] = []
    wrong: list[str] = []
    for seen in asked:
        if seen.path == FREEZE and thawed:
            wrong += _of_one_run(frozen, thawed, ordered)
            frozen, thawed = [], []
        into = frozen if seen.path == FREEZE else thawed
        if seen.subject not in into:
            into.append(seen.subject)
    return wrong + _of_one_run(frozen, thawed, ordered)


def _of_one_run(frozen: list[str], thawed: list[str], ordered: Sequence[str]) -> list[str]:
    found = []
    # After a failure all are thawed, to be certain: those that nobody asked to freeze have no turn.
    stood = [server for server in thawed if server in frozen]
    for what, asked, wanted in (("freeze", frozen, ordered), ("thaw", stood, ordered[::-1])):
        expected = [server for server in wanted if server in asked]
        if asked != expected:
            found.append(f"{what} order: {', '.join(asked)}, not {', '.join(expected)}")
    found += [
        f"thaw: {server} was frozen and never asked to go on" for server in frozen if server not in thawed
    ]
    return found


def boot_problems(sim: Sim, manifest: Manifest) -> list[str]:
    """Recovered servers are made in the application's order."""
    made = {s.name: s.created_at for s in sim.state.servers.values()}
    there = [s for s in sorted(manifest.servers, key=lambda s: s.order) if s.name in made]
    return [
        f"boot order: {later.name} was made before {earlier.name}"
        for earlier, later in pairwise(there)
        if made[later.name] < made[earlier.name]
    ]
