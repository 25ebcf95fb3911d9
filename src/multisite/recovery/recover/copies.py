"""Other copies of an application: one is the application, and a second one has its MACs and addresses, too."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from multisite.domain.epoch import Epochs
from multisite.domain.findings import Finding, Severity
from multisite.domain.model import Purpose, Recovery, RecoveryState
from multisite.store.recoveries import FINAL


@dataclass(frozen=True)
class Copy:
    """What a recovery made of an application, or is making."""

    recovery_id: str
    site: str
    state: RecoveryState
    epoch: int = 0


def copies_of(recoveries: Iterable[Recovery], epochs: Epochs, of_point: int = 0) -> tuple[Copy, ...]:
    """Those in the way of recovering from a restore point of epoch ``of_point``.

    A recovery that was undone left none, and what is of the restore point's epoch or before is where it came from.
    One that this database has never heard of is in the store's ``epochs`` when it is done.  What a drill makes is in
    networks of its own, and is never the application.
    """
    made = [r for r in recoveries if r.purpose is not Purpose.DRILL]
    copies = [Copy(r.id, r.target_site, r.state, r.epoch) for r in made]
    current = epochs.current
    if current is not None and current.recovery_id not in {copy.recovery_id for copy in copies}:
        copies.append(Copy(current.recovery_id, current.site, RecoveryState.DONE, current.number))
    undone = RecoveryState.UNDONE
    return tuple(c for c in copies if c.state is not undone and not 0 < c.epoch <= of_point)


def in_the_way(
    copies: Iterable[Copy], application: str, target_site: str, *, superseded: bool
) -> tuple[Finding, ...]:
    """What the copies mean for another recovery in ``target_site``.

    ``superseded``: the operator vouches that they are given up; a recovery that is still at work in the same site is
    in the way all the same.
    """
    return tuple(
        _finding(copy, application, superseded and (copy.site != target_site or copy.state in FINAL))
        for copy in copies
    )


def _finding(copy: Copy, application: str, superseded: bool) -> Finding:
    said = f"recovery {copy.recovery_id} of it in {copy.site} is {copy.state}"
    if copy.state is RecoveryState.DONE:
        said, first = f"{said}: its copy is the application", f"undo recovery {copy.recovery_id}"
    else:
        first = f"wait for recovery {copy.recovery_id}, or resume or undo it"
    return Finding(
        copy.site,
        f"application {application}",
        said + (", given up by the operator's word" if superseded else ""),
        "two copies would be active with the same MACs and addresses, and their data would part",
        f"{first}; when that copy is off or cut off and given up, say so: --supersede",
        Severity.NOTE if superseded else Severity.BLOCKING,
    )
