"""What Multisite relies on in a Neutron with multisite-neutron.  Asked only where the extension is."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from multisite.clouds import remote_ports, resources, stretched
from multisite.clouds.call import read_all
from multisite.clouds.errors import ConflictInSite, Refused
from multisite.domain.stretched import REMOTE_AGENT, REMOTE_OWNER
from tests.contract.sites.pair import Pair, refused, send, where_neutron_has
from tests.sim.deploy import ask, until

FAR, FARTHER = "192.0.2.11", "192.0.2.12"
MAC = "fa:16:3e:78:00:01"
NETWORK = "0b5c1c5e-0000-4000-8000-000000000001"


def _fields(real: str, **more: Any) -> dict[str, Any]:
    values = {"name": f"far/{real}", "mac_address": MAC, "device_id": real, "tunneling_ip": FAR}
    return {**values, "fixed_ips": [{"ip_address": "10.77.0.70"}], "security_groups": [], **more}


def _tags(pair: Pair) -> bool:
    """Whether ports take tags in the request that makes them."""
    rows = read_all(pair.one, "list extensions", lambda: pair.one.network, "/extensions", "extensions")
    return "tag-ports-during-bulk-creation" in {row["alias"] for row in rows}


def _vxlan(pair: Pair) -> str:
    return pair.network()


@where_neutron_has("remote-port")
def a_remote_port_lives_and_is_found_again(pair: Pair) -> None:
    one, network_id, real = pair.one, _vxlan(pair), str(uuid.uuid4())
    token = remote_ports.token_of(NETWORK, "far", real)
    row = remote_ports.create(one, network_id, token, _fields(real), tags=_tags(pair))
    pair.later(remote_ports.delete, one, row["id"])
    shown = ask(one.network, "GET", f"/ports/{row['id']}")["port"]
    assert (shown["status"], shown["device_owner"], shown["tunneling_ip"]) == ("ACTIVE", REMOTE_OWNER, FAR)
    assert (shown["binding:host_id"], shown["binding:vif_type"]) == (f"remote-vtep-{FAR}", "other")
    assert (shown["description"], shown["tags"]) == (token, [token] if _tags(pair) else [])
    read = remote_ports.read_ports(one, {NETWORK: (network_id, one.project_id)})[NETWORK]
    assert read is not None
    (mine,) = read.remote
    assert (mine.of_site, mine.stands_for, mine.ours, mine.endpoint) == ("far", real, True, FAR)
    remote_ports.update(
        one, row["id"], {"tunneling_ip": FARTHER, "fixed_ips": [{"ip_address": "10.77.0.71"}]}
    )
    shown = ask(one.network, "GET", f"/ports/{row['id']}")["port"]
    assert (shown["tunneling_ip"], shown["fixed_ips"][0]["ip_address"]) == (FARTHER, "10.77.0.71")
    agents = read_all(one, "list agents", lambda: one.network, "/agents", "agents")
    shadow = next(
        a
        for a in agents
        if a["agent_type"] == REMOTE_AGENT and a["configurations"]["tunneling_ip"] == FARTHER
    )
    assert shadow["binary"] == "neutron-remote-port"
    assert FARTHER not in stretched.endpoints(agents), "a shadow agent is no host of ours"
    assert remote_ports.of_network(one, network_id, NETWORK) == [row["id"]]
    remote_ports.delete(one, row["id"])
    remote_ports.delete(one, row["id"])
    assert remote_ports.exists(one, row["id"], NETWORK, {}) is None


@where_neutron_has("remote-port")
def what_cannot_be_is_refused_with_its_field(pair: Pair) -> None:
    one, network_id = pair.one, _vxlan(pair)
    own = stretched.read_facts(one).endpoints[0]

    def made(field: str, status: int, **more: Any) -> None:
        body = {**_fields(str(uuid.uuid4()), **more), "network_id": network_id, "device_owner": REMOTE_OWNER}
        answer = send(
            one.network, "POST", "/ports", {"port": {k: v for k, v in body.items() if v is not None}}
        )
        if answer.status_code == 201:
            pair.later(remote_ports.delete, one, answer.json()["port"]["id"])
        refused(answer, status, field)
        assert set(answer.json()["NeutronError"]) == {"type", "message", "detail"}

    made("tunneling_ip", 400, tunneling_ip=None)
    made("tunneling_ip", 400, tunneling_ip="here")
    made(own, 409, tunneling_ip=own)
    ordinary = pair.port(network_id)
    answer = send(one.network, "PUT", f"/ports/{ordinary}", {"port": {"tunneling_ip": FAR}})
    assert answer.status_code in (400, 409)
    same = ask(one.network, "GET", f"/ports/{ordinary}")["port"]["tunneling_ip"]
    assert send(one.network, "PUT", f"/ports/{ordinary}", {"port": {"tunneling_ip": same}}).status_code == 200


@where_neutron_has("remote-port")
def a_mac_address_cannot_be_taken_nor_changed(pair: Pair) -> None:
    one, network_id, real = pair.one, _vxlan(pair), str(uuid.uuid4())
    token = remote_ports.token_of(NETWORK, "far", real)
    row = remote_ports.create(one, network_id, token, _fields(real), tags=_tags(pair))
    pair.later(remote_ports.delete, one, row["id"])
    with pytest.raises(ConflictInSite):
        remote_ports.create(one, network_id, token, _fields(real), tags=_tags(pair))
    with pytest.raises(Refused):
        remote_ports.update(one, row["id"], {"mac_address": "fa:16:3e:78:00:02"})
    with pytest.raises(Refused):
        remote_ports.update(one, row["id"], {"device_owner": "compute:nova"})


@where_neutron_has("remote-port")
def segments_are_chosen_and_taken_once(pair: Pair) -> None:
    one, token = pair.one, pair.token("seg")
    fields = {"name": pair.name("seg"), "provider:network_type": "vxlan", "provider:segmentation_id": 5990}
    row = resources.ensure(one, "network", token, fields)
    pair.later(stretched.remove, one, "network", token, row["id"])
    assert resources.ensure(one, "network", token, fields)["id"] == row["id"]
    found = stretched.read_network(one, row["id"])
    assert (found.kind, found.segment) == ("vxlan", 5990)
    with pytest.raises(ConflictInSite, match="5990"):
        resources.ensure(one, "network", pair.token("seg"), fields | {"name": pair.name("seg")})
    stretched.set_mtu(one, row["id"], found.mtu - 50)
    assert stretched.read_network(one, row["id"]).mtu == found.mtu - 50
    made = send(
        pair.member.network, "POST", "/networks", {"network": fields | {"provider:segmentation_id": 5991}}
    )
    assert made.status_code == 403
    assert (
        "provider:segmentation_id"
        not in send(pair.member.network, "GET", f"/networks/{row['id']}").json()["network"]
    )


@where_neutron_has("remote-port")
def pools_may_be_narrowed_and_guests_are_told(pair: Pair) -> None:
    one, network_id = pair.one, _vxlan(pair)
    subnet = ask(one.network, "GET", f"/networks/{network_id}")["network"]["subnets"][0]
    stretched.set_pools(one, subnet, (("10.77.0.100", "10.77.0.109"),))
    port = pair.port(network_id)
    address = ask(one.network, "GET", f"/ports/{port}")["port"]["fixed_ips"][0]["ip_address"]
    assert 100 <= int(address.rpartition(".")[2]) <= 109
    until(lambda: stretched.guests(one, network_id) == [f"port {port}"] or None, "one guest")


CHECKS: tuple[Callable[[Pair], None], ...] = (
    a_remote_port_lives_and_is_found_again,
    what_cannot_be_is_refused_with_its_field,
    a_mac_address_cannot_be_taken_nor_changed,
    segments_are_chosen_and_taken_once,
    pools_may_be_narrowed_and_guests_are_told,
)
