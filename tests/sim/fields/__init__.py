"""An application compared field by field: what its restore point says against what a site shows.

The site's side is read with requests of its own, not with the product's readers, so that what these forget is found,
too.  Asked of the source it says whether everything was written down, asked of the target whether everything came
back.  A field the restore point has and this module does not read is a difference: whoever adds one is told.
"""

from __future__ import annotations

from collections.abc import Collection

from multisite.clouds.connect import CloudSite
from multisite.domain.manifest import Manifest
from tests.sim.deploy import ask
from tests.sim.fields import networks, routing, servers
from tests.sim.fields.listing import Listing
from tests.sim.fields.records import recorded as recorded
from tests.sim.outcome import Facts, compare


def differences(site: CloudSite, manifest: Manifest) -> list[str]:
    """Where the application in this site is not as the restore point says, each naming the field; empty: nowhere."""
    wanted = recorded(manifest)
    found = shown(site, wanted["servers"])
    if site.name != manifest.source.name:  # those that were mapped
        wanted["floating_ips"] = {
            k: v for k, v in wanted["floating_ips"].items() if k in found["floating_ips"]
        }
    return [f"{site.name}: {manifest.application}: {line}" for line in compare(wanted, found)]


def shown(site: CloudSite, names: Collection[str]) -> Facts:
    """The same of what the site shows of the servers of these names, and of what they use."""
    every = ask(site.compute, "GET", "/servers/detail", None, "2.96")["servers"]
    rows = [row for row in every if row["name"] in names]
    seen = Listing(site, [row["id"] for row in rows])
    keys = sorted({row["key_name"] for row in rows if row["key_name"]})
    return {
        "servers": {row["name"]: servers.server(seen, row) for row in rows},
        "virtual_ips": networks.virtual_ips(seen),
        "subports": networks.subports(seen),
        "trunks": routing.trunks(seen),
        "networks": {seen.names[row["id"]]: networks.network(seen, row) for row in seen.used_networks()},
        "security_groups": {row["name"]: networks.group(seen, row) for row in seen.used_groups()},
        "routers": routing.routers(seen),
        "floating_ips": routing.floating_ips(seen),
        "keypairs": {name: servers.keypair(site, name) for name in keys},
    }
