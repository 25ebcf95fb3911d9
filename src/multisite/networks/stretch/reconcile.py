"""Keeps the remote ports of stretched networks equal to the real ports: one pass over all of them.

A pass reads every site once (a handful of list calls, whatever the number of ports), decides (``decide``), asks
for each port it means to forget by its id, writes what differs, and keeps what it read.  Of several processes the one
that has the lease on a network does it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from multisite.clouds import remote_ports
from multisite.clouds.administrator import STRETCH_NETWORKS, administrator
from multisite.clouds.connect import Sites
from multisite.clouds.errors import SiteError
from multisite.domain import fence
from multisite.domain.errors import MultisiteError, Unavailable
from multisite.domain.stretched import (
    Drift,
    DriftRow,
    PortState,
    SitePorts,
    SiteView,
    StretchedNetwork,
    StretchKind,
    StretchState,
)
from multisite.networks.stretch.apply import Outcome, apply, tally
from multisite.networks.stretch.decide import Change, Decision, Key, Known, decide
from multisite.networks.stretch.reader import PortsReader, SiteAnswer
from multisite.periodic.lease import HeldLeases, LeaseLost
from multisite.store.database import Database
from multisite.store.stretched import Kept, SitePortsStore, StretchedRepository

LOG = logging.getLogger(__name__)

REFUSED_AGAIN = 30.0
"""Seconds before a change a site has refused is tried again."""
KEEP_EVERY = timedelta(seconds=15)
"""How often ports are written in which nothing is new."""
TURN_SECONDS = 60.0


@dataclass
class _Memory:
    """Of one network, from pass to pass; lost when the process ends, which only costs one more read."""

    doubted: frozenset[Key] = frozenset()
    refused: dict[Key, tuple[Mapping[str, object], str, float]] = field(default_factory=dict)
    kept: dict[str, Kept] | None = None
    written: dict[str, Kept] = field(default_factory=dict)


class Reconciler:
    """``parallel``: requests at once in each site; ``patience``: seconds a site may take for a read."""

    def __init__(
        self,
        database: Database,
        clouds: Sites,
        *,
        parallel: int = 8,
        patience: float = 15.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._networks, self._ports = StretchedRepository(database), SitePortsStore(database)
        self._clouds, self._parallel, self._now = clouds, parallel, now
        self._reader, self._held = PortsReader(clouds, patience), HeldLeases(database, "network")
        self._memory: dict[str, _Memory] = {}
        self._turn = threading.Lock()

    def run(self, only: Collection[str] | None = None, *, change: bool = True) -> dict[str, Drift]:
        """One pass; drift by network id, of those this process has the lease on (all, without ``change``).

        Raises what the database raises; never for what a site does.
        """
        if not self._turn.acquire(timeout=TURN_SECONDS):
            raise Unavailable(f"networks: a pass takes longer than {TURN_SECONDS:.0f} s; try again")
        before = self._held.things
        try:
            return self._pass(only, change=change)
        finally:
            if only is not None:  # asked for once: whoever does it all the time goes on
                self._held.keep_only(before)
            self._turn.release()

    def release(self) -> None:
        """Let others go on: this process ends."""
        with self._turn:
            self._held.keep_only(())

    def _pass(self, only: Collection[str] | None, *, change: bool) -> dict[str, Drift]:
        active = [n for n in self._networks.list(state=StretchState.ACTIVE) if n.kind is StretchKind.VXLAN]
        self._held.keep_only([n.id for n in active])
        for gone in set(self._memory) - {n.id for n in active}:
            del self._memory[gone]
        wanted = [n for n in active if only is None or n.id in only]
        mine = [n for n in wanted if not change or self._held.take(n.id) is not None]
        if not mine:
            return {}
        seen = self._reader.read(mine)
        return {network.id: self._one(network, seen, change=change) for network in mine}

    def _one(self, network: StretchedNetwork, seen: Mapping[str, SiteAnswer], *, change: bool) -> Drift:
        memory = self._memory.setdefault(network.id, _Memory())
        if memory.kept is None:
            memory.kept = self._ports.read(network.id)
        ports = {s: seen[s].ports[network.id] for s in network.sites if network.id in seen[s].ports}
        known = Known(
            network,
            self._now(),
            ports,
            {s: k.ports for s, k in memory.kept.items() if k.ports is not None},
            memory.doubted,
            refused={key: said for key, (_, said, _) in memory.refused.items()},
        )
        decision = decide(known)
        outcomes: list[Outcome] = []
        if change:
            known, decision, outcomes = self._change(known, decision, memory)
        self._keep(network, memory, known.seen, seen)
        rows = _after(decision, outcomes)
        counts = Counter(str(row.state) for row in rows)
        views = tuple(_view(site, memory.kept.get(site)) for site in network.sites)
        return Drift(network, views, rows, dict(counts), tuple(str(o) for o in outcomes))

    def _change(
        self, known: Known, decision: Decision, memory: _Memory
    ) -> tuple[Known, Decision, list[Outcome]]:
        lease = self._held.take(known.network.id)
        if lease is None:
            return known, decision, []
        outcomes: list[Outcome] = []
        try:
            with fence.around(lease):
                if decision.confirm:
                    known = self._confirmed(known, decision)
                    decision = decide(known)
                changes = [c for c in decision.changes if not _pointless(c, memory)]
                outcomes = apply(self._clouds, known.network, changes, self._parallel)
        except LeaseLost as error:
            LOG.warning("%s", error)
        memory.doubted = decision.doubted
        _note_refusals(outcomes, memory)
        if outcomes:
            LOG.info("network %s: %s", known.network.name, tally(outcomes))
        for outcome in (o for o in outcomes if o.error):
            LOG.warning("network %s: %s", known.network.name, outcome)
        return known, decision, outcomes

    def _confirmed(self, known: Known, decision: Decision) -> Known:
        """Ask for each doubted port by its id: gone, or the list had not shown it."""
        gone: set[tuple[str, str]] = set()
        looks = dict(known.seen)
        for site, real_id in sorted(decision.confirm):
            groups = {id: name for name, id in looks[site].group_names.items()}
            try:
                cloud = self._clouds.open(site, for_project=known.network.project_id)
                cloud = administrator(cloud, STRETCH_NETWORKS)
                port = remote_ports.exists(cloud, real_id, known.network.id, groups)
            except (SiteError, MultisiteError) as error:
                LOG.warning("network %s: port %s is kept: %s", known.network.name, real_id, error)
                continue
            if port is None:
                gone.add((site, real_id))
            else:
                looks[site] = replace(looks[site], ports=(*looks[site].ports, port))
        return replace(known, seen=looks, gone=frozenset(gone))

    def _keep(
        self,
        network: StretchedNetwork,
        memory: _Memory,
        ports: Mapping[str, SitePorts],
        seen: Mapping[str, SiteAnswer],
    ) -> None:
        """Remember; write what is new, and every now and then that it is still so."""
        assert memory.kept is not None
        fresh: dict[str, Kept] = {}
        for site in network.sites:
            before = memory.kept.get(site)
            error = seen[site].errors.get(network.id)
            read = ports.get(site)
            memory.kept[site] = Kept(read or (before.ports if before else None), self._now(), error)
            if _worth_writing(memory.written.get(site), memory.kept[site]):
                fresh[site] = Kept(read, self._now(), error)
        if fresh:
            self._ports.save(network.id, fresh)
            memory.written |= {site: memory.kept[site] for site in fresh}


def _worth_writing(before: Kept | None, new: Kept) -> bool:
    if before is None or (before.ports is None) != (new.ports is None) or before.error != new.error:
        return True
    if before.ports is not None and new.ports is not None and before.ports.ports != new.ports.ports:
        return True
    return new.tried_at - before.tried_at >= KEEP_EVERY


def _pointless(change: Change, memory: _Memory) -> bool:
    """Whether the site refused exactly this a moment ago."""
    known = memory.refused.get(change.key)
    return known is not None and known[0] == change.fields and time.monotonic() < known[2]


def _note_refusals(outcomes: list[Outcome], memory: _Memory) -> None:
    for outcome in outcomes:
        if outcome.refused:
            until = time.monotonic() + REFUSED_AGAIN
            memory.refused[outcome.change.key] = (outcome.change.fields, outcome.error or "", until)
        else:
            memory.refused.pop(outcome.change.key, None)


def _after(decision: Decision, outcomes: list[Outcome]) -> tuple[DriftRow, ...]:
    """The drift once the changes were made."""
    done = {o.change.key: o for o in outcomes}
    rows = []
    for row in decision.rows:
        outcome = done.get((row.site, row.of_site, row.real_id))
        if outcome is None:
            rows.append(row)
        elif outcome.error is not None:
            state = PortState.CONFLICT if outcome.refused else row.state
            rows.append(replace(row, state=state, detail=outcome.error))
        elif outcome.change.act != "delete" or outcome.change.then_create is not None:
            rows.append(replace(row, state=PortState.IN_SYNC, detail=f"repaired: {outcome.change.why}"))
    return tuple(rows)


def _view(site: str, kept: Kept | None) -> SiteView:
    if kept is None:
        return SiteView(site, None, None, "never read", 0, 0)
    ports = kept.ports
    seen_at = ports.seen_at if ports else None
    counts = (len(ports.real), len(ports.remote)) if ports else (0, 0)
    return SiteView(site, seen_at, kept.tried_at, kept.error, *counts)
