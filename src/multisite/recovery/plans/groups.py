"""The groups of a recovery plan as they are given: checked when they are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from multisite.domain.errors import Invalid
from multisite.domain.recovery_plan import Gate, PlanGroup
from multisite.domain.validation import validated

MOST_GROUPS, MOST_GATES = 50, 20
OF_KIND = {"port": ("port", "network", "floating"), "console": ("match",), "agent": ()}
"""The fields that only gates of a kind have; the first one is needed."""


def parse_groups(given: object, mapping: Mapping[str, Any]) -> tuple[PlanGroup, ...]:
    """Raises Invalid naming the field; ``mapping``: the plan's rules, which may not contradict."""
    found = tuple(_group(one, f"groups.{n}") for n, one in enumerate(_list(given, "groups", MOST_GROUPS)))
    _once((group.name for group in found), "name", "is the name of two groups: give each its own")
    named = (member for group in found for member in group.members)
    _once(named, "members", "is named twice: every member is in one group")
    if found and mapping.get("parallel_boot"):
        raise Invalid(
            "mapping.parallel_boot: the plan has groups, which boot one after the other: take one away"
        )
    return found


def _list(given: object, where: str, most: int) -> Sequence[object]:
    if not isinstance(given, list | tuple) or len(given) > most:
        raise Invalid(f"{where}: must be a list of at most {most}")
    return given


def _group(given: object, where: str) -> PlanGroup:
    plain = dict(given) if isinstance(given, Mapping) else given
    gates = plain.pop("gates", None) or () if isinstance(plain, dict) else ()
    group = validated(PlanGroup, plain, where, "field of a group")
    if not group.members:
        raise Invalid(f"{where}.members: name at least one member")
    if not 1 <= len(group.name) <= 64:
        raise Invalid(f"{where}.name: must be 1 to 64 characters")
    found = (
        _gate(one, f"{where}.gates.{n}") for n, one in enumerate(_list(gates, f"{where}.gates", MOST_GATES))
    )
    return PlanGroup(group.name, group.members, tuple(_of_group(gate, group, where) for gate in found))


def _gate(given: object, where: str) -> Gate:
    gate = validated(Gate, given, where, "field of a gate")
    for kind, names in OF_KIND.items():
        for name in names:
            if kind != gate.kind and getattr(gate, name):
                raise Invalid(
                    f"{where}.{name}: only a gate of kind {kind} has it, this one is of kind {gate.kind}"
                )
    needed = OF_KIND[gate.kind][:1]
    if needed and getattr(gate, needed[0]) is None:
        raise Invalid(f"{where}.{needed[0]}: a gate of kind {gate.kind} needs it")
    return gate


def _of_group(gate: Gate, group: PlanGroup, where: str) -> Gate:
    for member in gate.members or ():
        if member not in group.members:
            its = ", ".join(group.members)
            raise Invalid(f"{where}.gates: {member!r} is no member of group {group.name!r}; it has: {its}")
    return gate


def _once(words: Iterable[str], field: str, what: str) -> None:
    twice = [word for word, count in Counter(words).items() if count > 1]
    if twice:
        raise Invalid(f"groups: {field}: {twice[0]!r} {what}")
