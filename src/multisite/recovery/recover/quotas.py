"""The target's quotas: how much each kind of step takes of them, and whether the project has that much left.

Source: ``check_deltas`` and ``limit_check`` in Nova's ``compute/api.py``, ``QUOTAS.reserve`` and ``limit_check`` in
Cinder's ``volume/flows/api/create_volume.py`` and ``backup/api.py``, ``tracked_resources`` of Neutron.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from multisite.clouds.quotas import LIMITS
from multisite.clouds.resources import tokens
from multisite.domain.model import Purpose
from multisite.recovery.recover.draft import Draft
from multisite.recovery.recover.model import PlannedVolume, RecoverPlan, flavor_key

DEFAULT_RULES = 2
"""Rules that Neutron makes with a security group: everything out, IPv4 and IPv6."""
_OPTIONS = {
    "server_groups": "server-groups",
    "server_group_members": "server-group-members",
    "key_pairs": "key-pairs",
    "metadata_items": "properties",
    "per_volume_gigabytes": "per-volume-gigabytes",
    "backup_gigabytes": "backup-gigabytes",
    "network": "networks",
    "subnet": "subnets",
    "port": "ports",
    "security_group": "secgroups",
    "security_group_rule": "secgroup-rules",
    "router": "routers",
    "floatingip": "floating-ips",
}
"""Of ``openstack quota set``, where the service's own name is not the option's."""


def check_quotas(draft: Draft, plan: RecoverPlan) -> None:
    """Whether the project has room for everything the plan makes, what the volumes' data takes included."""
    if not draft.needs("quotas", "quotas"):
        return
    _refuse_beyond(draft, _needed(draft, plan), "recovery")
    for resource, (need, whose) in sorted(_at_least(draft, plan).items()):
        limit = draft.facts.quotas.get(resource)
        if limit is not None and 0 <= limit.limit < need:
            draft.problem(
                f"quota {resource}",
                f"{whose} needs {need}, {draft.facts.site} allows {limit.limit}",
                f"raise it to at least {need}: {_command(draft, resource, need)}",
            )


def check_standby_quotas(draft: Draft, volumes: Sequence[PlannedVolume], what: str = "warm standby") -> None:
    """Whether the project has room for volumes that are restored alone, what their data takes included."""
    if draft.needs("quotas", "quotas"):
        _refuse_beyond(draft, of_volumes(draft, volumes) + draft.quota, what)


def _refuse_beyond(draft: Draft, needed: Counter[str], what: str) -> None:
    for resource, need in sorted(needed.items()):
        room = draft.facts.quotas.get(resource)
        if need and room is not None and room.free is not None and room.free < need:
            draft.problem(
                f"quota {resource}",
                f"the {what} needs {need}, {draft.facts.site} has {room.free} left "
                f"({room.used} of {room.limit} used)",
                f"raise it to at least {room.used + need}: {_command(draft, resource, room.used + need)}",
            )


def _command(draft: Draft, resource: str, limit: int) -> str:
    """What raises a quota."""
    if resource == "trunk":  # the one that openstackclient has no option for
        path, body = f"/v2.0/quotas/{draft.facts.project_id}", f'{{"quota": {{"trunk": {limit}}}}}'
        return f"PUT {path} {body} to Neutron"
    noun, _, volume_type = resource.partition("_")
    typed = resource not in LIMITS and noun in ("volumes", "gigabytes") and volume_type
    option = noun if typed else _OPTIONS.get(resource, resource)
    only = f" --volume-type {volume_type}" if typed else ""
    return f"openstack quota set --{option} {limit}{only} {draft.facts.project_id}"


def _needed(draft: Draft, plan: RecoverPlan) -> Counter[str]:
    """By the services' own names of what they limit; GiB, MiB of memory, or counts."""
    return (
        of_servers(draft, plan)
        + of_networks(plan)
        + of_routers(plan)
        + of_volumes(draft, plan.volumes)
        + draft.quota
    )


def of_servers(draft: Draft, plan: RecoverPlan) -> Counter[str]:
    """The steps that boot servers and make their groups."""
    there = {f.id: f for f in draft.facts.flavors}
    sizes = {flavor_key(f.record): there.get(f.use or "", f.record) for f in plan.flavors}
    flavors = [sizes[flavor_key(s.record.flavor)] for s in plan.servers if plan.flavors]
    return Counter({
        "instances": len(plan.servers),
        "cores": sum(f.vcpus for f in flavors),
        "ram": sum(f.memory_mib for f in flavors),
        "server_groups": sum(group.use is None for group in plan.server_groups),
    })  # fmt: skip


def of_networks(plan: RecoverPlan) -> Counter[str]:
    """The steps that make networks, ports, trunks and security groups; DHCP takes a port in each network.

    A group has Neutron's own rules until it is given its rules.
    """
    networks = [n for n in plan.networks if n.use is None]
    groups = [g for g in plan.security_groups if g.use is None]
    return Counter({
        "network": len(networks),
        "subnet": sum(len(n.subnets) for n in networks),
        "port": len(plan.ports) + sum(any(s.record.dhcp for s in n.subnets) for n in networks),
        "trunk": len(plan.trunks),
        "security_group": len(groups),
        "security_group_rule": sum(max(len(g.record.rules), DEFAULT_RULES) for g in groups),
    })  # fmt: skip


def of_routers(plan: RecoverPlan) -> Counter[str]:
    """The steps that make routers and floating IPs.  Interfaces are ports; those outside are nobody's."""
    return Counter({
        "router": sum(router.use is None for router in plan.routers),
        "floatingip": sum(floating.use is None for floating in plan.floating_ips),
        "port": sum(len(router.interfaces) for router in plan.routers),
    })  # fmt: skip


def of_volumes(draft: Draft, volumes: Iterable[PlannedVolume]) -> Counter[str]:
    """The steps that restore volumes, but for those that are there and taken over.

    What their data takes is the method's to say (``Draft.quota``).
    """
    need: Counter[str] = Counter()
    for volume in (v for v in volumes if v.standby is None):
        need += Counter({"volumes": 1, "gigabytes": volume.record.size_gib})
        kind = volume.volume_type or draft.facts.default_volume_type
        if kind is not None:
            need += Counter({f"volumes_{kind}": 1, f"gigabytes_{kind}": volume.record.size_gib})
    return need


def _at_least(draft: Draft, plan: RecoverPlan) -> dict[str, tuple[int, str]]:
    """Limits of one thing, and of the account: what is used of them no service tells.  The largest need, and whose."""
    of_copy = (
        {tokens.DRILL_KEY} if draft.purpose is Purpose.DRILL else {tokens.APPLICATION_KEY, tokens.EPOCH_KEY}
    )
    own = {tokens.KEY, *of_copy}
    needs: dict[str, list[tuple[int, str]]] = {
        "key_pairs": _of_keypairs(draft, plan),
        "metadata_items": [
            (len(s.record.metadata.keys() | own), f"server {s.record.name}") for s in plan.servers
        ],
        "server_group_members": _of_groups(draft, plan),
        "per_volume_gigabytes": [
            (v.record.size_gib, f"volume {v.record.name or v.record.id}") for v in plan.volumes
        ],
    }
    return {resource: max(found) for resource, found in needs.items() if found}


def _of_keypairs(draft: Draft, plan: RecoverPlan) -> list[tuple[int, str]]:
    """Nova counts them by user: those of the account of all its projects."""
    new = len([k for k in plan.keypairs if k.use is None])
    there = len(draft.facts.keypairs)
    return (
        [(there + new, f"the account, which has {there} key pairs there and makes {new} more,")]
        if new
        else []
    )


def _of_groups(draft: Draft, plan: RecoverPlan) -> list[tuple[int, str]]:
    """Members of each server group, those there are already included."""
    there = {group.id: group.members for group in draft.facts.server_groups}
    joining = Counter(s.record.server_group_id for s in plan.servers)
    return [
        (joining[g.record.id] + there.get(g.use or "", 0), f"server group {g.record.name}")
        for g in plan.server_groups
        if joining[g.record.id]
    ]
