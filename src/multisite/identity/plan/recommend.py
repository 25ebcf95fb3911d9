"""Rules that reach the documents' conclusions, each reason with the number that decided it."""

from __future__ import annotations

from dataclasses import dataclass

from multisite.identity.plan import constants as c
from multisite.identity.plan.assess import Assessment, assess
from multisite.identity.plan.candidates import Candidate, Format, Shape
from multisite.identity.plan.inputs import Inputs, Links
from multisite.identity.plan.places import ARBITRATOR, Places, places
from multisite.identity.plan.traffic import link, links


@dataclass(frozen=True)
class Reason:
    """``number`` decided, in ``unit``; ``limit`` is what it was held against, if anything."""

    text: str
    number: float
    unit: str
    limit: float | None = None


@dataclass(frozen=True)
class Recommended:
    """For the sites of one owner.  ``chosen``: None for a single site, which needs no topology."""

    owner: str
    sites: tuple[str, ...]
    chosen: Assessment
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Recommendation:
    """``mappings``: of the federation between owners (owners x (owners-1)); 0 with one owner."""

    per_owner: tuple[Recommended, ...]
    mappings: int
    reasons: tuple[Reason, ...]

    @property
    def name(self) -> str:
        """In one line."""
        names = sorted({one.chosen.candidate.name for one in self.per_owner})
        if not self.mappings:
            return names[0]
        return f"federation between {len(self.per_owner)} owners; inside: {', '.join(names)}"


def recommend(inputs: Inputs) -> Recommendation:
    owners = sorted({site.owner for site in inputs.sites})
    per_owner = tuple(_for_owner(of_owner(inputs, owner), owner) for owner in owners)
    if len(owners) == 1:
        return Recommendation(per_owner, 0, per_owner[0].reasons)
    mappings = len(owners) * (len(owners) - 1)
    sites = len(inputs.sites)
    reason = Reason(
        f"{len(owners)} owners: one database and one set of keys would let each administer the others' users, so every"
        f" owner keeps a Keystone and federates: {mappings} mappings between owners instead of {sites * (sites - 1)}"
        f" between {sites} sites",
        len(owners), "owners", 1,
    )  # fmt: skip
    return Recommendation(per_owner, mappings, (reason,))


def of_owner(inputs: Inputs, owner: str) -> Inputs:
    """The question for the sites of one owner; changes are shared out by users."""
    mine = tuple(site for site in inputs.sites if site.owner == owner)
    if len(mine) == len(inputs.sites):
        return inputs
    names = {site.name for site in mine}
    users = sum(site.users for site in inputs.sites)
    share = sum(site.users for site in mine) / users if users else len(mine) / len(inputs.sites)
    between = tuple(link for link in inputs.links.between if names.issuperset(link.sites))
    return inputs.model_copy(
        update={
            "sites": mine,
            "links": Links(default=inputs.links.default, between=between),
            "role_changes_per_hour": inputs.role_changes_per_hour * share,
            "revocations_per_hour": inputs.revocations_per_hour * share,
        }
    )


def _for_owner(inputs: Inputs, owner: str) -> Recommended:
    shape, reasons = _shape(inputs)
    format_ = Format.FERNET
    if shape != Shape.CENTRALIZED and not inputs.secrets_may_travel:
        format_ = Format.JWS
    chosen = assess(Candidate(shape, format_), inputs)
    reasons = (*reasons, *_format_reasons(inputs, chosen), *_traffic_reasons(inputs, chosen))
    return Recommended(owner, tuple(sorted(site.name for site in inputs.sites)), chosen, reasons)


def _shape(inputs: Inputs) -> tuple[Shape, tuple[Reason, ...]]:
    sites = len(inputs.sites)
    if sites == 1:
        return Shape.CENTRALIZED, (Reason("1 site: its Keystone is all there is to run", 1, "sites"),)
    limit = c.CLUSTER_SITES.value
    if sites > limit:
        stall = c.STALL_SECONDS.value
        text = (
            f"{sites} sites: a synchronous cluster is known to work over {limit:.0f} ({c.CLUSTER_SITES.source});"
            f" over {sites}, {sites * (sites - 1) // 2} connections and the loss of any of {sites} sites stalls every"
            f" site's writes {stall} s; a star keeps the cluster to 2 sites and copies to {sites - 2}"
        )
        return Shape.STAR, (Reason(text, sites, "sites", limit), _farthest(inputs, Shape.STAR))
    farthest = _farthest(inputs, Shape.CLUSTER)
    if farthest.number > c.CLUSTER_ROUND_TRIP_MS.value:
        text = (
            f"{sites} sites would be few enough for a synchronous cluster, but each write would wait"
            f" {farthest.number:.0f} ms for the farthest of them, more than {c.CLUSTER_ROUND_TRIP_MS.value:.0f} ms"
            f" ({c.CLUSTER_ROUND_TRIP_MS.source})"
        )
        shape = Shape.STAR if sites > 2 else Shape.MULTI_CLUSTER
        return shape, (Reason(text, farthest.number, "ms", c.CLUSTER_ROUND_TRIP_MS.value),)
    votes = places(Candidate(Shape.CLUSTER, Format.FERNET), inputs)
    text = (
        f"{sites} sites: few enough for one synchronous cluster, known to work over {limit:.0f}"
        f" ({c.CLUSTER_SITES.source}); every site writes, nothing is ever stale and nothing has to be re-pointed"
    )
    price = Reason(
        f"its price: each of the {sites} sites, once cut off from the quorum, answers nothing, not even validations"
        f" (a star's copies would), and every site's writes wait {c.STALL_SECONDS.value} s when one is lost",
        sites, "sites",
    )  # fmt: skip
    return Shape.CLUSTER, (Reason(text, sites, "sites", limit), farthest, _quorum(votes), price)


def _farthest(inputs: Inputs, shape: Shape) -> Reason:
    """Between two members of the cluster."""
    found = places(Candidate(shape, Format.FERNET), inputs)
    known = links(inputs)
    members = [vote for vote in found.votes if vote != ARBITRATOR]
    trips = [
        there.round_trip_ms
        for one in members
        for other in members
        if one != other and (there := link(inputs, known, one, other)) is not None
    ]
    number = max(trips, default=0.0)
    text = f"a write waits for the farthest of the cluster's {len(members)} sites: {number:g} ms"
    return Reason(text, number, "ms", c.CLUSTER_ROUND_TRIP_MS.value)


def _quorum(found: Places) -> Reason:
    votes = len(found.votes)
    needed = votes // 2 + 1
    outside = (
        "; the arbitrator has to live outside all sites, or the loss of half of them stops the other half"
        if found.arbitrator == ARBITRATOR
        else ""
    )
    text = f"{needed} of {votes} votes are a quorum: {votes - needed} may be lost{outside}"
    return Reason(text, needed, "votes", votes)


def _format_reasons(inputs: Inputs, chosen: Assessment) -> tuple[Reason, ...]:
    if len(inputs.sites) == 1:
        return ()
    load = chosen.burden
    if chosen.candidate.format == Format.JWS:
        text = (
            f"secret keys may not travel: JWS moves {load.public_keys_per_day:.0f} public keys a day and no token key;"
            f" its tokens are {chosen.token_bytes:.0f} bytes instead of {c.TOKEN_FERNET.value:.0f}; receipt keys"
            " (multi-factor logins) and credential keys stay symmetric: without either feature they need not travel"
        )
        return (Reason(text, load.public_keys_per_day, "public keys a day"),)
    text = (
        f"Fernet: {load.secrets_per_day:.0f} secret keys a day have to reach the sites before each rotation, and"
        f" {load.max_active_keys} are to be kept; tokens are {chosen.token_bytes:.0f} bytes whatever the catalog holds"
    )
    return (Reason(text, load.secrets_per_day, "keys a day"),)


def _traffic_reasons(inputs: Inputs, chosen: Assessment) -> tuple[Reason, ...]:
    if len(inputs.sites) == 1:
        return ()
    central = assess(Candidate(Shape.CENTRALIZED, Format.FERNET), inputs).traffic.per_second
    mine = chosen.traffic.per_second
    compared = f"{mine:,.0f} bytes/s between sites, {central:,.0f} if one site validated for all"
    reasons = [Reason(f"{compared}; and no site needs another one to validate", mine, "bytes/s", central)]
    busiest = chosen.traffic.busiest
    if busiest and busiest.used > c.LINK_SHARE.value:
        text = (
            f"the link {' - '.join(busiest.sites)} would carry {busiest.mbit_per_second:.1f} Mbit/s,"
            f" {busiest.used:.0%} of it: let services log in with application credentials at their own site"
            " (application_credential_logins), and clients ask for tokens without a catalog"
        )
        reasons.append(Reason(text, busiest.used, "of the link", c.LINK_SHARE.value))
    return tuple(reasons)
