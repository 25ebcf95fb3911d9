"""What Multisite relies on in Neutron's trunks, where a site has them."""

from __future__ import annotations

import pytest

from multisite.clouds import resources, trunks
from multisite.clouds.errors import ConflictInSite
from multisite.domain.trunks import SubportRecord, TrunkRecord
from tests.contract.sites.checks_networks import NOWHERE
from tests.contract.sites.pair import Check, Pair, refused, send, where_neutron_has
from tests.sim.deploy import ask

VLAN = {"segmentation_type": "vlan", "segmentation_id": 7}


def _ports(pair: Pair, count: int) -> list[str]:
    network = pair.network("10.79.0.0/24")
    return [pair.port(network) for _ in range(count)]


@where_neutron_has("trunk")
def a_trunk_is_made_once_and_removed_by_its_token_although_disabled(pair: Pair) -> None:
    one, token = pair.one, pair.token("trunk")
    parent, inside = _ports(pair, 2)
    subports = (SubportRecord("inside", "vlan", 7),)
    record = TrunkRecord("", pair.name("trunk"), "parent", subports, "its own words", False, ("red",))
    ports = {"parent": parent, "inside": inside}
    made = trunks.ensure_trunk(one, token, record, ports)
    pair.later(trunks.remove_trunk, one, token)
    assert trunks.ensure_trunk(one, token, record, ports) == made
    row = ask(one.network, "GET", f"/trunks/{made}")["trunk"]
    assert (row["description"], row["admin_state_up"], row["port_id"]) == ("its own words", False, parent)
    assert sorted(row["tags"]) == sorted([token, "red"])
    assert row["sub_ports"] == [{"port_id": inside, **VLAN}]
    assert [found.id for found in resources.find(one, "trunk", token)] == [made]
    refused(send(one.network, "DELETE", f"/trunks/{made}"), 409, made, "disabled")
    assert trunks.remove_trunk(one, token) == 1
    refused(send(one.network, "GET", f"/trunks/{made}"), 404, made)


@where_neutron_has("trunk")
def a_trunk_is_shown_at_its_parent_and_its_subports(pair: Pair) -> None:
    """The parent's list names the subports; they name no trunk, and have no owner before the parent came up."""
    network = pair.one.network
    parent, inside = _ports(pair, 2)
    body = {"trunk": {"port_id": parent, "sub_ports": [{"port_id": inside, **VLAN}]}}
    made = ask(network, "POST", "/trunks", body)["trunk"]["id"]
    pair.later(send, network, "DELETE", f"/trunks/{made}")
    assert [row["id"] for row in ask(network, "GET", f"/trunks?id={made}&id={NOWHERE}")["trunks"]] == [made]
    rows = {row["id"]: row for row in ask(network, "GET", f"/ports?id={parent}&id={inside}")["ports"]}
    details = rows[parent]["trunk_details"]
    assert details["trunk_id"] == made
    assert [{name: one[name] for name in ("port_id", *VLAN)} for one in details["sub_ports"]] == [
        {"port_id": inside, **VLAN}
    ]
    assert (rows[inside]["device_id"], rows[inside]["device_owner"]) == ("", "")
    for port in (parent, inside):
        refused(send(network, "DELETE", f"/ports/{port}"), 409, port, made)
    ask(network, "DELETE", f"/trunks/{made}")
    refused(send(network, "DELETE", f"/trunks/{made}"), 404, made)


@where_neutron_has("trunk")
def a_port_has_one_place_in_one_trunk(pair: Pair) -> None:
    network = pair.one.network
    parent, inside, other = _ports(pair, 3)
    body = {"trunk": {"port_id": parent, "sub_ports": [{"port_id": inside, **VLAN}]}}
    made = ask(network, "POST", "/trunks", body)["trunk"]["id"]
    pair.later(send, network, "DELETE", f"/trunks/{made}")
    record = TrunkRecord("", pair.name("trunk"), "parent", ())
    for port in (parent, inside):
        with pytest.raises(ConflictInSite, match=port):
            trunks.ensure_trunk(pair.one, pair.token("trunk"), record, {"parent": port})
    again = {"sub_ports": [{"port_id": other, **VLAN}]}
    refused(send(network, "PUT", f"/trunks/{made}/add_subports", again), 409, "7", made)
    ask(network, "PUT", f"/trunks/{made}", {"trunk": {"admin_state_up": False}})
    more = {"sub_ports": [{"port_id": other, **VLAN, "segmentation_id": 8}]}
    refused(send(network, "PUT", f"/trunks/{made}/add_subports", more), 409, made, "disabled")
    ask(network, "PUT", f"/trunks/{made}", {"trunk": {"admin_state_up": True}})
    ask(network, "PUT", f"/trunks/{made}/add_subports", more)
    rows = ask(network, "GET", f"/trunks/{made}/get_subports")["sub_ports"]
    assert sorted(row["segmentation_id"] for row in rows) == [7, 8]


@where_neutron_has("trunk")
def what_no_trunk_can_have_is_refused(pair: Pair) -> None:
    network = pair.one.network
    parent, inside = _ports(pair, 2)
    bound = pair.machine().made.ports[0]
    for fields, status, words in (
        ({"port_id": NOWHERE}, 404, (NOWHERE,)),
        ({"port_id": bound}, 409, (bound, "in use")),
        ({"port_id": parent, "sub_ports": [{"port_id": bound, **VLAN}]}, 409, (bound,)),
        ({"port_id": parent, "sub_ports": [{"port_id": inside, **VLAN, "segmentation_id": 4095}]}, 400, ("4095",)),
        ({"port_id": parent, "sub_ports": [{"port_id": inside, **VLAN, "segmentation_type": "qinq"}]}, 400, ("qinq",)),
    ):  # fmt: skip
        answer = send(network, "POST", "/trunks", {"trunk": fields})
        if answer.status_code == 201:
            pair.later(send, network, "DELETE", f"/trunks/{answer.json()['trunk']['id']}")
        refused(answer, status, *words)
    wide, narrow = pair.network("10.80.0.0/24"), pair.network("10.81.0.0/24")
    ask(network, "PUT", f"/networks/{narrow}", {"network": {"mtu": 1300}})
    large = {"port_id": pair.port(wide), **VLAN}
    body = {"trunk": {"port_id": pair.port(narrow), "sub_ports": [large]}}
    refused(send(network, "POST", "/trunks", body), 409, "MTU", "1300")


CHECKS: tuple[Check, ...] = (
    a_trunk_is_made_once_and_removed_by_its_token_although_disabled,
    a_trunk_is_shown_at_its_parent_and_its_subports,
    a_port_has_one_place_in_one_trunk,
    what_no_trunk_can_have_is_refused,
)
