"""Is a replica fresh?  Decided by how long the cluster has had what the replica lacks, by one clock only.

A replica whose threads run, whose master sends heartbeats and whose Seconds_Behind_Master is 0 may still be in the
past: when its master is not in the primary component any more nothing comes, on time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from multisite.identity.watchdog.status import MasterStatus, ReplicaStatus


class State(StrEnum):
    FRESH = "fresh"
    STALE = "stale"
    """The cluster has had changes it lacks for too long."""
    BROKEN = "broken"
    """One of its threads has stopped."""
    DOWN = "down"
    AHEAD = "ahead"
    """It has changes no master has: it follows another cluster, or masters lost some."""
    UNKNOWN = "unknown"
    """No master can be asked: nobody knows whether it is fresh."""


@dataclass(frozen=True)
class Verdict:
    """``lag``: seconds for which the cluster has had changes the replica lacks; 0 when it lacks none."""

    name: str
    state: State
    lag: float
    reason: str


@dataclass(frozen=True)
class History:
    """When the cluster was first seen at a position: (seconds of one monotonic clock, number), rising."""

    marks: tuple[tuple[float, int], ...] = ()

    def with_(self, now: float, position: int | None, keep: float = 3600.0) -> History:
        """After one more check; marks older than ``keep`` seconds are merged into one."""
        if position is None or (self.marks and self.marks[-1][1] >= position):
            return self
        old = [mark for mark in self.marks if mark[0] < now - keep]
        return History((*old[-1:], *self.marks[len(old) :], (now, position)))

    def ahead_since(self, position: int) -> float | None:
        """When the cluster was first seen to have more than this; None when it has not."""
        return next((at for at, number in self.marks if number > position), None)


def cluster_position(masters: Sequence[MasterStatus]) -> int | None:
    """The last change any primary master has."""
    return max((m.position for m in masters if m.primary and m.position is not None), default=None)


def judge(
    replica: ReplicaStatus, masters: Sequence[MasterStatus], history: History, now: float, stale_after: float
) -> Verdict:
    """``replica`` was asked before ``masters``: it cannot have more than they, unless it follows somebody else."""

    def verdict(state: State, reason: str, lag: float = 0.0) -> Verdict:
        return Verdict(replica.name, state, lag, reason)

    if not replica.answers:
        return verdict(State.DOWN, replica.error or "does not answer")
    newest = cluster_position(masters)
    if newest is None:
        return verdict(
            State.UNKNOWN, "no master can be asked: " + "; ".join(f"{m.site} {m.why}" for m in masters)
        )
    if replica.position is None:
        return verdict(State.BROKEN, "has no change of the cluster")
    if replica.position > newest:
        return verdict(State.AHEAD, f"has change {replica.position}, the masters only {newest}")
    since = history.ahead_since(replica.position)
    lag = 0.0 if since is None else now - since
    threads = (
        f"follows {replica.follows or 'nobody'}, receiving {replica.receiving}, applying {replica.applying}"
    )
    reason = f"{threads}, {newest - replica.position} changes and {lag:.1f} s behind"
    reason += f": {replica.error}" if replica.error else ""
    if "No" in (replica.receiving, replica.applying) or not replica.follows:
        return verdict(State.BROKEN, reason, lag)
    return verdict(State.STALE if lag > stale_after else State.FRESH, reason, lag)
