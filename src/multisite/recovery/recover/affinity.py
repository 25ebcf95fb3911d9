"""What server groups need of the target: Nova's scheduler finds no host for a member that its policy leaves none.

Source: Nova's ``scheduler/filters/affinity_filter.py``.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence

from multisite.recovery.recover.draft import Draft
from multisite.recovery.recover.host_room import check_room_for_all
from multisite.recovery.recover.model import PlannedFlavor, PlannedServer, PlannedServerGroup
from multisite.recovery.recover.target_facts import TargetServerGroup

AFFINITY, ANTI_AFFINITY = "affinity", "anti-affinity"


def check_server_groups(
    draft: Draft,
    groups: Sequence[PlannedServerGroup],
    servers: Sequence[PlannedServer],
    flavors: Sequence[PlannedFlavor],
) -> None:
    """Whether each group's members can be where its policy wants them."""
    for group in groups:
        members = [s for s in servers if s.record.server_group_id == group.record.id]
        there = next((g for g in draft.facts.server_groups if g.id == group.use), None)
        policy = there.policy if there else group.record.policy
        if policy == ANTI_AFFINITY:
            _apart(draft, group, members, there)
        elif policy == AFFINITY:
            _together(draft, group, members, flavors)


def _apart(
    draft: Draft,
    group: PlannedServerGroup,
    members: Sequence[PlannedServer],
    there: TargetServerGroup | None,
) -> None:
    """As many hosts as members, in the zones that they are asked into."""
    subject, site = f"server group {group.record.name}", draft.facts.site
    joined, per_host = (there.members, there.per_host) if there else (0, 1)
    if len(members) + joined <= 1:
        return
    if not draft.facts.knows("compute_hosts"):
        what = f"whether {site} has a host for each of its {len(members)} servers is not known"
        why = draft.facts.unknown["compute_hosts"]
        remedy = "ask its operator; servers that find no host are in error"
        draft.unknown(subject, f"{what}: {why}", remedy)
        return
    hosts = Counter(host.zone for host in draft.facts.compute_hosts)
    needs = [(len(members) + joined, hosts.total(), "")]
    zones = Counter(member.availability_zone for member in members if member.availability_zone)
    needs += [(count, hosts[zone], f" in zone {zone}") for zone, count in sorted(zones.items())]
    for count, room, where in needs:
        if count > room * per_host:
            each = "each needs a host of its own" if per_host == 1 else f"a host takes {per_host}"
            draft.problem(
                subject,
                f"its policy is {ANTI_AFFINITY}, {each}: it will have {count} servers{where}, and {site} has {room} "
                f"compute {'host' if room == 1 else 'hosts'} up{where}",
                _softer(draft, group, f"soft-{ANTI_AFFINITY}"),
            )
            return


def _together(
    draft: Draft,
    group: PlannedServerGroup,
    members: Sequence[PlannedServer],
    flavors: Sequence[PlannedFlavor],
) -> None:
    """One host, so one zone, and room for all of them there."""
    zones = sorted({member.availability_zone for member in members if member.availability_zone})
    if len(zones) > 1:
        draft.problem(
            f"server group {group.record.name}",
            f"its policy is {AFFINITY}, and its servers are asked into the zones {', '.join(zones)}",
            f"map the zones to one, or {_softer(draft, group, f'soft-{AFFINITY}')}",
        )
    elif len(members) > 1 and flavors:
        softer = _softer(draft, group, f"soft-{AFFINITY}")
        check_room_for_all(draft, group, members, flavors, zones[0] if zones else None, softer)


def _softer(draft: Draft, group: PlannedServerGroup, policy: str) -> str:
    name = f"{group.record.name}-{policy}"
    command = shlex.join(["openstack", "server", "group", "create", "--policy", policy, name])
    option = draft.option("server_groups", group.record.id, group.record.name, name)
    return f"let them share hosts where they must: {command}, and {option}; or bring more hosts up"
