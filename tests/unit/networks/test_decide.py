"""What is decided from ports that were read, without sites."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from multisite.domain.stretched import (
    REMOTE_OWNER,
    Gateway,
    Member,
    PortFact,
    PortState,
    RemoteGroups,
    SitePorts,
    StretchedNetwork,
    StretchKind,
    StretchState,
)
from multisite.networks.stretch.decide import Known, decide
from multisite.networks.stretch.mirror import mirrored, why_not

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
NET = StretchedNetwork(
    "n-1", "hb", "p", StretchKind.VXLAN, StretchState.ACTIVE, "10.0.0.0/24",
    (Member("a", "na", "sa", gateway="10.0.0.1"), Member("b", "nb", "sb", gateway="10.0.0.1")), 5000, 1450,
)  # fmt: skip
REAL = PortFact("r-1", "fa:00:00:00:00:01", ("10.0.0.10",), "compute:nova", "172.31.0.1", groups=("default",))
REMOTE = replace(
    REAL,
    id="x-1",
    owner=REMOTE_OWNER,
    stands_for="r-1",
    of_site="a",
    ours=True,
    host="remote-vtep-172.31.0.1",
)


def read(site: str, *ports: PortFact, groups: tuple[str, ...] = ("default",), age: float = 0) -> SitePorts:
    named = {name: f"{site}-{name}" for name in groups}
    return SitePorts(site, NOW - timedelta(seconds=age), ports, named, {"10.0.0.0/24": f"s{site}"})


def known(*parts: SitePorts, network: StretchedNetwork = NET, **more: object) -> Known:
    return Known(network, NOW, {one.site: one for one in parts}, **more)  # type: ignore[arg-type]


def test_a_real_port_gets_one_with_everything_it_needs() -> None:
    real = replace(REAL, pairs=(("10.0.0.200", "fa:00:00:00:00:01"),))
    (change,) = decide(known(read("a", real), read("b"))).changes
    assert (change.act, change.site, change.real_id) == ("create", "b", "r-1")
    assert change.fields == {
        "tunneling_ip": "172.31.0.1",
        "fixed_ips": [{"subnet_id": "sb", "ip_address": "10.0.0.10"}],
        "security_groups": ["b-default"],
        "allowed_address_pairs": [{"ip_address": "10.0.0.200", "mac_address": "fa:00:00:00:00:01"}],
        "name": "a/r-1",
        "mac_address": "fa:00:00:00:00:01",
        "device_id": "r-1",
    }


def test_in_step_asks_for_nothing() -> None:
    decision = decide(known(read("a", REAL), read("b", REMOTE)))
    assert decision.changes == ()
    assert [row.state for row in decision.rows] == [PortState.IN_SYNC]


def test_what_differs_is_written_and_nothing_else() -> None:
    moved = replace(REAL, endpoint="172.31.0.2")
    (change,) = decide(known(read("a", moved), read("b", REMOTE))).changes
    assert (change.act, change.fields) == ("update", {"tunneling_ip": "172.31.0.2"})
    renewed = replace(REAL, mac="fa:00:00:00:00:02")
    (change,) = decide(known(read("a", renewed), read("b", REMOTE))).changes
    assert (change.act, change.remote_id) == ("delete", "x-1")
    assert change.then_create is not None
    assert change.then_create.fields["mac_address"] == "fa:00:00:00:00:02"


def test_a_site_that_does_not_tell_changes_nothing() -> None:
    decision = decide(known(read("b", REMOTE), kept={"a": read("a", REAL, age=90)}))
    assert decision.changes == ()
    assert [(r.site, r.of_site, r.state, r.age) for r in decision.rows] == [
        ("b", "a", PortState.UNKNOWN, 90.0)
    ]
    decision = decide(known(read("a", REAL), kept={"b": read("b", REMOTE, age=5)}))
    assert decision.changes == ()
    assert [row.state for row in decision.rows] == [PortState.UNKNOWN]


def test_gone_is_doubted_then_confirmed_then_removed() -> None:
    first = decide(known(read("a"), read("b", REMOTE)))
    assert (first.changes, first.confirm) == ((), frozenset())
    again = decide(known(read("a"), read("b", REMOTE), doubted=first.doubted))
    assert (again.changes, again.confirm) == ((), frozenset({("a", "r-1")}))
    sure = decide(known(read("a"), read("b", REMOTE), doubted=first.doubted, gone=again.confirm))
    assert [(c.act, c.remote_id) for c in sure.changes] == [("delete", "x-1")]


def test_a_port_of_another_hand_is_not_ours() -> None:
    decision = decide(known(read("a"), read("b", replace(REMOTE, ours=False))))
    assert (decision.changes, decision.rows, decision.doubted) == ((), (), frozenset())


def test_groups_are_those_of_the_same_name_and_a_lacking_one_is_told() -> None:
    real = replace(REAL, groups=("db", "default"))
    decision = decide(known(read("a", real), read("b", REMOTE)))
    assert decision.changes == ()
    assert "no security group db here" in decision.rows[0].detail
    (change,) = decide(known(read("a", real), read("b", REMOTE, groups=("db", "default")))).changes
    assert change.fields == {"security_groups": ["b-db", "b-default"]}
    alone = replace(NET, remote_groups=RemoteGroups.NONE)
    (change,) = decide(known(read("a", real), read("b"), network=alone)).changes
    assert change.fields["security_groups"] == []


def test_which_ports_get_one() -> None:
    dhcp = replace(REAL, owner="network:dhcp")
    router = replace(REAL, owner="network:router_interface", addresses=("10.0.0.1",))
    assert mirrored(NET, "a", REAL)
    assert why_not(NET, "a", REMOTE) == "it is a remote port itself"
    assert not mirrored(NET, "a", dhcp)
    assert mirrored(replace(NET, dhcp="a"), "a", dhcp)
    assert not mirrored(NET, "a", router)
    served = replace(NET, gateway=Gateway.SITE, gateway_site="a")
    assert mirrored(served, "a", router)
    assert not mirrored(served, "b", router)
    assert not mirrored(NET, "a", replace(REAL, endpoint=None))
    assert not mirrored(NET, "a", replace(REAL, owner="network:distributed"))


def test_two_of_one_port_are_made_one() -> None:
    twin = replace(REMOTE, id="x-2", mac="fa:00:00:00:00:09")
    decision = decide(known(read("a", REAL), read("b", REMOTE, twin)))
    assert [(c.act, c.remote_id) for c in decision.changes] == [("delete", "x-2")]


def test_three_sites_mirror_each_port_twice_and_no_remote_port_again() -> None:
    three = replace(NET, members=(*NET.members, Member("c", "nc", "sc")))
    decision = decide(known(read("a", REAL), read("b", REMOTE), read("c"), network=three))
    assert [(c.act, c.site, c.of_site) for c in decision.changes] == [("create", "c", "a")]
