"""What else may stand in the way of a recovery: the restore point itself, the source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from multisite.domain.findings import Finding
from multisite.domain.manifest import Manifest
from multisite.domain.model import Purpose
from multisite.recovery.recover.draft import Draft


class SourceState(StrEnum):
    """What can be seen of the source's servers."""

    ALIVE = "alive"  # the source answers and at least one of the servers is active there
    STOPPED = "stopped"  # the source answers: none of the servers is active
    UNREACHABLE = "unreachable"  # no answer: its servers may still run
    UNKNOWN = "unknown"  # it could not be asked: not registered here, or refused


@dataclass(frozen=True)
class SourceAnswer:
    """What the source said.  ``findings``: of the data that was made there, or that this is unknown."""

    state: SourceState
    findings: tuple[Finding, ...] = ()


def _check_source_of_move(draft: Draft, state: SourceState) -> None:
    if state in (SourceState.UNREACHABLE, SourceState.UNKNOWN):
        source = draft.manifest.source.name
        seen = "does not answer" if state is SourceState.UNREACHABLE else "could not be asked"
        draft.problem(
            f"site {source}",
            f"{source} {seen}: a move stops the application there and makes its last restore point",
            "make the site answer, or recover from what there is (recovery start)",
        )


def check_source(draft: Draft, answer: SourceAnswer) -> None:
    """The same addresses must not be active twice: the operator vouches for what cannot be seen.

    A move stops the application by itself, and asks again.
    """
    state = answer.state
    draft.problems += answer.findings
    if draft.purpose is Purpose.MOVE:
        _check_source_of_move(draft, state)
        return
    source, subject = draft.manifest.source.name, f"site {draft.manifest.source.name}"
    if draft.rules.source_is_fenced or state is SourceState.STOPPED:
        return
    fence = "stop the servers there or cut the site off, then say so: --source-is-fenced"
    if state is SourceState.ALIVE:
        draft.problem(
            subject,
            f"{source} answers and the application is active there: its addresses would be active twice "
            "and its data would part",
            fence,
        )
    else:
        seen = "does not answer" if state is SourceState.UNREACHABLE else "could not be asked"
        draft.note(
            subject,
            f"{source} {seen}: whether the servers still run there is unknown; whose the backups are was not asked "
            "there, the signature of the manifest vouches for it",
            f"make sure they cannot come back unnoticed; {fence}",
        )


def check_restore_point(draft: Draft) -> None:
    """References inside the manifest that lead nowhere, and what its data are worth."""
    manifest = draft.manifest
    for reference in _dangling(manifest):
        draft.problem(
            f"restore point {manifest.id}",
            f"{reference} is named in it but not described",
            "recover from another restore point",
        )
    for volume, count in Counter(v for s in manifest.servers for v in s.volume_ids).items():
        if count > 1:
            draft.note(
                f"volume {volume}",
                f"is attached to {count} servers",
                "its volume type at the target must allow several attachments",
            )
    if not manifest.servers:
        draft.problem(f"restore point {manifest.id}", "has no server", "recover from another restore point")
    for note in manifest.notes:
        draft.note(f"restore point {manifest.id}", note, "look after it once the servers run")
    if not manifest.quiesced:
        draft.note(
            f"restore point {manifest.id}",
            "was taken without quiescing: its volumes may be of different moments",
            "prefer a quiesced restore point",
        )


def _dangling(manifest: Manifest) -> Iterator[str]:
    """What servers and ports refer to although the manifest does not have it."""
    known = {
        "port": {p.id for p in manifest.ports},
        "volume": {v.id for v in manifest.volumes},
        "server group": {g.id for g in manifest.server_groups},
        "network": {n.id for n in manifest.networks},
        "subnet": {s.id for s in manifest.subnets},
        "security group": {g.id for g in manifest.security_groups},
    }
    wanted: list[tuple[str, str, Iterable[str | None]]] = []
    for s in manifest.servers:
        name = f"server {s.name}"
        wanted += [(name, "port", s.port_ids), (name, "volume", s.volume_ids)]
        wanted.append((name, "server group", [s.server_group_id or None]))
    for p in manifest.ports:
        name, subnets = f"port {p.id}", [a.subnet_id for a in p.fixed_addresses]
        wanted += [(name, "network", [p.network_id]), (name, "subnet", subnets)]
        wanted.append((name, "security group", p.security_group_ids))
    for r in manifest.routers:
        wanted.append((f"router {r.name or r.id}", "subnet", [i.subnet_id for i in r.interfaces]))
    wanted += [(f"floating IP {f.address}", "port", [f.port_id]) for f in manifest.floating_ips]
    for t in manifest.trunks:
        wanted.append((f"trunk {t.name or t.id}", "port", [t.port_id, *(s.port_id for s in t.subports)]))
    for name, kind, ids in wanted:
        yield from (f"{name}: {kind} {id}" for id in ids if id is not None and id not in known[kind])
