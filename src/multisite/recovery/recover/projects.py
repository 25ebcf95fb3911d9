"""In which project of the target a recovery is: one of those an administrator granted to the application's project.

Everything it makes is there.  A project that is not granted is as good as not there, whether the site has it or not.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from multisite.domain.caller import Caller
from multisite.domain.errors import Invalid
from multisite.domain.manifest import Manifest
from multisite.domain.model import ProjectGrant
from multisite.recovery.recover.draft import Draft
from multisite.recovery.recover.mapping import listed

ENOUGH = frozenset({"admin", "member"})
"""Keystone's roles that may do what a recovery does, by the default policies of Nova, Cinder and Neutron."""
READS_ONLY = frozenset({"reader"})


@dataclass(frozen=True)
class Choice:
    """``id`` at the target, ``how`` it came to be chosen, in words; ``others``: id -> name of what else is granted."""

    id: str
    name: str
    how: str
    others: Mapping[str, str]


def choose(
    manifest: Manifest,
    site: str,
    rule: Mapping[str, str],
    granted: Sequence[ProjectGrant],
    names: Iterable[str],
) -> Choice:
    """The project of ``site`` that the rule ``projects`` maps the application's to, else the default.

    ``granted``: to the application's project at that site; none: its own, of the same id.  ``names``: what the
    application's project is called, beside its id.  Raises Invalid with what to type.
    """
    if unknown := set(rule) - {manifest.project_id, *names}:
        raise Invalid(
            f"mapping.projects: the restore point is of project {manifest.project_id}, not of {min(unknown)!r}: "
            f"{_option(manifest, '<project of the target>')}"
        )
    wanted = set(rule.values())
    if len(wanted) > 1:
        raise Invalid("mapping.projects: the application is in one project: map it to one")
    by_id = {grant.site_project_id: grant.site_project_name for grant in granted}
    by_id = by_id or {manifest.project_id: manifest.project_id}
    if wanted:
        chosen, how = _named(manifest, site, wanted.pop(), by_id), "chosen by --map project:"
    elif granted:
        chosen, how = _default(manifest, site, granted)
    else:
        chosen, how = (
            manifest.project_id,
            f"the application's own, of the same id: no other is granted in {site}",
        )
    return Choice(chosen, by_id[chosen], how, {id: name for id, name in by_id.items() if id != chosen})


def _named(manifest: Manifest, site: str, wanted: str, by_id: Mapping[str, str]) -> str:
    if wanted in by_id:
        return wanted
    found = [id for id, name in by_id.items() if name == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(sorted(found))
        raise Invalid(f"mapping.projects: {wanted!r} is the name of {len(found)} projects; use one of {ids}")
    raise Invalid(
        f"mapping.projects: {wanted!r} is none of the projects of site {site} that project {manifest.project_id} was "
        f"granted; granted: {_shown(by_id)}; an administrator grants another: "
        f"openstack multisite project grant create {manifest.project_id} {site} <id there>"
    )


def _default(manifest: Manifest, site: str, granted: Sequence[ProjectGrant]) -> tuple[str, str]:
    """The only one, or the one that is said to be."""
    if len(granted) == 1:
        return granted[0].site_project_id, f"the only one granted in {site}"
    for grant in granted:
        if grant.is_default:
            return grant.site_project_id, f"the default of those granted in {site}"
    options = "; ".join(
        f"{_option(manifest, grant.site_project_id)} ({grant.site_project_name})" for grant in granted
    )
    raise Invalid(
        f"mapping.projects: several projects of site {site} are granted to project {manifest.project_id} and none is "
        f"the default: choose one: {options}"
    )


def _option(manifest: Manifest, target: str) -> str:
    return f"--map {shlex.quote(f'project:{manifest.project_id}={target}')}"


def _shown(by_id: Mapping[str, str]) -> str:
    return listed(id if name == id else f"{name} ({id})" for id, name in by_id.items())


def names_of(manifest: Manifest, caller: Caller, at_source: Iterable[ProjectGrant]) -> set[str]:
    """What the application's project is called: the caller's name of it, and name and id at the source."""
    names = {caller.project_name} if caller.project_id == manifest.project_id else set()
    for grant in at_source:
        names |= {grant.site_project_id, grant.site_project_name}
    return names - {""}


def plan_project(draft: Draft, choice: Choice | None) -> None:
    """Say in which project everything is made, and what the account may not do there."""
    facts = draft.facts
    name = choice.name if choice else facts.project_id
    how = choice.how if choice else f"the one Multisite enters {facts.site} with"
    draft.use("project", name, facts.project_id, f"{how}; everything is made in it")
    if facts.roles is None or facts.roles & ENOUGH:
        return
    said = f"the account has only these roles in it: {listed(facts.roles)}"
    remedy = f"openstack role add --project {facts.project_id} --user {facts.account} member"
    if facts.roles <= READS_ONLY:
        draft.problem(
            f"project {name}", f"{said}, which may change nothing by default", f"at {facts.site}: {remedy}"
        )
    else:
        draft.note(
            f"project {name}",
            f"{said}; whether they may make servers, volumes and ports depends on {facts.site}'s policies",
            f"if a step is refused: {remedy}",
        )
