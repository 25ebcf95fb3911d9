"""The planner's predictions against bytes counted under a mixed workload, for three candidates.

The workloads are not those the constants were taken from: operations of all kinds in changing order and pace, with
pauses.  The planner is asked for sites with exactly the rates that were run.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.identity.client import Client, client
from bench.identity.measure import Crowd, Sum, act, total
from bench.identity.servers import Keystone, password
from bench.identity.site_networks import Counted, SiteNetworks
from multisite.identity.plan.candidates import Candidate, Format, Shape
from multisite.identity.plan.demand import DAY, HOUR
from multisite.identity.plan.flows import Cause, Flow, flows, question
from multisite.identity.plan.inputs import Inputs, checked
from multisite.identity.plan.places import places

TOLERANCE = 0.15


@dataclass(frozen=True)
class Checked:
    """Bytes predicted and counted."""

    name: str
    predicted: float
    counted: float

    @property
    def ratio(self) -> float:
        return self.predicted / self.counted

    @property
    def good(self) -> bool:
        return abs(self.ratio - 1) <= TOLERANCE


@dataclass
class Done:
    """Operations of a workload, and the seconds it took."""

    validations: int = 0
    logins: int = 0
    roles: int = 0
    revocations: int = 0
    seconds: float = 0.0


def _workload(talk: Client, crowd: Crowd, validations: bool, seed: int, rounds: int) -> Done:
    """Seeded, so that a run can be repeated."""
    dice = random.Random(seed)
    done = Done()
    for _ in range(rounds):
        verb = dice.choice(("login", "login", "role", "revoke", "validate", "pause"))
        count = dice.randint(1, 5)
        if verb == "login":
            act(talk, crowd, "login", count, 0.1)
            done.logins += count
        elif verb == "role":
            talk("role", count=count, pause=0.2)
            done.roles += count
        elif verb == "revoke" and done.logins > done.revocations + count:
            talk("revoke", count=count, pause=0.1)
            done.revocations += count
        elif verb == "validate" and validations:
            talk("validate", count=4 * count, pause=0.02)
            done.validations += 4 * count
        else:
            time.sleep(dice.random() * 4)
    return done


def _run(networks: SiteNetworks, of: Sum, act_out: Callable[[], Done]) -> tuple[float, Done]:
    before, begun = networks.count(), time.monotonic()
    done = act_out()
    time.sleep(1)
    after = networks.count()
    done.seconds = time.monotonic() - begun
    return of({site: after[site] - before[site] for site in after}), done


def _asked(names: tuple[str, ...], busy: str, done: Done) -> Inputs:
    """Sites of which one does all that was done, at the mean rates; every login there was a user's first of the day."""
    logins = done.logins / done.seconds
    load = {
        "users": round(logins * DAY) + 1, "logins_per_second": logins,
        "requests_per_second": done.validations / done.seconds,
    }  # fmt: skip
    return checked({
        "version": 1,
        "sites": [{"name": name} | (load if name == busy else {}) for name in names],
        "role_changes_per_hour": done.roles / done.seconds * HOUR,
        "revocations_per_hour": done.revocations / done.seconds * HOUR,
        "token_cache_time": 0,
    })  # fmt: skip


def _predicted(inputs: Inputs, candidate: Candidate, wanted: Callable[[Flow], bool], seconds: float) -> float:
    made = flows(question(inputs, candidate, places(candidate, inputs)))
    return sum(flow.rate for flow in made if wanted(flow)) * seconds


def centralized(networks: SiteNetworks, keystone: Keystone, away: str, crowd: Crowd, regions: int) -> Checked:
    """Services and users of one site whose Keystone is in another."""

    def of(counted: Mapping[str, Counted]) -> float:
        return counted[away].both

    with client(networks, away, keystone.url, password()) as talk:
        talk("prepare")
        counted, done = _run(networks, of, lambda: _workload(talk, crowd, True, 1, 40))
    names = ("central", "away", *(f"other{number}" for number in range(regions - 2)))
    asked = _asked(names, "away", done).model_copy(update={"central": "central"})
    candidate = Candidate(Shape.CENTRALIZED, Format.FERNET)
    made = _predicted(asked, candidate, lambda flow: flow.source == "away", done.seconds)
    return Checked(f"centralized-fernet, link of a site, {done}", made, counted)


def star(networks: SiteNetworks, keystone: Keystone, replica: str, crowd: Crowd) -> Checked:
    """A master's link to one of its replicas."""

    def of(counted: Mapping[str, Counted]) -> float:
        return counted[replica].both

    with client(networks, keystone.site, keystone.url, password()) as talk:
        talk("prepare")
        counted, done = _run(networks, of, lambda: _workload(talk, crowd, True, 2, 40))
    # the arbitrator is a vote in a site of its own, and its bytes are not on this link
    asked = _asked(("arbiter", "copies", "one", "two"), "one", done).model_copy(
        update={"masters": ("one", "two")}
    )
    causes = (Cause.REPLICATION, Cause.IDLE)

    def wanted(flow: Flow) -> bool:
        return (flow.source, flow.target) == ("one", "copies") and flow.cause in causes

    made = _predicted(asked, Candidate(Shape.STAR, Format.FERNET), wanted, done.seconds)
    return Checked(f"star-fernet, master to one replica, {done}", made, counted)


def cluster(networks: SiteNetworks, keystone: Keystone, members: int, crowd: Crowd) -> Checked:
    """A synchronous cluster, all conversations of its members."""
    with client(networks, keystone.site, keystone.url, password()) as talk:
        talk("prepare")
        counted, done = _run(networks, total, lambda: _workload(talk, crowd, True, 3, 40))
    names = tuple(f"site{number}" for number in range(members))
    asked = _asked(names, "site0", done)
    candidate = Candidate(Shape.CLUSTER, Format.FERNET)
    causes = (Cause.REPLICATION, Cause.IDLE)
    made = _predicted(asked, candidate, lambda flow: flow.cause in causes, done.seconds)
    return Checked(f"cluster-fernet, {members} members, {done}", made, counted)
