"""A sync against a model: changes at random on both sides, and deaths between any two requests; the source wins."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from multisite.clouds.session import FencedAdapter
from multisite.domain.resource_sync import OnConflict
from multisite.resources.sync.run import SyncRunner
from multisite_lab.sim.model import Row
from tests.sim.deploy import ask
from tests.sim.syncs import ADMIN, TARGETS, Syncs

KINDS = ("security-group", "server-group", "flavor", "volume-type")


class Dead(BaseException):
    """As a kill -9."""


def furnish(syncs: Syncs, count: int) -> None:
    cloud = syncs.here.cloud()
    groups = [syncs.group("site1", f"g{n}") for n in range(count)]
    for n, group in enumerate(groups):
        syncs.rule("site1", group, protocol="tcp", remote_group_id=groups[(n + 1) % count])
        body = {"server_group": {"name": f"sg{n}", "policy": "anti-affinity"}}
        assert cloud.compute.post("/os-server-groups", json=body, microversion="2.64").ok
        flavor = {"name": f"f{n}", "vcpus": n + 1, "ram": 256, "disk": 1}
        ask(cloud.compute, "POST", "/flavors", {"flavor": flavor})
        ask(cloud.volume, "POST", "/types", {"volume_type": {"name": f"t{n}"}})


def alike(syncs: Syncs) -> None:
    """Everything of the source, and nothing more, is at the targets: by the sites' own state."""
    for site in TARGETS:
        assert shown(syncs, site) == shown(syncs, "site1")


def shown(syncs: Syncs, site: str) -> dict[str, Any]:
    state = syncs.world.sites[site].settle().state
    return {
        "groups": syncs.groups(site),
        "descriptions": sorted((g["name"], g["description"]) for g in state.security_groups.values()),
        "server groups": sorted((g["name"], g["policy"]) for g in state.server_groups.values()),
        "flavors": sorted((f["name"], f["vcpus"], str(f["extra_specs"])) for f in state.flavors.values()),
        "types": sorted(
            (t["name"], str(t["description"] or ""), str(t["extra_specs"]))
            for t in state.volume_types.values()
        ),
    }


@pytest.mark.parametrize("after", [False, True], ids=["before it is sent", "its answer lost"])
def test_killed_at_any_request_nothing_is_made_twice(
    syncs: Syncs, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    """Each pass dies some requests later than the one before, and the next goes on with what it left."""
    furnish(syncs, 3)
    syncs.want(*KINDS, target_sites=TARGETS, on_conflict=OnConflict.SOURCE)
    runner = SyncRunner(syncs.here.clouds, syncs.syncs._items, lambda: syncs.now)
    sync = syncs.syncs.get(ADMIN, syncs.sync_id)
    sent, died = FencedAdapter.send, 0
    for last in range(4, 400, 3):
        left = [last]

        def dying(self: Any, *args: Any, left: list[int] = left, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] < 0 and not after:
                raise Dead
            answer = sent(self, *args, **kwargs)
            if left[0] < 0:
                raise Dead
            return answer

        monkeypatch.setattr(FencedAdapter, "send", dying)
        try:
            runner.run(sync)
        except Dead:
            died += 1
        finally:
            monkeypatch.setattr(FencedAdapter, "send", sent)
        if left[0] >= 0:
            break
    assert died > 5
    syncs.in_sync()
    alike(syncs)
    assert all(
        item.made
        for item in syncs.syncs.items(ADMIN, syncs.sync_id)
        if item.name[0] in "gsf" and item.name != "guest"
    )


@pytest.mark.parametrize(
    ("source", "seed"), [*(("site", n) for n in range(6)), *(("file", n) for n in range(6, 9))]
)
def test_whatever_is_changed_on_both_sides_the_source_wins(syncs: Syncs, source: str, seed: int) -> None:
    """A file is a new version of what the site has."""
    dice = random.Random(seed)
    furnish(syncs, 4)
    if source == "site":
        syncs.want(*KINDS, target_sites=TARGETS, on_conflict=OnConflict.SOURCE)
    else:
        syncs.want_file(syncs.exported(*KINDS), on_conflict=OnConflict.SOURCE)
    syncs.in_sync()
    for _ in range(4):
        for _ in range(dice.randint(1, 6)):
            _drift(syncs, dice)
        if source == "file":
            syncs.syncs.change(ADMIN, syncs.sync_id, {"document": syncs.exported(*KINDS)})
        syncs.now += timedelta(hours=2)
        syncs.apply(delete_many=True)
        syncs.in_sync()
        _without_strangers(syncs)
        alike(syncs)


def test_control_where_the_target_counts_they_are_not_alike(syncs: Syncs) -> None:
    furnish(syncs, 2)
    syncs.want(*KINDS, target_sites=TARGETS, on_conflict=OnConflict.TARGET)
    syncs.in_sync()
    next(f for f in syncs.world.sites["site2"].sim.state.flavors.values() if f["name"] == "f0")[
        "extra_specs"
    ] = {"a": "b"}
    syncs.in_sync()
    with pytest.raises(AssertionError):
        alike(syncs)


def _drift(syncs: Syncs, dice: random.Random) -> None:
    """One change by hand, at the source or at a target."""
    site = dice.choice(("site1", *TARGETS))
    state = syncs.world.sites[site].settle().state
    kind = dice.choice(("security_groups", "flavors", "volume_types", "server_groups"))
    rows: dict[str, Row] = getattr(state, kind)
    known = [id for id, row in rows.items() if row["name"] not in ("default", "__DEFAULT__", "rbd", "t128")]
    if not known:
        return
    id = dice.choice(known)
    act = dice.choice(("change", "delete", "rules"))
    if act == "delete":
        for group in state.security_groups.values():
            group["security_group_rules"] = [
                rule for rule in group["security_group_rules"] if rule["remote_group_id"] != id
            ]
        del rows[id]
    elif kind == "security_groups" and act == "rules":
        rows[id]["security_group_rules"] = rows[id]["security_group_rules"][1:]
    elif kind in ("flavors", "volume_types"):
        rows[id]["extra_specs"] = {"drifted": str(dice.random())}
    elif kind == "security_groups":
        rows[id]["description"] = str(dice.random())


def _without_strangers(syncs: Syncs) -> None:
    """Nobody made anything at a target alone: what is there has a counterpart."""
    items = syncs.syncs.items(ADMIN, syncs.sync_id)
    assert len({(item.kind, item.target_site, item.target_id) for item in items}) == len(items)
