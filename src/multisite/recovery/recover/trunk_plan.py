"""Trunks of a recovery: made anew of the ports that it makes, before the servers that are their parents' boot."""

from __future__ import annotations

from collections.abc import Iterable

from multisite.domain.manifest import PortRecord
from multisite.domain.trunks import TrunkRecord
from multisite.recovery.recover.draft import Draft
from multisite.recovery.recover.model import PlannedNetwork, PlannedTrunk

EXTENSION = "trunk"


def plan_trunks(draft: Draft, networks: Iterable[PlannedNetwork]) -> tuple[PlannedTrunk, ...]:
    """Every trunk with its subports; at a target whose Neutron has no trunks it is a loss."""
    records = draft.manifest.trunks
    if not records or not draft.needs("network_extensions", "network extensions"):
        return ()
    mtus = {n.record.id: _mtu(draft, n) for n in networks}
    found = (_trunk(draft, number, record, mtus) for number, record in enumerate(records, 1))
    return tuple(trunk for trunk in found if trunk is not None)


def _trunk(
    draft: Draft, number: int, record: TrunkRecord, mtus: dict[str, int | None]
) -> PlannedTrunk | None:
    shown, site = record.name or record.id, draft.facts.site
    if EXTENSION not in draft.facts.network_extensions:
        draft.loss(
            "trunk",
            record.id,
            record.name,
            f"cannot be made: Neutron at {site} lacks the extension {EXTENSION}, and its server would reach none of "
            f"its {len(record.subports)} subports",
            f"load the service plugin {EXTENSION} there, then preview again",
        )
        return None
    ports = {port.id: port for port in draft.manifest.ports}
    parent = ports.get(record.port_id)
    for subport in record.subports:
        _check_mtu(draft, f"trunk {shown}", parent, ports.get(subport.port_id), mtus)
    inside = ", ".join(
        f"{one.segmentation_type} {one.segmentation_id}: port {_named(ports.get(one.port_id), one.port_id)}"
        for one in record.subports
    )
    draft.create("trunk", shown, f"of port {_named(parent, record.port_id)}; {inside or 'no subports'}")
    return PlannedTrunk(f"trunk-{number}", None, record, record.name)


def _named(port: PortRecord | None, id: str) -> str:
    return (port.name or port.mac_address) if port else id


def _mtu(draft: Draft, network: PlannedNetwork) -> int | None:
    """Of the network at the target; None when it is not known, or the target's default."""
    if network.use is None:
        return network.record.mtu
    return next((there.mtu for there in draft.facts.networks if there.id == network.use), None)


def _check_mtu(
    draft: Draft,
    subject: str,
    parent: PortRecord | None,
    port: PortRecord | None,
    mtus: dict[str, int | None],
) -> None:
    """Neutron takes no subport with a larger one than its parent's (SubPortMtuGreaterThanTrunkPortMtu)."""
    if parent is None or port is None:  # told as a reference that leads nowhere
        return
    own, most = mtus.get(port.network_id), mtus.get(parent.network_id)
    if own is not None and most is not None and own > most:
        draft.problem(
            subject,
            f"the network of subport {_named(port, port.id)} has MTU {own} at {draft.facts.site}, more than the {most} "
            "of its parent's: Neutron refuses that",
            f"map it to a network of MTU {most} or less, or raise the MTU of the parent's network",
        )
