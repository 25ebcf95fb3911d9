"""What still works where, once sites no longer reach each other.

Facts from running systems (lab, Keystone 30, Galera 26.4): a node without quorum answers nothing, so that its Keystone
fails even to validate; a site of read-only copies validates and lets in who has logged in that day or uses an
application credential.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from multisite.identity.plan.candidates import Candidate, Format, Shape
from multisite.identity.plan.inputs import Inputs
from multisite.identity.plan.places import ARBITRATOR, Places, by_load

Part = frozenset[str]


class Works(IntEnum):
    """``PARTLY``: for a part of the users or of the time; the candidate's words say which."""

    NO = 0
    PARTLY = 1
    YES = 2


@dataclass(frozen=True)
class Abilities:
    """Of a site."""

    issue: Works
    validate: Works
    write: Works

    def __str__(self) -> str:
        """``IVW``: a letter per ability; in brackets when partly, a dash when not."""
        values = zip("IVW", (self.issue, self.validate, self.write), strict=True)
        return "".join(
            {Works.NO: "-", Works.PARTLY: f"({letter})", Works.YES: letter}[w] for letter, w in values
        )


ALL = Abilities(Works.YES, Works.YES, Works.YES)
NOTHING = Abilities(Works.NO, Works.NO, Works.NO)
COPY = Abilities(Works.PARTLY, Works.YES, Works.NO)
"""A site of copies that reaches nobody who writes."""
LISTED = Abilities(Works.NO, Works.PARTLY, Works.NO)
"""PKI without its Keystone: tokens are good until the list of those revoked is too old."""


@dataclass(frozen=True)
class Cut:
    """One site, or the link to it, is cut.  ``there``: in the site itself, if it lives; ``elsewhere``: the worst of the
    others (None when there are none)."""

    site: str
    there: Abilities
    elsewhere: Abilities | None


@dataclass(frozen=True)
class Split:
    """A majority of the sites no longer reaches the others; the worst of each part."""

    masters_in: str
    majority: Abilities
    minority: Abilities


def cuts(candidate: Candidate, inputs: Inputs, places: Places) -> tuple[Cut, ...]:
    """Each site alone against all others, by name."""
    everyone = frozenset(site.name for site in inputs.sites)
    found = []
    for name in sorted(everyone):
        rest = everyone - {name}
        works = abilities(candidate, places, (rest, frozenset({name})) if rest else (everyone,))
        elsewhere = worst(works[other] for other in rest) if rest else None
        found.append(Cut(name, works[name], elsewhere))
    return tuple(found)


def splits(candidate: Candidate, inputs: Inputs, places: Places) -> tuple[Split, ...]:
    """Majority against minority: once with the masters and the busiest in the majority, once in the minority."""
    names = [site.name for site in by_load(inputs)]
    first = [name for name in places.writers if name in names]
    names = [*first, *(name for name in names if name not in first)]
    size = len(names) // 2 + 1
    if size >= len(names):
        return ()
    found = []
    for where, order in (("majority", names), ("minority", names[::-1])):
        parts = frozenset(order[:size]), frozenset(order[size:])
        works = abilities(candidate, places, parts)
        found.append(Split(where, *(worst(works[name] for name in part) for part in parts)))
    return tuple(found)


def abilities(candidate: Candidate, places: Places, parts: tuple[Part, ...]) -> dict[str, Abilities]:
    """Of every site when the parts do not reach each other.  An arbitrator outside all sites is with the first."""
    found: dict[str, Abilities] = {}
    for part in parts:
        if candidate.shape == Shape.FEDERATION:
            found |= dict.fromkeys(part, ALL)
        elif candidate.shape == Shape.CENTRALIZED:
            cut_off = LISTED if candidate.format == Format.PKI else NOTHING
            found |= dict.fromkeys(part, ALL if places.central in part else cut_off)
        else:
            outside = places.arbitrator == ARBITRATOR and part == parts[0]
            reached = part | {ARBITRATOR} if outside else part
            found |= _distributed(places, part, reached)
    return found


def _distributed(places: Places, part: Part, reached: Part) -> dict[str, Abilities]:
    """Of the sites of a part, which reaches also the arbitrator when it is in ``reached``."""
    writing = _has_quorum(places.votes, reached)
    served = writing and not part.isdisjoint(places.writers)
    found = dict.fromkeys(part, ALL if served else COPY)
    found |= dict.fromkeys(part.intersection(places.writers), ALL if writing else NOTHING)
    if not served:
        for cluster in places.clusters[1:]:
            if not _has_quorum(cluster, part):
                found |= dict.fromkeys(part.intersection(cluster), NOTHING)
    return found


def _has_quorum(votes: tuple[str, ...], reached: Part) -> bool:
    return 2 * sum(1 for vote in votes if vote in reached) > len(votes)


def worst(several: Iterable[Abilities]) -> Abilities:
    """The least of each ability."""
    known = list(several)
    return Abilities(min(a.issue for a in known), min(a.validate for a in known), min(a.write for a in known))
