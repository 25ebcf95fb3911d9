"""What an operator has to know, in words, from what is remembered: pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum

from multisite.identity.keys.fernet import gate, install
from multisite.identity.keys.fernet import plan as fernet_plan
from multisite.identity.keys.repository import Kind
from multisite.identity.keys.state import Seen, State
from multisite.identity.topology.model import Tokens


class Level(IntEnum):
    """The exit statuses monitoring plugins have used since Nagios."""

    OK = 0
    WARNING = 1
    CRITICAL = 2


@dataclass(frozen=True)
class Alarm:
    """``code``: for machines, the same as long as the trouble is."""

    level: Level
    code: str
    site: str
    kind: str
    text: str

    @property
    def identity(self) -> tuple[str, str, str]:
        return (self.code, self.site, self.kind)


def critical(code: str, site: str, kind: str, text: str) -> Alarm:
    return Alarm(Level.CRITICAL, code, site, kind, text)


def warning(code: str, site: str, kind: str, text: str) -> Alarm:
    return Alarm(Level.WARNING, code, site, kind, text)


def alarms(state: State, names: Collection[str], tokens: Tokens, now: float) -> list[Alarm]:
    """Worst first."""
    found = [
        *_emergency(state, names, now),
        *_foreign(state),
        *_held(state, names, tokens, now),
        *_held_jws(state, names),
        *_sites(state, names, tokens, now),
        *_credentials(state),
    ]
    return sorted(found, key=lambda alarm: -alarm.level)


def last_seen(state: State, names: Collection[str]) -> dict[str, Mapping[Kind, Seen] | str]:
    """By site what was read last, or why nothing was."""
    sites = {name: state.site(name) for name in names}
    return {n: s.error if s.error is not None else s.seen or "never asked" for n, s in sites.items()}


def consequences(state: State, site: str, tokens: Tokens, now: float) -> list[str]:
    """What going on without a site means, in words."""
    lines = []
    for kind, mine in state.kinds.items():
        seen = state.site(site).seen.get(kind)
        told = gate.forecast(kind, mine, seen.repository if seen else None, tokens, now)
        what = "credentials" if kind == Kind.CREDENTIAL else kind.removeprefix("fernet_")
        here, there = _when(told.others_fail_here_at, now), _when(told.own_fail_elsewhere_at, now)
        lines.append(
            f"{kind}: {what} made elsewhere are refused at {site} {here}; made at {site}, elsewhere {there}"
        )
    return lines


def moment(at: float | None, without: str = "never") -> str:
    return without if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def _when(at: float | None, now: float) -> str:
    if at is None:
        return "never"
    return f"since {moment(at)}" if at <= now else f"from {moment(at)}"


def _emergency(state: State, names: Collection[str], now: float) -> Iterator[Alarm]:
    if state.emergency is None or state.emergency.ended_at is not None:
        return
    since = now - state.emergency.started_at
    for name in sorted(set(names) - state.emergency.refused_at.keys()):
        text = f"still accepts tokens of the compromised keys, {since:.0f} s after the replacement began"
        yield critical("compromised", name, "", f"site {name} {text}: reach it, or cut its Keystone off")


def _foreign(state: State) -> Iterator[Alarm]:
    for name, site in sorted(state.sites.items()):
        for kind, seen in site.seen.items():
            mine = state.kinds.get(kind)
            strange = install.foreign(seen.repository, mine.records) if mine else frozenset[str]()
            if strange:
                text = (
                    f"site {name} holds foreign keys ({', '.join(sorted(strange))}): a rotation by hand or a second"
                    f" key service. Find out which; then `multisite keys repair {name}` overwrites them"
                )
                yield critical("foreign-key", name, kind, text)
    if state.jws is None:
        return
    known = {p.fingerprint for pairs in state.jws.pairs.values() for p in pairs}
    for name, jws in sorted(state.jws.seen.items()):
        if files := sorted(file for file, f in jws.public.items() if f not in known):
            text = (
                f"site {name} accepts tokens of unknown signers: public keys {', '.join(files)} are of none of the"
                " sites' pairs. Find out whose they are and remove them there"
            )
            yield critical("foreign-key", name, "jws", text)


def _held(state: State, names: Collection[str], tokens: Tokens, now: float) -> Iterator[Alarm]:
    answers = last_seen(state, names)
    for kind, mine in state.kinds.items():
        if not fernet_plan.due(mine, now):
            continue
        asked = mine.next_rotation is None or mine.asked
        since = "an operator asked" if asked else moment(mine.next_rotation)
        for refusal in gate.refusals(kind, state, answers, names):
            where = refusal.site or "all sites"
            text = f"rotation of {kind} is held (due: {since}): {where}: {refusal.reason}."
            if refusal.site:
                text += " While it is held nothing fails. " + "; ".join(
                    f"If you go on without {refusal.site}: {line}"
                    for line in consequences(state, refusal.site, tokens, now)
                    if line.startswith(kind)
                )
            yield critical("rotation-held", refusal.site, kind, text)


def _held_jws(state: State, names: Collection[str]) -> Iterator[Alarm]:
    if state.jws is None or not state.jws.rotating:
        return
    if state.held:
        yield critical("rotation-held", "", "jws", f"new JWS pairs wait: held by the operator: {state.held}")
    for name in sorted(set(names) - state.excluded):
        if error := state.site(name).error:
            text = f"new JWS pairs wait until site {name} has their public halves: {error}. Nothing fails meanwhile."
            yield critical("rotation-held", name, "jws", f"{text} Going on without it, tokens fail there")


def _sites(state: State, names: Collection[str], tokens: Tokens, now: float) -> Iterator[Alarm]:
    for name in sorted(names):
        site = state.site(name)
        if site.excluded_at is not None:
            what = "; ".join(consequences(state, name, tokens, now))
            back = " It answers: `multisite keys include`." if site.error is None else ""
            yield warning("excluded", name, "", f"rotations go on without site {name}: {what}.{back}")
        if site.error is not None:
            text = f"site {name}: unknown since {moment(site.away_since)}: {site.error}"
            yield warning("site-away", name, "", text)
            continue
        for kind, mine in state.kinds.items():
            seen = site.seen.get(kind)
            if seen is not None and seen.problems:
                text = f"Keystone of site {name} cannot use {kind}: {'; '.join(seen.problems)}"
                yield critical("unusable", name, kind, text)
            elif not gate.in_sync(mine.desired, seen):
                yield warning("out-of-sync", name, kind, f"site {name}: {kind} is not as desired")


def _credentials(state: State) -> Iterator[Alarm]:
    mine = state.kinds.get(Kind.CREDENTIAL)
    if mine is None or mine.migrated or mine.settled_at is None:
        return
    if len(mine.records) > len(mine.desired.keys):
        text = (
            "credentials are not known to be migrated: run `keystone-manage credential_migrate` at one site that"
            " writes, then `multisite keys migrated`"
        )
        yield warning("not-migrated", "", Kind.CREDENTIAL, text)
