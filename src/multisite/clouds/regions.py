"""A site is one region: its clouds.yaml entry names exactly one, where there are several.

openstacksdk takes the first one otherwise, and does not say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from openstack.config import OpenStackConfig

from multisite.domain.errors import Invalid


def named(config: OpenStackConfig, cloud: str) -> str | None:
    """The region that an entry names, None when it names none.  Invalid for several, one of which is to be named."""
    listed = [str(region["name"]) for region in config._get_known_regions(cloud)]
    if len(listed) < 2:
        return None  # the SDK has no choice then
    entry = config.cloud_config["clouds"][cloud]
    chosen = entry.get("region_name", entry.get("region-name"))
    if "regions" in entry and isinstance(chosen, str):
        return chosen  # the SDK refuses one that is not listed
    raise Invalid(f"cloud: {_said(listed, cloud)}")


def of_catalog(endpoints: Mapping[str, Iterable[Mapping[str, Any]]], cloud: str) -> str | None:
    """What is wrong when an entry that names no region is answered by an identity of several.

    Several that have the same service: one region may well have the identity, and another one the rest.
    """
    for rows in endpoints.values():
        found = sorted({str(row.get("region_id") or row.get("region")) for row in rows})
        if len(found) > 1:
            return _said(found, cloud)
    return None


def _said(found: list[str], cloud: str) -> str:
    words = " or ".join(f"region_name: {region}" for region in found)
    return (
        f"entry {cloud!r} of clouds.yaml leaves open which of {len(found)} regions it is, and a site is one: write "
        f"`{words}` into it, and make an entry, and a site, for each that is wanted"
    )
