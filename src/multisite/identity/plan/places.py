"""Which site does what in a candidate: who writes, who copies, who asks."""

from __future__ import annotations

from dataclasses import dataclass

from multisite.identity.plan.candidates import Candidate, Shape
from multisite.identity.plan.inputs import Inputs, Site

ARBITRATOR = "(arbitrator)"
"""A vote outside all sites, needed where an even number of sites would leave neither half a majority."""


@dataclass(frozen=True)
class Places:
    """Names of sites.

    ``clusters``: synchronous clusters; the first one writes.  ``arbitrator``: where the first cluster's vote without
    data is ("" when it needs none).  ``replicas``: (site, masters its replicas follow).  ``central``: the site that
    answers everybody, if there is one.
    """

    clusters: tuple[tuple[str, ...], ...]
    arbitrator: str
    replicas: tuple[tuple[str, tuple[str, ...]], ...]
    central: str | None = None

    @property
    def writers(self) -> tuple[str, ...]:
        return self.clusters[0]

    @property
    def votes(self) -> tuple[str, ...]:
        """Everyone with a vote in the cluster that writes."""
        return (*self.writers, self.arbitrator) if self.arbitrator else self.writers


def by_load(inputs: Inputs) -> list[Site]:
    """Busiest first: what happens there crosses no site border."""
    return sorted(
        inputs.sites, key=lambda s: (-s.requests_per_second, -s.logins_per_second, -s.users, s.name)
    )


def places(candidate: Candidate, inputs: Inputs) -> Places:
    """Chosen by hand where ``masters`` or ``central`` say so, else the busiest sites."""
    names = [site.name for site in by_load(inputs)]
    if candidate.shape == Shape.CENTRALIZED:
        center = inputs.central or names[0]
        return Places(((center,),), "", (), center)
    if candidate.shape == Shape.FEDERATION:
        return Places(tuple((name,) for name in names), "", ())
    if candidate.shape == Shape.CLUSTER:
        return Places((tuple(names),), ARBITRATOR if len(names) % 2 == 0 else "", ())
    first = [*dict.fromkeys([*inputs.masters, *names])]
    if candidate.shape == Shape.STAR:
        return _star(first)
    size = inputs.sites_per_cluster
    clusters = tuple(tuple(first[n : n + size]) for n in range(0, len(first), size))
    copies = tuple((cluster[0], (clusters[0][0],)) for cluster in clusters[1:])
    return Places(clusters, ARBITRATOR if len(clusters[0]) % 2 == 0 else "", copies)


def _star(names: list[str]) -> Places:
    masters, others = tuple(names[:2]), names[2:]
    # the third failure domain: a replica's site if there is one
    arbitrator = "" if len(masters) < 2 else others[0] if others else ARBITRATOR
    return Places((masters,), arbitrator, tuple((name, masters) for name in others))
