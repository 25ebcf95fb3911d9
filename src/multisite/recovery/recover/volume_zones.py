"""The zone that a volume is restored in: Cinder's zones are not Nova's, though they often have their names."""

from __future__ import annotations

from multisite.domain.manifest import VolumeRecord
from multisite.recovery.recover.draft import ByName, Draft


def volume_zone(draft: Draft, record: VolumeRecord) -> str | None:
    """The zone it is mapped to; or, where its server asked for the zone that it is in, the one its server will be in.

    None: the target's default, as for volumes nobody chose a zone for.  Nova may refuse a server and volumes that are
    in different zones (``cross_az_attach``).
    """
    zone = record.availability_zone
    if zone is None:
        return None
    if (wanted := draft.rules.volume_zones.get(zone)) is not None:
        known = draft.needs("volume_zones", "zones of volumes")
        zones = [ByName(name) for name in draft.facts.volume_zones]
        there = (
            draft.find(zones, wanted, f"volume {record.name or record.id}", "volume_zones") if known else None
        )
        return there.name if there else None
    server = next((s for s in draft.manifest.servers if record.id in s.volume_ids), None)
    asked = server.availability_zone if server else None
    if asked is None or not draft.facts.knows("volume_zones"):
        return None
    beside = draft.rules.availability_zones.get(asked, asked)
    if beside not in draft.facts.availability_zones:
        return None  # Nova will choose the server's
    if beside not in draft.facts.volume_zones:
        draft.note(
            f"availability zone {beside}",
            f"Cinder at {draft.facts.site} has no zone of this name: volumes of the servers in it will be in another, "
            "which Nova refuses where cross_az_attach is off (on by default)",
            "where it is off, map the servers to a zone that both have: "
            + draft.option("availability_zones", asked, asked),
        )
        return None
    if zone == asked:
        return beside
    others = [name for name in draft.facts.volume_zones if name != beside]
    if others:
        draft.note(
            f"volume {record.name or record.id}",
            f"it will be in the default zone of Cinder at {draft.facts.site}, its server in {beside}: "
            "Nova refuses that where cross_az_attach is off",
            f"map it if that matters: {draft.option('volume_zones', zone, zone, beside)}",
        )
    return None
