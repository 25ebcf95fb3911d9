"""The odd application on real sites: protect, lose the site, recover, and compare every field of every thing.

What makes, saves and compares it is ``tests/odd``, which shares no code with the product; over simulated sites it is
run by ``tests/sim/test_odd_application.py``.  After ``test_site_loss.py``, because a site is lost here, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from multisite_lab import paths, sites, vnf
from multisite_lab.manager import CommandFailed, Manager, running
from tests.odd import remove
from tests.odd.application import deploy, outside_name, prepare_target
from tests.odd.compare import Difference, differences
from tests.odd.rest import NETWORK, Api
from tests.odd.saved import Saved, save
from tests.odd.told import silent

NAME = "odd"
PORT = 8799
TARGET = ("--target-site", "site2", "--create-missing-flavors")


@dataclass(frozen=True)
class Recovered:
    manager: Manager
    target: Api
    source: Saved
    said: list[str]
    recovery: str

    def differences(self) -> list[Difference]:
        return differences(self.source, save(self.target))


def account(site: str) -> Api:
    return Api(paths.state() / "clouds.yaml", site)


def clean(site: str) -> None:
    api = account(site)
    remove.loosen(api, NAME)
    vnf.destroy(site, NAME)
    remove.flavors(api, NAME)


@pytest.fixture(scope="module")
def recovered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recovered]:
    folder = tmp_path_factory.mktemp("odd")
    with running(folder / "manager", port=PORT) as manager:
        for site in ("site1", "site2"):
            manager.register(site)
            clean(site)
        here, there = account("site1"), account("site2")
        prepare_target(there, NAME)
        before = save(here)
        deploy(here, NAME)
        point = protect(manager)
        file = folder / "source.json"
        source = without(save(here), before)
        file.write_text(json.dumps(source))
        floating = [row["floating_ip_address"] for row in source["floating IP"].values()]
        wanted = [word for one in floating for word in ("--map", f"floating-ip:{one}={outside_name(NAME)}")]
        sites.kill("site1")
        try:
            said = preview(manager, point, wanted)
            made = manager.cli(
                "recovery", "start", point, *TARGET, *wanted, "--source-is-fenced", "--yes-recover", NAME,
                "--ready-console", "GUEST-READY",
            )  # fmt: skip
            assert made["state"] == "done", made
            yield Recovered(manager, there, json.loads(file.read_text()), said, made["id"])
            manager.cli("recovery", "undo", made["id"])
        finally:
            sites.start("site1")
            for site in ("site1", "site2"):
                clean(site)


def without(source: Saved, before: Saved) -> Saved:
    """The rows of the odd application, beside which another one may live; what both may use stays."""
    own = ("server", "port", "volume", "server group", "trunk", "router", "floating IP")
    return {
        kind: {id: row for id, row in rows.items() if kind not in own or id not in before[kind]}
        for kind, rows in source.items()
    }


def protect(manager: Manager) -> str:
    manager.cli("application", "create", NAME, "--site", "site1", "--metadata-tag", f"vnf={NAME}")
    made = manager.cli(
        "protection",
        "create",
        NAME,
        "--method",
        "consistent-backup",
        "--target-site",
        "site2",
        "--console-mark",
        vnf.FREEZE_MARK,
    )
    return str(manager.cli("protection", "run", made["id"], "--full")["id"])


def preview(manager: Manager, point: str, wanted: list[str]) -> list[str]:
    """Every sentence of it."""
    try:
        found = manager.cli("recovery", "preview", point, *TARGET, *wanted)
    except CommandFailed as refused:
        found = json.loads(refused.out)
    blocking = [
        p for p in found["problems"] if p["severity"] == "blocking" and not p["kind"].startswith("site ")
    ]
    assert blocking == []
    return sentences(found)


def sentences(found: Any) -> list[str]:
    problems = [f"{one['kind']}: {one['what']}" for one in found["problems"]]
    return problems + [
        f"{one['kind']} {one['name']}: {one['action']} {one['detail']}" for one in found["items"]
    ]


def test_no_difference_is_silent(recovered: Recovered) -> None:
    found = recovered.differences()
    print(*(f"   {one}" for one in found), sep="\n")
    assert [str(one) for one in silent(found, recovered.said)] == []


def test_a_field_that_is_changed_behind_the_product_is_found(recovered: Recovered) -> None:
    """The negative control."""
    before = recovered.differences()
    networks = [row for row in save(recovered.target)["network"].values() if row["description"]]
    path, words = f"/v2.0/networks/{networks[0]['id']}", networks[0]["description"]
    recovered.target(NETWORK, "PUT", path, {"network": {"description": "another"}})
    try:
        found = [one for one in recovered.differences() if one not in before]
    finally:
        recovered.target(NETWORK, "PUT", path, {"network": {"description": words}})
    assert [(one.kind, one.field, one.now) for one in found] == [("network", "description", "another")]
    assert silent(found, recovered.said) == found
