"""Who begins the cluster, and what to do with a half of it: decided outside the sites, where all of them are seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from multisite_lab import lifecycle, links
from multisite_lab.model import LabError, Site
from multisite_lab.passwords import write_private
from multisite_lab.star import galera, layout, sql

Report = Callable[[str], None]


def before_start(starting: Sequence[Site], report: Report) -> None:
    """Name the first node of the cluster when no master runs; refuse where changes would be lost.

    A node that is alone cannot know whether another one went on without it: whoever sees both must say who is
    ahead.
    """
    alive = [site for site in layout.MASTERS if lifecycle.is_alive(site)]
    for site in layout.MASTERS:
        if site not in alive:
            galera.bootstrap_mark(layout.node_of_master(site)).unlink(missing_ok=True)
    if alive:
        _reunite(alive, report)
        return
    wanted = [site for site in layout.MASTERS if site in starting]
    if not wanted:
        return
    reached = {site: _reached(site) for site in layout.MASTERS}
    first = max(wanted, key=lambda site: reached[site])
    ahead = max(layout.MASTERS, key=lambda site: reached[site])
    if reached[ahead] > reached[first]:
        raise LabError(
            f"{ahead.name} has changes up to {reached[ahead]} that {first.name} ({reached[first]}) lacks: "
            f"start {ahead.name} first, or both with multisite-lab up"
        )
    write_private(galera.bootstrap_mark(layout.node_of_master(first)), f"{reached[first]}\n")
    report(f"{first.name} begins the cluster: its change {reached[first]} is the last there is")


def _reached(site: Site) -> int:
    """The number of a dead master's last change; -1 before it was made."""
    node = layout.node_of_master(site)
    return galera.seqno(galera.recovered(node)) if node.data.is_dir() else -1


def _reunite(alive: list[Site], report: Report) -> None:
    """Give the masters that run their majority back when everybody else is known to be dead."""
    nodes = [layout.node_of_master(site) for site in alive]
    status = {node: sql.status(node) for node in nodes}
    if not all(status.values()) or any(s["wsrep_cluster_status"] == "Primary" for s in status.values()):
        return  # still starting, or well
    if cut := [site.name for site in layout.MASTERS if links.state(site).is_cut]:
        raise LabError(
            f"no database is in a majority and {', '.join(cut)} cut off: multisite-lab link reconnect {cut[0]}"
        )
    reached = {node: int(status[node]["wsrep_last_committed"]) for node in nodes}
    best = max(nodes, key=lambda node: reached[node])
    for site in layout.MASTERS:
        if site not in alive and _reached(site) > reached[best]:
            raise LabError(
                f"{best.site.name} has lost its majority and {site.name}, which is down, has later changes: "
                f"multisite-lab kill {best.site.name}, then up"
            )
    report(f"{best.site.name} was left without a majority: made the cluster's primary component")
    sql.execute(best, "SET GLOBAL wsrep_provider_options='pc.bootstrap=YES'")
