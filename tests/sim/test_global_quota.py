"""One limit over simulated sites: lent, filled from all sides at once, killed in between; never overshot."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from multisite.clouds.session import FencedAdapter
from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict, Invalid
from multisite.domain.global_quota import GlobalQuota
from multisite.jobs.model import JobState
from multisite.resources.quotas.service import GlobalQuotaService
from multisite_lab.sim import quotas as counted
from multisite_lab.sim.site import Wire
from multisite_lab.sim.world import World, make_world
from tests.sim.service import Service, running_service

ADMIN = Caller("u-1", "olga", "p1", "vnf", frozenset({"admin"}), "req-1")
SITES = ("site1", "site2", "site3")
TOTAL = 30


class Quotas:
    """``peaks``: the most that the limits, and what is used, ever added up to, looked at after every request."""

    def __init__(self, service: Service, world: World) -> None:
        self.here, self.world = service, world
        self.now = datetime(2026, 11, 1, tzinfo=UTC)
        self.quotas = GlobalQuotaService(service.database, service.jobs, service.clouds, lambda: self.now)
        self.id = ""
        self.peaks = {"limits": 0, "used": 0}
        self.watching = False
        for site in world.sites.values():
            self._watch(site)

    def _watch(self, site: Any) -> None:
        reply = site.reply

        def watched(wire: Wire) -> Any:
            answer = reply(wire)
            if self.watching:
                self.peaks = {
                    "limits": max(self.peaks["limits"], sum(self.limit(name) for name in SITES)),
                    "used": max(self.peaks["used"], sum(self.used(name) for name in SITES)),
                }
            return answer

        site.reply = watched

    def limit(self, site: str, resource: str = "security_group") -> int:
        return int(self.world.sites[site].sim.quotas[resource])

    def used(self, site: str, resource: str = "security_group") -> int:
        sim = self.world.sites[site].sim
        return counted.used(sim, sim.accounts[0].project_id)[resource]

    def want(self, limits: dict[str, int] | None = None, sites: tuple[str, ...] = SITES) -> None:
        wanted = {"security_group": TOTAL} if limits is None else limits
        self.id = self.quotas.create(ADMIN, "p1", sites, wanted).id

    def apply(self) -> GlobalQuota:
        job = self.here.rest(self.quotas.apply(ADMIN, self.id))
        assert job.state is JobState.DONE, job.error
        return self.quotas.get(ADMIN, self.id)

    def take(self, site: str, count: int = 1) -> int:
        """Groups that could be made."""
        network, made = self.here.cloud(site).network, 0
        for number in range(count):
            body = {"security_group": {"name": f"{site}-{number}"}}
            made += network.post("/security-groups", json=body).ok
        return made


@pytest.fixture
def quotas(tmp_path: Path) -> Iterator[Quotas]:
    with make_world(SITES) as world, running_service(tmp_path, world) as service:
        for name in SITES:
            service.cloud(name).network.get("/security-groups")  # the default group is there from now on
        yield Quotas(service, world)


def test_lent_evenly_and_what_is_used_stays(quotas: Quotas) -> None:
    quotas.take("site1", 9)
    quotas.want()
    shown = quotas.apply()
    assert {name: quotas.limit(name) for name in SITES} == {"site1": 16, "site2": 7, "site3": 7}
    assert shown.leases["site1"] == {"security_group": 16}
    assert shown.usage["site1"].used["security_group"] == 10
    assert shown.told == ()
    written = sum(s.method == "PUT" for site in quotas.world.sites.values() for s in site.script.log)
    quotas.apply()
    assert sum(s.method == "PUT" for site in quotas.world.sites.values() for s in site.script.log) == written


def test_growth_is_lent_ahead_of_need(quotas: Quotas) -> None:
    quotas.want()
    quotas.apply()
    quotas.watching = True
    while quotas.take("site2", 2):
        quotas.apply()
    assert quotas.used("site2") >= TOTAL - 4, "one site can come to use nearly all that the others do not"
    assert quotas.peaks["limits"] <= TOTAL


def test_all_sites_filling_at_once_overshoot_nothing(quotas: Quotas) -> None:
    quotas.want()
    quotas.apply()
    quotas.watching = True
    threads = [threading.Thread(target=quotas.take, args=(name, 40)) for name in SITES]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        quotas.apply()
    assert quotas.peaks["limits"] <= TOTAL
    assert quotas.peaks["used"] <= TOTAL
    assert quotas.peaks["used"] > TOTAL // 2


def test_control_without_leases_they_would_overshoot(quotas: Quotas) -> None:
    quotas.watching = True
    for name in SITES:
        quotas.world.sites[name].sim.quotas["security_group"] = TOTAL
        quotas.take(name, 15)
    assert quotas.peaks["used"] > TOTAL


def test_a_site_that_is_away_keeps_its_lease_and_the_others_go_on(quotas: Quotas) -> None:
    quotas.want()
    quotas.apply()
    quotas.world.cut("site3")
    quotas.take("site1", 8)
    shown = quotas.apply()
    assert any(told.startswith("site3: unknown") for told in shown.told)
    assert shown.leases["site3"] == {"security_group": 10}
    assert quotas.limit("site1") > 10
    assert sum(quotas.limit(name) for name in SITES) <= TOTAL
    quotas.world.reconnect("site3")
    assert quotas.apply().told == ()


@pytest.mark.parametrize("total", [0, -1])
def test_nothing_and_everything(quotas: Quotas, total: int) -> None:
    quotas.want({"security_group": total, "instances": total})
    shown = quotas.apply()
    for name in SITES:
        assert quotas.limit(name) == (1 if total == 0 else -1), "the default group is used"
        assert quotas.limit(name, "instances") == total
    assert bool(shown.told) is (total == 0)
    if total == 0:
        assert "security_group: 3 are used, 3 more than the limit of 0" in shown.told
    quotas.quotas.change(ADMIN, quotas.id, {"limits": {"security_group": 12, "instances": None}})
    assert quotas.apply().told == ()
    assert sum(quotas.limit(name) for name in SITES) == 12


def test_what_a_hand_changed_is_found_and_put_right(quotas: Quotas) -> None:
    quotas.want()
    quotas.apply()
    quotas.world.sites["site2"].sim.quotas["security_group"] = 100
    shown = quotas.apply()
    assert "site2: security_group: its limit was 10 and is 100: somebody else changed it" in shown.told
    assert sum(quotas.limit(name) for name in SITES) <= TOTAL


class Dead(BaseException):
    """As a kill -9."""


@pytest.mark.parametrize("after", [False, True], ids=["before it is sent", "its answer lost"])
def test_killed_at_any_request_nothing_is_overshot(
    quotas: Quotas, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    dice = random.Random(3)
    quotas.want()
    quotas.apply()
    quotas.watching = True
    sent, died = FencedAdapter.send, 0
    for last in range(60):
        quotas.take(dice.choice(SITES), dice.randint(0, 2))
        if dice.random() < 0.3:
            site = quotas.world.sites[dice.choice(SITES)].sim.state.security_groups
            for id in [i for i, g in site.items() if g["name"] != "default"][:3]:
                del site[id]
        left = [last % 14]

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
            quotas.quotas._runner.run(quotas.quotas.get(ADMIN, quotas.id))
        except Dead:
            died += 1
        finally:
            monkeypatch.setattr(FencedAdapter, "send", sent)
        known = quotas.quotas.get(ADMIN, quotas.id)
        for name in SITES:
            assert quotas.limit(name) <= known.leases[name]["security_group"], (
                "the lease is the most it can be"
            )
        quotas.now += timedelta(seconds=dice.choice((1, 100)))
    assert died > 20
    assert quotas.peaks["limits"] <= TOTAL
    quotas.now += timedelta(seconds=100)
    quotas.apply()
    assert sum(quotas.limit(name) for name in SITES) == TOTAL


def test_wrong_words_are_refused(quotas: Quotas) -> None:
    for sites, limits, said in (
        ((), {}, "sites: name one"), (("site1", "site1"), {}, "each once"), (SITES, {"pizza": 1}, "limits: pizza"),
        (SITES, {"ram": -2}, "limits: ram: -2"),
    ):  # fmt: skip
        with pytest.raises(Invalid, match=said):
            quotas.quotas.create(ADMIN, "p1", sites, limits)
    quotas.want()
    with pytest.raises(Conflict, match="has a quota already"):
        quotas.want()


def test_the_loop_leaves_those_that_are_paused(quotas: Quotas) -> None:
    quotas.want()
    quotas.quotas.change(ADMIN, quotas.id, {"paused": True})
    quotas.quotas.run()
    assert quotas.limit("site1") == 50
    quotas.quotas.change(ADMIN, quotas.id, {"paused": False})
    quotas.quotas.run()
    assert quotas.limit("site1") == 10
