"""The faults strike where the script says, and leave the site as they say; everything is in the log."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from multisite.clouds import volumes
from multisite.clouds.call import call
from multisite.clouds.connect import CloudSite, Sites
from multisite.clouds.errors import Refused, UnknownOutcome, Unreachable
from multisite_lab.sim.faults import Rule
from multisite_lab.sim.model import State
from multisite_lab.sim.world import World
from tests.sim.deploy import CINDER, ask, until

Struck = tuple[World, CloudSite]


@pytest.fixture
def struck(world: World, tmp_path: Path) -> Struck:
    world.write_clouds(tmp_path / "clouds.yaml")
    return world, Sites(config_file=tmp_path / "clouds.yaml").open_for_service("site1")


def state(world: World) -> State:
    return world.sites["site1"].settle().state


def make(site: CloudSite) -> Any:
    body = {"volume": {"name": "v", "size": 1}}
    return call(site, "make", lambda: site.volume.post("/volumes", json=body, microversion=CINDER))


@pytest.mark.parametrize("status", [500, None])
def test_an_error_before_the_effect_has_no_effect(struck: Struck, status: int | None) -> None:
    world, site = struck
    rule = world.sites["site1"].strike(Rule("error", "volume", "POST", "^/volumes$", status=status))
    with pytest.raises(UnknownOutcome):
        make(site)
    assert (rule.struck, state(world).volumes) == (1, {})
    make(site)
    assert len(state(world).volumes) == 1


def test_503_of_a_proxy_is_repeated_because_nothing_began(struck: Struck) -> None:
    world, site = struck
    world.sites["site1"].strike(Rule("error", "volume", "POST", "^/volumes$", status=503, times=2))
    make(site)
    assert len(state(world).volumes) == 1
    assert [s.status for s in world.sites["site1"].script.log if s.method == "POST"][-3:] == [503, 503, 202]


@pytest.mark.parametrize("status", [504, 503, None])
def test_a_lost_answer_has_the_effect(struck: Struck, status: int | None) -> None:
    world, site = struck
    world.sites["site1"].strike(Rule("lost", "volume", "POST", "^/volumes$", status=status))
    with pytest.raises(UnknownOutcome):
        make(site)
    assert len(state(world).volumes) == 1


def test_a_late_effect_comes_later(struck: Struck) -> None:
    world, site = struck
    world.sites["site1"].strike(Rule("late", "volume", "POST", "^/volumes$", status=504, seconds=0.3))
    with pytest.raises(UnknownOutcome):
        make(site)
    assert state(world).volumes == {}
    until(lambda: state(world).volumes or None, "the late effect", 5)


def test_a_stale_read_shows_what_was_before_the_change(struck: Struck) -> None:
    world, site = struck
    make(site)
    world.sites["site1"].strike(Rule("stale", "volume", "GET", "^/volumes/detail$", nth=2, times=1))
    assert len(_listed(site)) == 1
    make(site)
    assert [len(_listed(site)) for _ in range(2)] == [1, 2]


def test_a_partial_list_does_not_say_so(struck: Struck) -> None:
    world, site = struck
    for _ in range(3):
        make(site)
    world.sites["site1"].strike(Rule("partial", "volume", "GET", "detail$", keep=1))
    assert [len(_listed(site)) for _ in range(2)] == [1, 3]


def _listed(site: CloudSite) -> list[Any]:
    rows: list[Any] = ask(site.volume, "GET", "/volumes/detail", None, CINDER)["volumes"]
    return rows


def test_an_expired_token_is_renewed(struck: Struck) -> None:
    world, site = struck
    make(site)
    world.sites["site1"].strike(Rule("token", "volume", "POST", "^/volumes$"))
    make(site)
    assert len(state(world).volumes) == 2
    posts = [(s.path, s.status) for s in world.sites["site1"].script.log if s.method == "POST"]
    assert posts[-3:] == [("/volumes", 401), ("/v3/auth/tokens", 201), ("/volumes", 202)]


def test_a_delay_is_only_that(struck: Struck) -> None:
    world, site = struck
    world.sites["site1"].strike(Rule("delay", "volume", "POST", "^/volumes$", seconds=0.5))
    begun = time.monotonic()
    make(site)
    assert time.monotonic() - begun > 0.5
    assert len(state(world).volumes) == 1


def test_a_cut_site_goes_on_and_can_be_repaired(struck: Struck) -> None:
    world, site = struck
    make(site)
    world.cut("site1")
    with pytest.raises(Unreachable):
        volumes.backups(site)
    assert [v.status for v in until(lambda: _available(world), "goes on", 5)] == ["available"]
    world.reconnect("site1")
    assert volumes.backups(site) == []


def _available(world: World) -> list[Any] | None:
    found = list(state(world).volumes.values())
    return found if all(v.status == "available" for v in found) else None


def test_the_log_names_calls_without_ids(struck: Struck) -> None:
    world, site = struck
    volume_id = make(site).json()["volume"]["id"]
    for _ in range(2):
        ask(site.volume, "GET", f"/volumes/{volume_id}", None, CINDER)
    with pytest.raises(Refused):
        volumes.get_backup(site, "no-such")
    calls = world.sites["site1"].script.calls()
    assert calls.count(("volume", "GET", "/volumes/{id}")) == 1
    assert ("volume", "GET", "/backups/{id}") in calls
    assert world.sites["site1"].script.log[-1].status == 404


@pytest.mark.parametrize(
    "wrong", [{"kind": "gremlin"}, {"kind": "error", "nth": 0}, {"kind": "error", "path": "("}]
)
def test_a_rule_of_nonsense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises((ValueError, re.error)):
        Rule(**wrong)
