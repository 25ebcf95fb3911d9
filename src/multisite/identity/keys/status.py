"""The state for operators: a table row per site, and a JSON document for machines; no key in either."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from multisite.identity.keys import alarms as alarm
from multisite.identity.keys.fernet import gate
from multisite.identity.keys.fernet import plan as fernet_plan
from multisite.identity.keys.jws import plan as jws_plan
from multisite.identity.keys.repository import Kind
from multisite.identity.keys.schedule import key_count
from multisite.identity.keys.state import KindState, SiteState, State
from multisite.identity.topology.model import Tokens, Topology

UNKNOWN = "unknown"


def document(
    topology: Topology, names: Sequence[str], state: State, now: float, stale: float
) -> dict[str, Any]:
    """``stale``: seconds after which what was seen is not taken for true any more."""
    tokens = topology.tokens
    old = state.seen_at is None or now - state.seen_at > stale
    found = alarm.alarms(state, names, tokens, now)
    if old:
        text = f"sites last read at {alarm.moment(state.seen_at)}: is the daemon running? All is unknown"
        found.insert(0, alarm.critical("no-daemon", "", "", text))
    return {
        "topology": topology.name,
        "level": max((a.level for a in found), default=alarm.Level.OK).name,
        "seen_at": alarm.moment(state.seen_at),
        "held": state.held or None,
        "sites": [_site(name, state, tokens, now, old) for name in names],
        "repositories": [_kind(kind, state, names, tokens, now) for kind in state.kinds],
        "jws": _jws(state),
        "emergency": emergency(topology, state),
        "alarms": [dataclasses.asdict(a) | {"level": a.level.name} for a in found],
        "events": [{"at": alarm.moment(e.at), "text": e.text} for e in state.events[-20:]],
    }


def _site(name: str, state: State, tokens: Tokens, now: float, old: bool) -> dict[str, Any]:
    site = state.site(name)
    known = site.error is None and bool(site.seen) and not old
    return {
        "site": name,
        "reachable": ("yes" if site.error is None and site.seen else "no") if not old else UNKNOWN,
        "counts": "no, excluded" if site.excluded_at is not None else "yes",
        "in_sync": _all(state, lambda k, m: gate.in_sync(m.desired, site.seen.get(k))) if known else UNKNOWN,
        "staged_confirmed": _all(state, lambda k, m: _has_staged(m, site, k)) if known else UNKNOWN,
        "why": site.error,
        "since": alarm.moment(site.away_since) if site.away_since else None,
        "if_gone_on_without": alarm.consequences(state, name, tokens, now),
    }


def _all(state: State, holds: Any) -> str:
    return "yes" if all(holds(kind, mine) for kind, mine in state.kinds.items()) else "no"


def _has_staged(mine: KindState, site: SiteState, kind: Kind) -> bool:
    seen = site.seen.get(kind)
    return seen is not None and seen.repository.staged == mine.desired.staged


def _kind(kind: Kind, state: State, names: Sequence[str], tokens: Tokens, now: float) -> dict[str, Any]:
    mine = state.kinds[kind]
    refusals = gate.refusals(kind, state, alarm.last_seen(state, names), names)
    return {
        "kind": kind,
        "phase": "distributing" if mine.settled_at is None else "settled",
        "primary": mine.desired.primary,
        "primary_since": alarm.moment(mine.promoted_at),
        "staged": mine.desired.staged,
        "keys": len(mine.desired.keys),
        "max_active_keys": key_count(kind, tokens),
        "next_rotation": "asked" if mine.asked else alarm.moment(mine.next_rotation, "asked only"),
        "overdue": fernet_plan.due(mine, now),
        "gate": "open" if not refusals else [f"{r.site or 'all sites'}: {r.reason}" for r in refusals],
    }  # fmt: skip


def _jws(state: State) -> list[Mapping[str, Any]] | None:
    if state.jws is None:
        return None
    rows: list[Mapping[str, Any]] = []
    for name, pairs in sorted(state.jws.pairs.items()):
        signs, waits = jws_plan.signing(pairs), jws_plan.waiting(pairs)
        rows.append({
            "site": name,
            "signs_with": signs and signs.fingerprint,
            "since": alarm.moment(signs.signing_at) if signs else None,
            "waiting": waits and waits.fingerprint,
            "next_rotation": alarm.moment(state.jws.next_rotation),
        })  # fmt: skip
    return rows


def emergency(topology: Topology, state: State) -> dict[str, Any] | None:
    """How long it took each site to lose the compromised keys; caches may accept for ``caches`` s longer."""
    found = state.emergency
    if found is None:
        return None
    return {
        "started_at": alarm.moment(found.started_at),
        "kinds": list(found.kinds),
        "seconds": {name: round(at - found.started_at, 3) for name, at in sorted(found.refused_at.items())},
        "all_sites": None if found.ended_at is None else round(found.ended_at - found.started_at, 3),
        "caches": topology.revocation_bound,
    }
