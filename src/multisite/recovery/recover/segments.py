"""Networks that are no overlays: VLAN and flat ones are made by the target's operator, and mapped."""

from __future__ import annotations

from multisite.domain.manifest import NetworkRecord
from multisite.recovery.recover.draft import Draft


def refuse_segment(draft: Draft, record: NetworkRecord) -> None:
    """Only administrators choose physical networks, so a recovery makes an overlay of one that is not mapped."""
    if record.provider:
        draft.loss(
            "physical-network",
            record.id,
            record.name,
            f"it is {_words(record)}, and would be made as the target's default type",
            f"make it at {draft.facts.site} before, and map it: {draft.option('networks', record.id, record.name)}",
        )


def _words(record: NetworkRecord) -> str:
    """ "a vlan network (100) in the physical network physnet1"."""
    kind, physical, number = (
        record.provider.get(f"provider:{name}")
        for name in ("network_type", "physical_network", "segmentation_id")
    )
    behind = f" ({number})" if number is not None else ""
    return f"a {kind} network{behind}" + (f" in the physical network {physical}" if physical else "")
