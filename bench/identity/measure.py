"""The figures of ``multisite.identity.plan.constants`` that are measured, taken from real servers.

Every byte figure is the difference of interface counters around a number of equal operations, less what an idle
time of the same length costs, per operation; the median of several rounds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from bench.identity.client import Client, client
from bench.identity.servers import HEARTBEAT_SECONDS, Keystone, Node, initialize, password, start_garbd
from bench.identity.site_networks import Counted, SiteNetworks

SERVICES, PER_SERVICE = 6, 3
_USED = 20
"""Those that have logged in before writes are counted."""
SETTLE_SECONDS = 1.0
IDLE_SECONDS = 20.0
_REGIONS = (1, 3, 10)


@dataclass
class Findings:
    """``values``: constant's name to the rounds' values."""

    values: dict[str, list[float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, value: float) -> None:
        self.values.setdefault(name, []).append(value)

    @property
    def medians(self) -> dict[str, float]:
        return {name: statistics.median(values) for name, values in self.values.items()}


Sum = Callable[[Mapping[str, Counted]], float]


def total(counted: Mapping[str, Counted]) -> float:
    """Bytes that left any site: each frame once."""
    return sum(each.sent for each in counted.values())


def spent(networks: SiteNetworks, of: Sum, act: Callable[[], object]) -> tuple[float, float]:
    """Bytes and seconds that ``act`` and the quiet after it took."""
    before, begun = networks.count(), time.monotonic()
    act()
    time.sleep(SETTLE_SECONDS)
    after = networks.count()
    return of({site: after[site] - before[site] for site in after}), time.monotonic() - begun


def idle(networks: SiteNetworks, of: Sum, seconds: float = IDLE_SECONDS) -> float:
    """Bytes per second when nothing is asked."""
    taken, length = spent(networks, of, lambda: time.sleep(seconds))
    return taken / length


def furnish(keystone: Keystone, people: int) -> None:
    """So many users."""
    with client(keystone.networks, keystone.site, keystone.url, password()) as inside:
        inside("people", prefix="u", count=people)


def tokens(keystone: Keystone, name: str, findings: Findings) -> None:
    """Bytes of a token."""
    with client(keystone.networks, keystone.site, keystone.url, password()) as inside:
        findings.add(name, inside("body", catalog=False)["token_bytes"])


def bodies(keystone: Keystone, findings: Findings) -> None:
    """Answers and tokens, by the number of regions, read where they are made."""
    found: dict[int, float] = {}
    with client(keystone.networks, keystone.site, keystone.url, password()) as inside:
        bare = inside("body", catalog=False)
        urls = 0.0
        for regions in _REGIONS:
            inside("regions", wanted=regions, services=SERVICES)
            answer = inside("body")
            found[regions] = answer["body_bytes"]
            urls = float(answer["url_bytes"])
    few, _, many = _REGIONS
    per_region = (found[many] - found[few]) / (many - few)
    endpoints = SERVICES * PER_SERVICE
    findings.add("BODY", bare["body_bytes"])
    findings.add("BODY_ENDPOINT", per_region / endpoints - urls)
    findings.add("BODY_SERVICE", (found[few] - bare["body_bytes"] - few * per_region) / SERVICES)
    findings.notes.append(
        f"{keystone.provider}: bodies by regions {found}, {per_region:.0f} bytes per region, URLs of {urls:.0f}"
    )


def requests(networks: SiteNetworks, keystone: Keystone, away: str, findings: Findings, rounds: int) -> None:
    """What a site pays that asks a Keystone elsewhere."""

    def of(counted: Mapping[str, Counted]) -> float:
        return counted[away].both

    with client(networks, away, keystone.url, password()) as service:
        token, small, large = (
            service("body", catalog=False)["token_bytes"], service("body", catalog=False), service("body"),
        )  # fmt: skip
        service("prepare")
        for number in range(rounds):
            service("login", prefix="u", first=0, count=1)  # a connection that is warm
            short = spent(networks, of, lambda: service("validate", count=40, catalog=False))[0] / 40
            long = spent(networks, of, lambda: service("validate", count=40))[0] / 40
            per_byte = (long - short) / (large["body_bytes"] - small["body_bytes"])
            findings.add("WIRE_PER_BYTE", per_byte)
            findings.add("VALIDATION", short - per_byte * (2 * token + small["body_bytes"]))
            login = spent(networks, of, lambda: service("login", prefix="u", first=0, count=_USED))[0] / _USED
            findings.add("LOGIN", login - per_byte * (token + large["body_bytes"]))
            change = spent(networks, of, lambda: service("role", count=40))[0] / 40
            findings.add("WRITE_REQUEST", change - per_byte * token)
            findings.notes.append(
                f"round {number}: validation {short:.0f} / {long:.0f}, login {login:.0f}, change {change:.0f}"
            )


WRITES: tuple[tuple[str, str, int], ...] = (
    ("first login of the day", "login", 10),
    ("role change", "role", 30),
    ("revocation", "revoke", 10),
)


class Crowd:
    """Hands out users who have not logged in yet, of ``people``."""

    def __init__(self, people: int) -> None:
        self._next, self._people = _USED, people

    def fresh(self, count: int) -> int:
        first = self._next
        self._next += count
        if self._next > self._people:
            raise RuntimeError("all users have logged in today; make more of them")
        return first


def act(talk: Client, crowd: Crowd, verb: str, count: int, pause: float = 0.05) -> None:
    """``count`` writes of one kind; a revocation takes a token that was given before."""
    extra = {"prefix": "u", "first": crowd.fresh(count)} if verb == "login" else {}
    talk(verb, count=count, pause=pause, **extra)


def asynchronous(
    networks: SiteNetworks, master: Keystone, replica: str, crowd: Crowd, findings: Findings, rounds: int
) -> None:
    """What one replica costs: per write, and per heartbeat."""

    def of(counted: Mapping[str, Counted]) -> float:
        return counted[replica].both

    with client(networks, master.site, master.url, password()) as talk:
        talk("prepare")
        for _ in range(rounds):
            quiet = idle(networks, of)
            findings.add("ASYNC_HEARTBEAT", quiet * HEARTBEAT_SECONDS)
            for kind, verb, count in WRITES:
                # writes follow each other faster than heartbeats: none is sent in between
                taken, _ = spent(networks, of, partial(act, talk, crowd, verb, count))
                findings.add(f"ASYNC_WRITE {kind}", taken / count)


def synchronous(
    networks: SiteNetworks,
    node: Node,
    keystone: Keystone,
    others: Callable[[int], None],
    crowd: Crowd,
    rounds: int,
    sizes: tuple[int, ...],
) -> dict[int, dict[str, float]]:
    """Bytes of all members together, per write and per idle second, for clusters of several sizes (members)."""
    found: dict[int, dict[str, float]] = {}
    with client(networks, keystone.site, keystone.url, password()) as talk:
        talk("prepare")
        for members in sizes:
            others(members)
            several: dict[str, list[float]] = {}
            for _ in range(rounds):
                quiet = idle(networks, total)
                several.setdefault("idle", []).append(quiet)
                for kind, verb, count in WRITES:
                    sets = _replicated(node)
                    taken, length = spent(networks, total, partial(act, talk, crowd, verb, count, 0.2))
                    several.setdefault(kind, []).append((taken - quiet * length) / count)
                    several.setdefault(f"sets {kind}", []).append((_replicated(node) - sets) / count)
            found[members] = {name: statistics.median(values) for name, values in several.items()}
    return found


def _replicated(node: Node) -> float:
    return float(node.sql("SHOW STATUS LIKE 'wsrep_replicated'").split()[-1])


def fit(found: dict[int, dict[str, float]], findings: Findings) -> None:
    """Least squares over the sizes, of relative errors.

    idle(n) = n (n-1) (a + b (n-1));  write(n) = (n-1) (w + s k (n-1)) with s write sets.
    """
    a, b = _two([(n * (n - 1), n * (n - 1) ** 2, row["idle"]) for n, row in found.items()])
    findings.add("GALERA_IDLE", a)
    findings.add("GALERA_IDLE_REPLY", b)
    replies = []
    for kind, _, _ in WRITES:
        sets = float(round(statistics.median(row[f"sets {kind}"] for row in found.values())))
        findings.add(f"GALERA_SETS {kind}", sets)
        _, reply = _two([(n - 1, sets * (n - 1) ** 2, row[kind]) for n, row in found.items()])
        replies.append(reply)
    reply = max(0.0, statistics.median(replies))
    findings.add("GALERA_ACK", reply)
    for kind, _, _ in WRITES:
        sets = findings.medians[f"GALERA_SETS {kind}"]
        rest = [(row[kind] - sets * reply * (n - 1) ** 2) / (n - 1) for n, row in found.items()]
        findings.add(f"GALERA_WRITE {kind}", max(0.0, statistics.median(rest)))


def _two(rows: list[tuple[float, float, float]]) -> tuple[float, float]:
    """x and y that make px + qy come near z, in proportion to z."""
    scaled = [(p / z, q / z) for p, q, z in rows]
    pp, qq = sum(p * p for p, _ in scaled), sum(q * q for _, q in scaled)
    pq = sum(p * q for p, q in scaled)
    sp, sq = sum(p for p, _ in scaled), sum(q for _, q in scaled)
    determinant = pp * qq - pq * pq
    return (sp * qq - sq * pq) / determinant, (sq * pp - sp * pq) / determinant


def nodes(networks: SiteNetworks, *sites: str) -> list[Node]:
    """Servers with empty data folders, one per site."""
    made = [Node(networks, f"db-{site}", site, number) for number, site in enumerate(sites, start=1)]
    initialize(made)
    return made


def joiner(
    networks: SiteNetworks, second: Node, members: tuple[str, str], spare: tuple[str, ...]
) -> Callable[[int], None]:
    """Grow the cluster to a number of members: the second server, then arbitrators."""
    state = {"members": 1}

    def grow(wanted: int) -> None:
        while state["members"] < wanted:
            if state["members"] == 1:
                second.start_galera(False, members)
            else:
                site = spare[state["members"] - 2]
                start_garbd(networks, site, members, state["members"] + 1)
            state["members"] += 1
            _joined(second, state["members"])

    return grow


def _joined(node: Node, members: int) -> None:
    from bench.identity.site_networks import wait_for

    def there() -> bool:
        return node.sql("SHOW STATUS LIKE 'wsrep_cluster_size'").split()[-1:] == [str(members)]

    wait_for(f"a cluster of {members}", there)
    time.sleep(5)  # connections settle
