"""Availability zones: the one a server was asked into, which alone keeps it there.

Source: Compute API reference, ``pinned_availability_zone``; Nova's guide on availability zones.
"""

from __future__ import annotations

from typing import Any

from multisite.clouds.connect import CloudSite
from multisite.clouds.ledger.notes import Notes
from multisite.clouds.microversions import supports

Row = dict[str, Any]
SERVERS, PINNED = "2.90", "2.96"
"""Nova of Yoga: tags, description, the flavor as it was when the server was made, host name for everybody; of Caracal:
the zone that was asked for.  Before, it shows the zone of the host alone.
"""
_ASKED, _SHOWN = "pinned_availability_zone", "OS-EXT-AZ:availability_zone"
_DEFAULT = "nova"
"""Of hosts that are in no zone (Nova's ``default_availability_zone``); its guide says never to ask for it."""


def version(site: CloudSite) -> str:
    """The microversion to read servers with.  Raises what ``call`` raises."""
    return PINNED if supports(site, PINNED) else SERVERS


def asked_for(server: Row) -> str | None:
    """The zone that was asked for, as far as Nova tells; None: the scheduler chose, and may choose again."""
    if _ASKED in server:
        return server[_ASKED] or None
    return None if server[_SHOWN] in ("", _DEFAULT) else server[_SHOWN]


def tell(servers: list[Row], notes: Notes) -> None:
    """Where Nova does not say whether a zone was asked for, this is a guess."""
    for zone in sorted({row[_SHOWN] for row in servers if _ASKED not in row} - {""}):
        what = "is not asked for" if zone == _DEFAULT else "is asked for"
        notes.add(
            f"availability zone {zone}: Nova before {PINNED} does not tell whether servers were asked into it: "
            f"it {what} at the target"
        )
