"""An L3 path between members in two sites as data: what it is made of, and what may be wrong with it.

Pure.  Both ends have a floating IP and a security group with exactly one ingress rule: the protocol and port, from
the peer's floating IP alone.  (What leaves a port with a floating IP has that as its source address.)
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from multisite.domain.findings import Comparison, Finding, unknown


class PathState(StrEnum):
    """``SENTENCES`` has what an operator can rely on."""

    CREATING = "creating"
    READY = "ready"
    DELETING = "deleting"
    STOPPED = "stopped"
    FAILED = "failed"


SENTENCES: Mapping[PathState, str] = {
    PathState.CREATING: "being set up on both sides; what is made is removed when one side fails",
    PathState.READY: "both sides were set up and let in the peers only; check tells whether it is still so",
    PathState.DELETING: "being removed on both sides",
    PathState.STOPPED: "removing it stopped half-way: something is left, undo its job again",
    PathState.FAILED: "could not be set up; nothing of it is left: delete it",
}

TRANSITIONS: tuple[tuple[PathState, PathState, str], ...] = (
    (PathState.CREATING, PathState.READY, "both sides made"),
    (PathState.CREATING, PathState.FAILED, "failed, undone"),
    (PathState.CREATING, PathState.STOPPED, "failed, not undone"),
    (PathState.READY, PathState.DELETING, "delete"),
    (PathState.STOPPED, PathState.DELETING, "delete"),
    (PathState.DELETING, PathState.STOPPED, "failed"),
)
"""From, to, and why; shown in docs/addresses.md.  One that is deleted, or forgotten after it failed, is no more."""


@dataclass(frozen=True)
class PathEnd:
    """``network_id``: the external network; ``address``: the floating IP once there is one; ``group_id`` the rules'."""

    site: str
    port_id: str
    network_id: str
    floating_ip_id: str | None = None
    address: str | None = None
    group_id: str | None = None


@dataclass(frozen=True)
class L3Path:
    """``port`` None: the whole protocol (``icmp``)."""

    id: str
    name: str
    project_id: str
    ends: tuple[PathEnd, ...]
    protocol: str
    port: int | None
    state: PathState
    job_id: str
    requested_by: str
    created_at: datetime
    error: str | None = None

    def end(self, site: str) -> PathEnd:
        return {e.site: e for e in self.ends}[site]

    def peer(self, site: str) -> PathEnd:
        return next(e for e in self.ends if e.site != site)

    @property
    def sentence(self) -> str:
        """What its state means."""
        return SENTENCES[self.state]

    @property
    def lets_in(self) -> str:
        """``udp 5000``."""
        return self.protocol if self.port is None else f"{self.protocol} {self.port}"

    @property
    def measure(self) -> tuple[str, ...]:
        """How to measure it from each end towards its peer."""
        way = "icmp" if self.protocol == "icmp" else f"{self.protocol}:{self.port}"
        return tuple(
            f"in the member of {end.site}: multisite-probe {way} {self.peer(end.site).address}"
            for end in self.ends
            if self.peer(end.site).address and self.protocol != "sctp"
        )


@dataclass(frozen=True)
class EndState:
    """What one site says of its end.  ``known`` False: it did not answer (``why``)."""

    site: str
    known: bool
    why: str = ""
    address: str | None = None
    status: str = ""
    port_id: str | None = None
    port_groups: tuple[str, ...] = ()
    rules: tuple[Mapping[str, Any], ...] = ()
    others: tuple[Mapping[str, Any], ...] = ()
    """Ingress rules of the port's other groups."""
    group_present: bool = False
    port_security: bool = True


AGAIN = "delete the path and create it again"
CUT = "the peers do not reach each other"
OPEN = "others than the peer reach the member"
_OPENING = frozenset({"no port security", "rule too wide"})


def judge(path: L3Path, states: Sequence[EndState]) -> Comparison:
    """Compare the record with what both sites say."""
    return Comparison(tuple(found for state in states for found in _of_end(path, state, states)))


def _of_end(path: L3Path, state: EndState, states: Sequence[EndState]) -> list[Finding]:
    end, peer = path.end(state.site), path.peer(state.site)
    if not state.known:
        return [unknown(state.site, state.why, "nobody knows whether the path is whole there")]
    found: list[Finding] = []

    def add(kind: str, what: str, remedy: str = AGAIN) -> None:
        found.append(_wrong(state.site, kind, what, remedy))

    if state.address is None:
        add("address missing", f"the floating IP {end.address} is gone")
    elif state.address != end.address:
        add("address changed", f"the floating IP is {state.address}, the record says {end.address}")
    if state.address is not None and state.port_id != end.port_id:
        add("address elsewhere", f"the floating IP leads to port {state.port_id or 'none'}, not to {end.port_id}",
            f"openstack floating ip set --port {end.port_id} {end.address}")  # fmt: skip
    elif state.address is not None and state.status != "ACTIVE":
        add(
            "not carried",
            f"the floating IP is {state.status}: its L3 agent does not carry it",
            "look at the L3 agents",
        )
    if not state.port_security:
        add("no port security", "the port has port security off: everybody is let in", "switch it on")
    if not state.group_present:
        add("rule missing", "the security group of the path is gone: the peer is not let in")
        return found
    if end.group_id not in state.port_groups:
        add("rule missing", "the port is not in the path's security group: the peer is not let in",
            f"openstack port set --security-group {end.group_id} {end.port_id}")  # fmt: skip
    found += _of_rules(path, state, _address_of(peer, states))
    return found


def _wrong(site: str, kind: str, what: str, remedy: str = AGAIN) -> Finding:
    return Finding(site, kind, what, OPEN if kind in _OPENING else CUT, remedy)


def _address_of(peer: PathEnd, states: Sequence[EndState]) -> str | None:
    """As the peer's site says now; by the record when it cannot be asked."""
    state = next((s for s in states if s.site == peer.site), None)
    return state.address if state is not None and state.known and state.address else peer.address


def _of_rules(path: L3Path, state: EndState, peer: str | None) -> list[Finding]:
    found: list[Finding] = []
    inward = [rule for rule in state.rules if rule["direction"] == "ingress"]
    exact = [rule for rule in inward if _lets_only(path, rule, peer)]
    if peer is None:
        found.append(
            _wrong(state.site, "peer unknown", "the peer has no floating IP: there is nobody to let in")
        )
    elif not exact:
        found.append(
            _wrong(state.site, "rule missing", f"no rule lets {path.lets_in} in from the peer {peer}")
        )
    for rule in inward:
        if rule not in exact:
            found.append(_wrong(state.site, "rule too wide", f"the path's group also lets in {_words(rule)}",
                                f"openstack security group rule delete {rule['id']}"))  # fmt: skip
    for rule in state.others:
        if _opens(path, rule):
            what = f"another group of the port lets in {_words(rule)}: the path is open to more than its peer"
            remedy = "take the port out of that group, or narrow the rule"
            found.append(_wrong(state.site, "rule too wide", what, remedy))
    return found


def _lets_only(path: L3Path, rule: Mapping[str, Any], peer: str | None) -> bool:
    if (
        peer is None
        or rule["remote_group_id"]
        or str(rule["remote_ip_prefix"] or "") not in (f"{peer}/32", peer)
    ):
        return False
    return str(rule["protocol"] or "") == path.protocol and (
        (rule["port_range_min"], rule["port_range_max"]) == (path.port, path.port)
    )


def _opens(path: L3Path, rule: Mapping[str, Any]) -> bool:
    """Whether a rule of another group lets somebody else in at the path's port; rules by group are not addresses."""
    if rule["direction"] != "ingress" or rule["ethertype"] != "IPv4" or rule["remote_group_id"]:
        return False
    if rule["protocol"] not in (None, path.protocol):
        return False
    low, high = rule["port_range_min"], rule["port_range_max"]
    if path.port is not None and low is not None and not low <= path.port <= (high or low):
        return False
    prefix = ipaddress.ip_network(rule["remote_ip_prefix"] or "0.0.0.0/0", strict=False)
    return prefix.prefixlen < 32


def _words(rule: Mapping[str, Any]) -> str:
    ports = "" if rule["port_range_min"] is None else f" {rule['port_range_min']}-{rule['port_range_max']}"
    whence = rule["remote_ip_prefix"] or rule["remote_group_id"] or "anybody"
    return f"{rule['protocol'] or 'everything'}{ports} from {whence}"
