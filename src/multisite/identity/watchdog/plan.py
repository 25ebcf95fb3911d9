"""What to do about what was found: pure, so that every case can be tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

from pydantic import ConfigDict, Field

from multisite.identity.watchdog.judge import State, Verdict
from multisite.identity.watchdog.status import MasterStatus, ReplicaStatus

PURGED = 1236
"""MariaDB's error of a master that has not the changes a replica asks for any more."""
_OUT = (State.STALE, State.BROKEN, State.DOWN, State.AHEAD)


Seconds = Annotated[float, Field(gt=0, le=31_536_000)]


@dataclass(frozen=True)
class Limits:
    """Seconds; ``times`` of the settings.  ``repoint_after``: following another master for nothing costs little, for
    the replica returns; ``home_after``: how long a master that came back must have been well before its replica
    returns to it; ``every``: between two checks."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    stale_after: Seconds = 3.0
    repoint_after: Seconds = 3.0
    agreed_after: Seconds = 1.0
    """As ``repoint_after``, of a replica that does not hear from that master either: two have seen it then."""
    home_after: Seconds = 30.0
    pause: Seconds = 5.0
    """Between two interventions at one replica."""
    every: Annotated[float, Field(gt=0, le=60)] = 1.0


@dataclass(frozen=True)
class Repoint:
    """Let a replica follow another master, from where it is."""

    replica: str
    master: str
    why: str


@dataclass(frozen=True)
class Start:
    """Let a replica that was stopped, without an error, go on."""

    replica: str
    why: str


@dataclass(frozen=True)
class Memory:
    """What earlier checks left: seconds of one monotonic clock."""

    primary_since: Mapping[str, float] = field(default_factory=dict)
    """Master site -> since when every check found it primary."""
    lost_since: Mapping[str, float] = field(default_factory=dict)
    """Master site -> since when no check found it primary."""
    touched: Mapping[str, float] = field(default_factory=dict)
    """Replica -> when something was last done to it."""

    def with_masters(self, masters: Sequence[MasterStatus], now: float) -> Memory:
        """After one more check."""
        return replace(
            self,
            primary_since={m.site: self.primary_since.get(m.site, now) for m in masters if m.primary},
            lost_since={m.site: self.lost_since.get(m.site, now) for m in masters if not m.primary},
        )

    def with_touched(self, replica: str, now: float) -> Memory:
        """After an intervention."""
        return replace(self, touched={**self.touched, replica: now})


def out(verdicts: Sequence[Verdict]) -> dict[str, bool]:
    """Replica -> whether nobody may ask it; one nobody can judge is missing: it stays as it is."""
    return {v.name: v.state in _OUT for v in verdicts if v.state is not State.UNKNOWN}


def site_out(verdicts: Sequence[Verdict]) -> bool:
    """Whether the site's own Keystone must not be asked: no replica is fresh, and there are masters to ask instead."""
    known = [v for v in verdicts if v.state is not State.UNKNOWN]
    return (
        bool(known) and not any(v.state is State.FRESH for v in known) and any(v.state in _OUT for v in known)
    )


def repair(
    replicas: Sequence[ReplicaStatus], verdicts: Sequence[Verdict], masters: Sequence[MasterStatus],
    homes: Mapping[str, str], memory: Memory, now: float, limits: Limits,
) -> list[Repoint | Start]:  # fmt: skip
    """Interventions, one for each replica at most, one way home at a time; ``homes``: replica -> its master."""
    found: list[Repoint | Start] = []
    states = {verdict.name: verdict for verdict in verdicts}
    for replica in replicas:
        if now - memory.touched.get(replica.name, float("-inf")) < limits.pause:
            continue
        verdict = states[replica.name]
        if verdict.state in (State.DOWN, State.UNKNOWN, State.AHEAD):
            continue
        action = _away(replica, masters, homes, memory, now, limits)
        if action is None and not any(isinstance(other, Repoint) for other in found):
            action = _home(replica, verdict, masters, homes[replica.name], memory, now, limits)
        if action is not None:
            found.append(action)
    return found


def _away(
    replica: ReplicaStatus, masters: Sequence[MasterStatus], homes: Mapping[str, str], memory: Memory, now: float,
    limits: Limits,
) -> Repoint | Start | None:  # fmt: skip
    lost = memory.lost_since.get(replica.follows)
    if replica.receive_error == PURGED and replica.receiving == "No":
        return _to_another(replica, masters, f"{replica.follows} has not the changes it lacks any more")
    patience = limits.repoint_after if replica.receiving == "Yes" else limits.agreed_after
    if lost is not None and now - lost >= patience:
        return _to_another(replica, masters, f"{replica.follows} is lost since {now - lost:.0f} s")
    stopped = "No" in (replica.receiving, replica.applying) and not replica.error
    if stopped and replica.follows:
        return Start(replica.name, "it was stopped and has no error")
    if not replica.follows:
        return _to(replica, masters, homes[replica.name], "it follows nobody") or _to_another(
            replica, masters, "it follows nobody"
        )
    return None


def _home(
    replica: ReplicaStatus, verdict: Verdict, masters: Sequence[MasterStatus], home: str, memory: Memory, now: float,
    limits: Limits,
) -> Repoint | None:  # fmt: skip
    since = memory.primary_since.get(home)
    if replica.follows == home or verdict.state is not State.FRESH or since is None:
        return None
    return _to(replica, masters, home, f"{home} is well again") if now - since >= limits.home_after else None


def _to_another(replica: ReplicaStatus, masters: Sequence[MasterStatus], why: str) -> Repoint | None:
    others = sorted(
        (m for m in masters if m.site != replica.follows), key=lambda m: m.position or 0, reverse=True
    )
    return next((action for m in others if (action := _to(replica, masters, m.site, why))), None)


def _to(replica: ReplicaStatus, masters: Sequence[MasterStatus], site: str, why: str) -> Repoint | None:
    """Only to a primary master that has everything the replica has."""
    for master in masters:
        if master.site == site and master.primary and (master.position or 0) >= (replica.position or 0):
            return Repoint(replica.name, site, why)
    return None
