"""The reconciler over three simulated sites: every kind of change, every kind of silence."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from multisite.clouds import call
from multisite.networks.stretch import reader, reconcile
from multisite.networks.stretch.reader import PortsReader, SiteAnswer
from multisite_lab.sim.faults import Rule
from multisite_lab.sim.neutron.remote_ports import OWNER
from tests.sim.networks import NETWORK, SITES, NetworkSetup, stretched

PASSES = 5


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkSetup]:
    with stretched(tmp_path_factory.mktemp("stretched")) as made:
        yield made


@pytest.fixture(autouse=True)
def _anew(setup: NetworkSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "DOWN_PATIENCE", 60.0)  # no pass depends on how busy this machine is
    monkeypatch.setattr(call, "ATTEMPTS", 1)
    clear(setup)


def clear(setup: NetworkSetup) -> None:
    """No ports, no faults, every site reachable, nothing remembered."""
    for site in SITES:
        setup.world.reconnect(site)
        setup.sim(site).state.ports.clear()
        setup.world.sites[site].script.forget()
    setup.reconciler._memory.clear()
    setup.reconciler._reader._down.clear()


def passes(setup: NetworkSetup, count: int = 1) -> None:
    for _ in range(count):
        setup.reconciler.run()


def test_from_empty_and_then_nothing_to_do(setup: NetworkSetup) -> None:
    for number in range(3):
        for site in SITES:
            setup.boot(site, number)
    drift = setup.reconciler.run()[NETWORK]
    assert len(drift.changes) == 18
    assert setup.equal() == []
    for site in SITES:
        setup.world.sites[site].script.forget()
    drift = setup.reconciler.run()[NETWORK]
    assert (drift.changes, drift.counts) == ((), {"in-sync": 18})
    for site in SITES:
        asked = [seen for seen in setup.world.sites[site].script.log if seen.service == "network"]
        assert {seen.method for seen in asked} == {"GET"}
        assert len([seen for seen in asked if seen.path != "/"]) == 4, "networks, subnets, groups, ports"


def test_each_change_of_a_real_port_is_followed(setup: NetworkSetup) -> None:
    port = setup.boot("site1", 1)
    passes(setup)
    assert setup.equal() == []
    before = {p["id"] for p in setup.remote("site2", "site1")}
    port["binding:host_id"] = "site1-2"
    port["fixed_ips"][0]["ip_address"] = "10.99.0.77"
    passes(setup)
    assert setup.equal() == []
    assert {p["id"] for p in setup.remote("site2", "site1")} == before, "changed, not made anew"
    port["mac_address"] = "fa:16:3e:99:00:01"
    passes(setup)
    assert setup.equal() == []
    assert {p["id"] for p in setup.remote("site2", "site1")} != before, "a MAC address cannot be changed"


def test_a_port_is_forgotten_after_one_more_look_only(setup: NetworkSetup) -> None:
    port = setup.boot("site1", 1)
    passes(setup)
    setup.delete("site1", port)
    drift = setup.reconciler.run()[NETWORK]
    assert drift.counts == {"extra": 2}
    assert len(setup.remote("site2", "site1")) == 1
    passes(setup)
    assert setup.equal() == []


def test_a_partial_list_removes_nothing_however_often(setup: NetworkSetup) -> None:
    for number in range(4):
        setup.boot("site1", number)
    passes(setup)
    setup.world.sites["site1"].strike(Rule("partial", "network", "GET", "^/ports$", times=100, keep=1))
    passes(setup, 4)
    assert len(setup.remote("site2", "site1")) == 4
    assert not [s for s in setup.world.sites["site2"].script.log if s.method == "DELETE"]


def test_a_network_that_is_gone_is_not_an_empty_one(setup: NetworkSetup) -> None:
    setup.boot("site1", 1)
    passes(setup)
    networks = setup.sim("site1").state.networks
    kept = dict(networks)
    networks.clear()
    try:
        passes(setup, 3)
        drift = setup.reconciler.run()[NETWORK]
    finally:
        networks.update(kept)
    assert len(setup.remote("site2", "site1")) == 1
    assert "any more" in str(next(v.error for v in drift.sites if v.site == "site1"))


def test_a_dead_site_is_unknown_and_kept(setup: NetworkSetup) -> None:
    setup.boot("site1", 1)
    setup.boot("site2", 1)
    passes(setup)
    setup.world.cut("site1")
    setup.boot("site2", 2)
    drift = [setup.reconciler.run()[NETWORK] for _ in range(3)][-1]
    assert len(setup.remote("site3", "site1")) == 1, "kept"
    assert setup.equal({"site2", "site3"}) == []
    states = {(row.site, row.of_site, row.state.value) for row in drift.ports}
    assert ("site3", "site1", "unknown") in states
    assert ("site1", "site2", "unknown") in states
    assert ("site3", "site2", "in-sync") in states
    setup.world.reconnect("site1")
    passes(setup)
    assert setup.equal() == []


def test_what_others_made_is_left_alone(setup: NetworkSetup) -> None:
    foreign = setup.boot("site2", 30)
    foreign |= {"device_owner": OWNER, "tunneling_ip": "192.0.2.9", "description": "by hand", "name": "x"}
    foreign["binding:host_id"] = "remote-vtep-192.0.2.9"
    passes(setup, 4)
    assert foreign["id"] in setup.sim("site2").state.ports
    assert setup.remote("site3", "site2") == [], "no remote port of a remote port"


def test_a_conflict_is_told_and_not_hammered(setup: NetworkSetup) -> None:
    first = setup.boot("site1", 1)
    other = setup.boot("site2", 1)
    other["fixed_ips"][0]["ip_address"] = first["fixed_ips"][0]["ip_address"]
    drift = setup.reconciler.run()[NETWORK]
    conflicts = [row for row in drift.ports if row.state.value == "conflict"]
    assert {row.site for row in conflicts} >= {"site1", "site2"}
    assert all("already allocated" in row.detail for row in conflicts)
    posts = len(
        [s for s in setup.world.sites["site2"].script.log if s.method == "POST" and s.path == "/ports"]
    )
    passes(setup, 3)
    again = len(
        [s for s in setup.world.sites["site2"].script.log if s.method == "POST" and s.path == "/ports"]
    )
    assert again == posts


# Random histories

_ACTS = st.one_of(
    st.tuples(st.just("boot"), st.sampled_from(SITES), st.integers(1, 40)),
    st.tuples(st.just("delete"), st.sampled_from(SITES), st.integers(0, 9)),
    st.tuples(st.just("move"), st.sampled_from(SITES), st.integers(0, 9)),
    st.tuples(st.just("address"), st.sampled_from(SITES), st.integers(1, 40)),
    st.tuples(st.just("mac"), st.sampled_from(SITES), st.integers(0, 9)),
    st.tuples(st.just("by hand"), st.sampled_from(SITES), st.integers(0, 9)),
    st.tuples(st.just("cut"), st.sampled_from(SITES), st.just(0)),
    st.tuples(st.just("reconnect"), st.sampled_from(SITES), st.just(0)),
    st.tuples(st.just("partial"), st.sampled_from(SITES), st.integers(0, 3)),
    st.tuples(st.just("error"), st.sampled_from(SITES), st.sampled_from((500, 503))),
    st.tuples(st.just("lost"), st.sampled_from(SITES), st.sampled_from((500, 503))),
    st.tuples(st.just("look"), st.just(""), st.just(0)),
)


def act(setup: NetworkSetup, what: str, site: str, number: int) -> None:
    real = setup.real(site) if site else []
    used = {ip["ip_address"] for p in real for ip in p["fixed_ips"]}
    address = f"10.99.0.{(SITES.index(site) + 1) * 50 + number}" if site else ""
    chosen = real[number % len(real)] if real else None
    script = setup.world.sites[site].script if site else None
    if what == "boot" and address not in used:
        setup.boot(site, number)
    elif what == "delete" and chosen:
        setup.delete(site, chosen)
    elif what == "move" and chosen:
        chosen["binding:host_id"] = f"{site}-{2 if chosen['binding:host_id'].endswith('1') else 1}"
    elif what == "address" and chosen and address not in used:
        chosen["fixed_ips"][0]["ip_address"] = address
    elif what == "mac" and chosen:
        chosen["mac_address"] = setup.boot(site, 49)["mac_address"]
        setup.delete(site, setup.real(site)[-1])
    elif what == "by hand":
        mine = [p for p in setup.ports(site) if p["device_owner"] == OWNER]
        if mine:
            setup.delete(site, mine[number % len(mine)])
    elif what == "cut":
        setup.world.cut(site)
    elif what == "reconnect":
        setup.world.reconnect(site)
    elif script and what == "partial":
        script.add(Rule("partial", "network", "GET", "^/ports$", times=2, keep=number))
    elif script and what in ("error", "lost"):
        method = "GET" if what == "error" else "POST"
        script.add(Rule("error" if what == "error" else "lost", "network", method, "^/ports", status=number))
    elif what == "look":
        watched_pass(setup)


def watched_pass(setup: NetworkSetup) -> None:
    """While a site is cut off, nothing that stands for its ports is removed anywhere."""
    dark = {s for s in SITES if not setup.world.served[s].reachable}
    before = {(s, d): {p["id"] for p in setup.remote(s, d)} for s in SITES for d in dark if s != d}
    passes(setup)
    for (site, of_site), ids in before.items():
        assert ids <= {p["id"] for p in setup.remote(site, of_site)}, (
            f"{site} forgot ports of {of_site}, which is cut off"
        )


def replay(setup: NetworkSetup, history: list[tuple[str, str, int]]) -> None:
    clear(setup)
    for what, site, number in history:
        act(setup, what, site, number)
    for site in SITES:
        setup.world.reconnect(site)
        setup.world.sites[site].script.clear()
    passes(setup, PASSES)
    assert setup.equal() == []


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(_ACTS, max_size=14))
def test_after_any_life_remote_ports_equal_real_ports(
    setup: NetworkSetup, history: list[tuple[str, str, int]]
) -> None:
    replay(setup, history)


DEATH = [
    ("boot", "site1", 1),
    ("look", "", 0),
    ("cut", "site1", 0),
    ("look", "", 0),
    ("look", "", 0),
    ("look", "", 0),
]


def test_the_checks_catch_who_takes_silence_for_emptiness(
    setup: NetworkSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: a naive reconciler, for which an unreachable site has no ports."""
    replay(setup, DEATH)
    honest = PortsReader.read
    confirmed = reconcile.remote_ports.exists

    def naive(self: PortsReader, networks: list[reconcile.StretchedNetwork]) -> dict[str, SiteAnswer]:
        found = honest(self, networks)
        empty = reconcile.SitePorts("", setup.reconciler._now(), ())
        return {
            site: SiteAnswer(
                {n.id: seen.ports.get(n.id) or reconcile.replace(empty, site=site) for n in networks}, {}
            )
            for site, seen in found.items()
        }

    monkeypatch.setattr(PortsReader, "read", naive)
    monkeypatch.setattr(reconcile.remote_ports, "exists", lambda *_: None)
    with pytest.raises(AssertionError, match="forgot ports of site1"):
        replay(setup, DEATH)
    monkeypatch.setattr(reconcile.remote_ports, "exists", confirmed)
