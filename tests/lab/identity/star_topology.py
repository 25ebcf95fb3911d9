"""The lab's identity as the product's topology has it, and the product's proof of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from real_identity import SITES, passwords

from multisite.identity.proof.verify import CANARY, SLACK
from multisite.identity.topology import file as topology_file
from multisite.identity.topology.model import (
    Arbitrator,
    Database,
    Form,
    IdentitySite,
    KeyHome,
    Role,
    Tokens,
    Topology,
)
from multisite_lab.model import ALL_SITES, Site
from multisite_lab.star import layout

OPENSTACK = Path(sys.executable).with_name("openstack")


def star(tokens: Tokens | None = None, homes: Mapping[str, KeyHome] | None = None) -> Topology:
    """``homes``: how each site's keys are reached, by its name; without, as folders of this machine."""
    return Topology(
        name="lab",
        form=Form.STAR,
        entry=layout.ENTRY_URL,
        sites=tuple(
            _site(site, (homes or {}).get(site.name) or key_home(site)) for site in ALL_SITES.values()
        ),
        tokens=tokens or Tokens(),
        arbitrator=Arbitrator(layout.ARBITRATOR_SITE.management, layout.ARBITRATOR_SITE.name),
        cache_time=layout.CACHE_TIME,
        token_cache_time=layout.TOKEN_CACHE_TIME,
    )


def key_home(site: Site, transport: str = "directory", **how: Any) -> KeyHome:
    """Where a site's Keystone keeps its keys; ``how``: further fields, for ssh."""
    folder = site.var / "keystone"
    return KeyHome(
        transport, str(folder / "fernet-tokens"), str(folder / "fernet-receipts"), str(folder / "credential"),
        str(folder / "jws-public"), str(folder / "jws-private"), owner="", group="", **how,
    )  # fmt: skip


def _site(site: Site, keys: KeyHome) -> IdentitySite:
    return IdentitySite(
        name=site.name,
        region=site.region,
        role=Role.MASTER if layout.is_master(site) else Role.REPLICA,
        address=site.management,
        databases=tuple(
            Database(site.management, node.port, node.follows.name if node.follows else None)
            for node in layout.nodes(site)
        ),
        keys=keys,
    )


def proven(topology: Topology, folder: Path) -> None:
    """`openstack multisite identity verify` finds all nine pairs good, and asks no other site."""
    file, report = folder / "verify.yaml", folder / "report.json"
    file.write_text(topology_file.dumped(topology))
    environment = {
        **os.environ, "OS_AUTH_URL": layout.ENTRY_URL, "OS_USERNAME": "admin", "OS_PASSWORD": passwords().admin,
        "OS_PROJECT_NAME": "admin", "OS_USER_DOMAIN_NAME": "Default", "OS_PROJECT_DOMAIN_NAME": "Default",
    }  # fmt: skip
    ran = subprocess.run(
        [OPENSTACK, "multisite", "identity", "verify", str(file), "--report", str(report)],
        env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    print(ran.stdout, ran.stderr)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(report.read_text())
    assert {(pair["issued"], pair["used"]) for pair in found["pairs"]} == {
        (a, b) for a in SITES for b in SITES
    }
    assert found["inter_site_validations"] == 0
    assert all(0 <= pair["refused_after"] <= topology.revocation_bound + SLACK for pair in found["pairs"])
    assert all(lag["seconds"] is not None for lag in found["lags"])
    assert passwords().admin not in ran.stdout + ran.stderr + report.read_text()
    assert CANARY not in ran.stdout
