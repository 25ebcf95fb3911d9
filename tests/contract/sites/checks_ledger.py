"""That the ledger knows every field that a site answers: one of each kind is asked for.

To an administrator, who is shown most, and to the project's member.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from multisite.clouds.connect import CloudSite
from multisite.clouds.facts.routers import NEUTRONS_MACS
from multisite.clouds.ledger import block_storage, compute, image, network, routing
from multisite.clouds.ledger.model import Kind
from multisite.clouds.ledger.notes import lost
from tests.contract.sites.pair import Check, Pair, send, where_neutron_has
from tests.sim import deploy
from tests.sim.deploy import CINDER, NOVA, ask, flavor


def judged(kind: Kind, rows: list[Any]) -> None:
    """There are some, and no field of theirs is unknown."""
    known = {field.name for field in kind.fields}
    assert rows, f"the site has no {kind.name}"
    unknown = sorted({name for row in rows for name in row if name not in known})
    assert not unknown, f"no verdict on {', '.join(unknown)} of a {kind.name}: add a line to clouds/ledger"


def _both(pair: Pair) -> tuple[CloudSite, CloudSite]:
    return pair.one, pair.member


def every_field_of_a_server_has_a_verdict(pair: Pair) -> None:
    path = f"/servers/{pair.machine().id}"
    for site in _both(pair):
        row = ask(site.compute, "GET", path, None, NOVA)["server"]
        judged(compute.SERVER, [row, *ask(site.compute, "GET", "/servers/detail", None, NOVA)["servers"]])
        judged(compute.SERVER_FLAVOR, [row["flavor"]])
        attached = ask(site.compute, "GET", f"{path}/os-volume_attachments", None, NOVA)["volumeAttachments"]
        judged(compute.ATTACHMENT, attached)
        judged(compute.ATTACHMENT, row["os-extended-volumes:volumes_attached"])
        plugged = ask(site.compute, "GET", f"{path}/os-interface", None, NOVA)["interfaceAttachments"]
        judged(compute.INTERFACE, plugged)
        alone = [
            *(
                ask(site.compute, "GET", f"{path}/os-volume_attachments/{row['volumeId']}", None, NOVA)
                for row in attached
            ),
            *(
                ask(site.compute, "GET", f"{path}/os-interface/{row['port_id']}", None, NOVA)
                for row in plugged
            ),
        ]
        expected = [
            *({"volumeAttachment": row} for row in attached),
            *({"interfaceAttachment": row} for row in plugged),
        ]
        assert alone == expected


def every_field_around_a_server_has_a_verdict(pair: Pair) -> None:
    machine = pair.machine()
    for site in _both(pair):
        one = ask(site.compute, "GET", f"/flavors/{flavor(pair.one)}", None, NOVA)["flavor"]
        judged(compute.FLAVOR, [one, *ask(site.compute, "GET", "/flavors/detail", None, NOVA)["flavors"]])
        groups = ask(site.compute, "GET", "/os-server-groups", None, NOVA)["server_groups"]
        judged(compute.SERVER_GROUP, groups)
        zones = ask(site.compute, "GET", "/os-availability-zone", None, NOVA)["availabilityZoneInfo"]
        judged(compute.ZONE, zones)
    listed = ask(pair.one.compute, "GET", "/os-keypairs", None, NOVA)["keypairs"]
    judged(compute.KEYPAIR, [row["keypair"] for row in listed])
    shown = ask(pair.one.compute, "GET", f"/os-keypairs/{machine.made.name}", None, NOVA)["keypair"]
    judged(compute.KEYPAIR, [shown])


def every_field_of_a_volume_has_a_verdict(pair: Pair) -> None:
    ids = pair.machine().made.volumes
    for site in _both(pair):
        rows = [ask(site.volume, "GET", f"/volumes/{one}", None, CINDER)["volume"] for one in ids]
        judged(block_storage.VOLUME, rows)
        judged(block_storage.VOLUME, ask(site.volume, "GET", "/volumes/detail", None, CINDER)["volumes"])
        judged(block_storage.VOLUME_TYPE, ask(site.volume, "GET", "/types", None, CINDER)["volume_types"])
        zones = ask(site.volume, "GET", "/os-availability-zone", None, CINDER)["availabilityZoneInfo"]
        judged(compute.ZONE, zones)
        assert {"zoneName", "zoneState"} == set(zones[0])


def every_field_of_an_image_has_a_verdict(pair: Pair) -> None:
    """Properties beyond Glance's own may have any name."""
    row = ask(pair.one.image, "GET", f"/images/{deploy.image(pair.one)}")
    judged(image.IMAGE, [{k: v for k, v in row.items() if not k.startswith(("hw_", "os_", "owner_"))}])


def every_field_of_a_port_and_its_network_has_a_verdict(pair: Pair) -> None:
    made = pair.machine().made
    for site in _both(pair):
        judged(network.PORT, _shown(site, "ports", "port", made.ports))
        networks = _shown(site, "networks", "network", made.networks)
        judged(network.NETWORK, networks)
        judged(network.SUBNET, _shown(site, "subnets", "subnet", [s for n in networks for s in n["subnets"]]))
        groups = _shown(site, "security-groups", "security_group", made.groups)
        judged(network.SECURITY_GROUP, groups)
        judged(network.SECURITY_GROUP_RULE, [rule for g in groups for rule in g["security_group_rules"]])


def _shown(site: CloudSite, path: str, key: str, ids: Iterable[str]) -> list[Any]:
    return [ask(site.network, "GET", f"/{path}/{one}")[key] for one in ids]


def _made(pair: Pair, path: str, key: str, fields: dict[str, Any]) -> Any:
    row = ask(pair.one.network, "POST", path, {key: {"name": pair.name(key), **fields}})[key]
    pair.later(send, pair.one.network, "DELETE", f"{path}/{row['id']}")
    return row


def _judge_interfaces(pair: Pair, router: str) -> None:
    inner = _made(pair, "/networks", "network", {})
    inside = {"network_id": inner["id"], "ip_version": 4, "cidr": "10.78.0.0/24"}
    subnet = ask(pair.one.network, "POST", "/subnets", {"subnet": inside})["subnet"]["id"]
    path, body = f"/routers/{router}", {"subnet_id": subnet}
    ask(pair.one.network, "PUT", f"{path}/add_router_interface", body)
    pair.later(send, pair.one.network, "PUT", f"{path}/remove_router_interface", body)
    for site in _both(pair):
        ports = ask(site.network, "GET", f"/ports?device_id={router}")["ports"]
        judged(routing.INTERFACE, ports)
        assert lost(routing.INTERFACE, [("one", port) for port in ports]) == [], (
            "nothing of Neutron's own is told of"
        )
        assert all(port["mac_address"].startswith(NEUTRONS_MACS) for port in ports)


@where_neutron_has("router")
def every_field_of_a_router_and_a_floating_ip_has_a_verdict(pair: Pair) -> None:
    router = _made(pair, "/routers", "router", {})
    judged(routing.ROUTER, [router])
    _judge_interfaces(pair, router["id"])
    outside = _made(pair, "/networks", "network", {"router:external": True})
    inside = {"network_id": outside["id"], "ip_version": 4, "cidr": "198.51.100.0/24"}
    ask(pair.one.network, "POST", "/subnets", {"subnet": inside})
    body = {"floatingip": {"floating_network_id": outside["id"]}}
    made = ask(pair.one.network, "POST", "/floatingips", body)["floatingip"]
    pair.later(send, pair.one.network, "DELETE", f"/floatingips/{made['id']}")
    judged(routing.FLOATING_IP, [made])


@where_neutron_has("trunk")
def every_field_of_a_trunk_has_a_verdict(pair: Pair) -> None:
    port = pair.port(pair.network("10.79.0.0/24"))
    judged(routing.TRUNK, [_made(pair, "/trunks", "trunk", {"port_id": port})])
    parent = ask(pair.one.network, "GET", f"/ports/{port}")["port"]
    judged(network.PORT, [parent])


@where_neutron_has("qos")
def every_field_of_a_qos_policy_has_a_verdict(pair: Pair) -> None:
    judged(routing.QOS_POLICY, [_made(pair, "/qos/policies", "policy", {})])


CHECKS: tuple[Check, ...] = (
    every_field_of_a_server_has_a_verdict,
    every_field_around_a_server_has_a_verdict,
    every_field_of_a_volume_has_a_verdict,
    every_field_of_an_image_has_a_verdict,
    every_field_of_a_port_and_its_network_has_a_verdict,
    every_field_of_a_router_and_a_floating_ip_has_a_verdict,
    every_field_of_a_trunk_has_a_verdict,
    every_field_of_a_qos_policy_has_a_verdict,
)
