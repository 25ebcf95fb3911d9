"""When each step of a recovery is carried out in a move member by member; pure.

The n-th member's own steps (volumes, ports, boot, gates, and what waits for these) are stage 2n: they are taken back
when one of them fails.  What follows of a recovery plan's hooks is stage 2n + 1, before the next member is stopped, and
is never taken back.  Stage 0 is what members share, and is made before any is stopped; the end is the last odd one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from multisite.domain.findings import Finding, blocking
from multisite.domain.manifest import Manifest
from multisite.jobs import graph
from multisite.jobs.model import Step
from multisite.recovery.recover.job import SUMMARY
from multisite.recovery.recover.moves.source import SeenMember
from multisite.recovery.recover.steps import Steps


def stages(work: Sequence[Step], steps: Steps, members: Sequence[str]) -> dict[str, int]:
    """By the name of each step of ``work``; ``members``: ids of the plan's servers in the order of their turns."""
    end = 2 * len(members) + 1
    own = {**_own(steps, members), SUMMARY: end}
    hooks = {hook.step for hook in steps.plan.hooks}
    found: dict[str, int] = {}
    for step in graph.ordered(work):
        stage = max([own.get(step.name, 0), *(found[need] for need in step.needs)])
        between = step.name in hooks and stage > 0 and stage % 2 == 0
        found[step.name] = stage + 1 if between else stage
    return found


def _own(steps: Steps, members: Sequence[str]) -> Mapping[str, int]:
    """Of what a server alone needs.  A port in a network that is made has its place there from the beginning, so that
    DHCP cannot take its address; one in a network that is there may have to wait for the source's.
    """
    plan, found = steps.plan, dict[str, int]()
    servers = {server.record.id: server for server in plan.servers}
    for number, id in enumerate(members, 1):
        server, stage = servers[id], 2 * number
        found |= {server.step: stage, server.gate: stage}
        for volume in (steps.volumes[v] for v in server.record.volume_ids):
            found |= {step.name: stage for step in steps.restore(volume)}
        for port in _ports(steps, server.record.port_ids):
            if steps.networks[steps.ports[port].record.network_id].use is not None:
                found[steps.ports[port].step] = stage
    return found


def _ports(steps: Steps, port_ids: Sequence[str]) -> list[str]:
    """Those of a server, and those that trunks carry over them."""
    trunks = [steps.trunks[port] for port in port_ids if port in steps.trunks]
    return [*port_ids, *(one.port_id for trunk in trunks for one in trunk.record.subports)]


def not_alone(manifest: Manifest, seen: Iterable[SeenMember], target_site: str) -> Iterator[Finding]:
    """What cannot go with one member alone."""
    count = Counter(id for server in manifest.servers for id in server.volume_ids)
    together = "move all members together (without --one-by-one)"
    for volume in manifest.volumes:
        if count[volume.id] > 1:
            yield blocking(
                target_site,
                f"volume {volume.name or volume.id}",
                "several servers have it attached: it cannot be moved with one of them while others write to it",
                together,
            )
    known = {server.id: set(server.volume_ids) for server in manifest.servers}
    for member in seen:
        if known.get(member.id, set()) - set(member.volumes):
            yield blocking(
                target_site,
                f"server {member.name}",
                "it boots from an image: each restore point has a volume of its own of that disk, so that what was "
                "planned of it before it is stopped does not hold afterwards",
                together,
            )
