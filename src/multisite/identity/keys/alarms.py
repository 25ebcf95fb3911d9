"""What an operator has to know, in words, from what is remembered: pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum

from multisite.identity.keys.fernet import gate, install
from multisite.identity.keys.fernet import plan as fernet_plan
from multisite.identity.keys.repository import Kind
from multisite.identity.keys.state import Seen, SiteState, State
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
    """By site what the last look found, or why it found nothing."""
    return {n: _last_seen_of(state.site(n)) for n in names}


def _last_seen_of(site: SiteState) -> Mapping[Kind, Seen] | str:
    if site.error is not None:
        return site.error
    return site.seen or "never asked"


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


def moment(at: float | None) -> str:
    return "never" if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def _when(at: float | None, now: float) -> str:
    if at is None:
        return "never"
    return f"since {moment(at)}" if at <= now else f"from {moment(at)}"


def _emergency(state: State, names: Collection[str], now: float) -> Iterator[Alarm]:
    if state.emergency is None or state.emergency.ended_at is not None:
        return
    for name in sorted(set(names) - state.emergency.refused_at.keys()):
        yield Alarm(
            Level.CRITICAL, "compromised", name, "",
            f"site {name} still accepts tokens of the compromised keys, {now - state.emergency.started_at:.0f} s"
            " after the replacement began: reach it, or cut its Keystone off",
        )  # fmt: skip


def _foreign(state: State) -> Iterator[Alarm]:
    for name, site in sorted(state.sites.items()):
        for kind, seen in site.seen.items():
            mine = state.kinds.get(kind)
            strange = install.foreign(seen.repository, mine.records) if mine else frozenset[str]()
            if strange:
                yield Alarm(
                    Level.CRITICAL, "foreign-key", name, kind,
                    f"site {name} holds keys of somebody else ({', '.join(sorted(strange))}): a rotation by hand or"
                    f" a second key service. Find out who; then `multisite keys repair {name}` overwrites them",
                )  # fmt: skip
    yield from _foreign_public(state)


def _foreign_public(state: State) -> Iterator[Alarm]:
    if state.jws is None:
        return
    known = {p.fingerprint for pairs in state.jws.pairs.values() for p in pairs}
    for name, seen in sorted(state.jws.seen.items()):
        strange = sorted(file for file, f in seen.public.items() if f not in known)
        if strange:
            yield Alarm(
                Level.CRITICAL, "foreign-key", name, "jws",
                f"site {name} accepts tokens of unknown signers: public keys {', '.join(strange)} are of none of the"
                " sites' pairs. Find out whose they are and remove them there",
            )  # fmt: skip


def _held(state: State, names: Collection[str], tokens: Tokens, now: float) -> Iterator[Alarm]:
    answers = last_seen(state, names)
    for kind, mine in state.kinds.items():
        if not fernet_plan.due(mine, now):
            continue
        for refusal in gate.refusals(kind, state, answers, names):
            since = (
                "an operator asked"
                if mine.next_rotation is None or mine.asked
                else moment(mine.next_rotation)
            )
            text = (
                f"rotation of {kind} is held (due: {since}): {refusal.site or 'all sites'}: {refusal.reason}."
            )
            if refusal.site:
                text += " While it is held nothing fails. " + "; ".join(
                    f"If you go on without {refusal.site}: {line}"
                    for line in consequences(state, refusal.site, tokens, now)
                    if line.startswith(kind)
                )
            yield Alarm(Level.CRITICAL, "rotation-held", refusal.site, kind, text)


def _held_jws(state: State, names: Collection[str]) -> Iterator[Alarm]:
    if state.jws is None or not state.jws.rotating:
        return
    if state.held:
        yield Alarm(
            Level.CRITICAL,
            "rotation-held",
            "",
            "jws",
            f"new JWS pairs wait: held by the operator: {state.held}",
        )
    for name in sorted(set(names) - state.excluded):
        if error := state.site(name).error:
            text = f"new JWS pairs wait until site {name} has their public halves: {error}. Nothing fails meanwhile."
            yield Alarm(
                Level.CRITICAL, "rotation-held", name, "jws", f"{text} Going on without it, tokens fail there"
            )


def _sites(state: State, names: Collection[str], tokens: Tokens, now: float) -> Iterator[Alarm]:
    for name in sorted(names):
        site = state.site(name)
        if site.excluded_at is not None:
            what = "; ".join(consequences(state, name, tokens, now))
            back = " It answers: `multisite keys include`." if site.error is None else ""
            yield Alarm(
                Level.WARNING, "excluded", name, "", f"rotations go on without site {name}: {what}.{back}"
            )
        if site.error is not None:
            since = moment(site.away_since)
            yield Alarm(
                Level.WARNING, "site-away", name, "", f"site {name}: unknown since {since}: {site.error}"
            )
            continue
        for kind, mine in state.kinds.items():
            if not gate.in_sync(mine.desired, site.seen.get(kind)):
                yield Alarm(
                    Level.WARNING, "out-of-sync", name, kind, f"site {name}: {kind} is not as desired"
                )


def _credentials(state: State) -> Iterator[Alarm]:
    mine = state.kinds.get(Kind.CREDENTIAL)
    if (
        mine is not None
        and not mine.migrated
        and mine.settled_at is not None
        and len(mine.records) > len(mine.desired.keys)
    ):
        yield Alarm(
            Level.WARNING, "not-migrated", "", Kind.CREDENTIAL,
            "credentials are not known to be migrated: run `keystone-manage credential_migrate` at one site that"
            " writes, then `multisite keys migrated`",
        )  # fmt: skip
