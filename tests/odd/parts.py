"""The parts of the odd application: what Neutron, Cinder and Nova can hold, each with values nobody expects."""

from __future__ import annotations

from typing import Any

from tests.odd.rest import COMPUTE, IMAGE, NETWORK, VOLUME, Api, until

VOLUME_SECONDS = 300.0
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBxk3nXvKzGQFQ0eJ6oB4zqfYf8S6e0mG6m5v0aN3cQd nobody"
GATEWAY, VIRTUAL = "10.61.0.254", "10.61.0.1"
TAGS = ["grün", "красный", "5G:core"]


def create(api: Api, path: str, key: str, **fields: Any) -> Any:
    """Something of Neutron's; the fields the site has no extension for are left out before."""
    return api(NETWORK, "POST", f"/v2.0/{path}", {key: fields})[key]


def tag(api: Api, path: str, which: str) -> None:
    api(NETWORK, "PUT", f"/v2.0/{path}/{which}/tags", {"tags": TAGS})


def where(api: Api, alias: str, **fields: Any) -> dict[str, Any]:
    """Fields of an extension, where there is one."""
    return fields if api.has(alias) else {}


def outside(api: Api, name: str) -> str:
    """An external network as an operator makes it; each site has its own, of one name."""
    network = create(api, "networks", "network", name=name, **{"router:external": True})["id"]
    inside = {"network_id": network, "name": name, "ip_version": 4, "cidr": "198.51.100.0/24"}
    create(api, "subnets", "subnet", enable_dhcp=False, **inside)
    return str(network)


def policy(api: Api, name: str) -> dict[str, str]:
    """A QoS policy, as the field of a port or network; nothing where the site has none."""
    if not api.has("qos"):
        return {}
    return {"qos_policy_id": create(api, "qos/policies", "policy", name=name, description="für Pakete")["id"]}


def front(api: Api, name: str) -> str:
    """With a gateway that is not the first address, pools, routes, name servers, and IPv6; DHCP begins later."""
    described = {"description": f"{name}: первая", "mtu": 1400}
    described |= where(api, "dns-integration", dns_domain="odd.example.")
    network = create(api, "networks", "network", name=name, **described)["id"]
    common = {"network_id": network, "name": name, "description": "адреса"}
    subnets = [
        create(
            api, "subnets", "subnet", **common, ip_version=4, cidr="10.61.0.0/24", gateway_ip=GATEWAY,
            allocation_pools=[{"start": "10.61.0.50", "end": "10.61.0.99"}, {"start": "10.61.0.1", "end": "10.61.0.9"}],
            dns_nameservers=["10.61.0.3", "10.61.0.2"],
            host_routes=[{"destination": "10.99.0.0/16", "nexthop": "10.61.0.253"}], enable_dhcp=False,
            **where(api, "subnet-dns-publish-fixed-ip", dns_publish_fixed_ip=True),
        ),
        create(
            api, "subnets", "subnet", **common, ip_version=6, cidr="fd00:61::/64", gateway_ip=None,
            enable_dhcp=False,
        ),
    ]  # fmt: skip
    tag(api, "networks", network)
    for subnet in subnets:
        tag(api, "subnets", subnet["id"])
    return str(network)


def serve_dhcp(api: Api, network: str) -> None:
    """Once the virtual IP is taken, which is in the pools."""
    for row in api(NETWORK, "GET", f"/v2.0/subnets?network_id={network}")["subnets"]:
        if row["ip_version"] == 4:
            api(NETWORK, "PUT", f"/v2.0/subnets/{row['id']}", {"subnet": {"enable_dhcp": True}})


def back(api: Api, name: str) -> str:
    """Without DHCP, gateway and port security, of the same name as the other."""
    network = create(api, "networks", "network", name=name, port_security_enabled=False)["id"]
    inside = {"network_id": network, "name": name, "ip_version": 4, "cidr": "10.62.0.0/24"}
    create(api, "subnets", "subnet", **inside, gateway_ip=None, enable_dhcp=False)
    return str(network)


def groups(api: Api, name: str) -> tuple[str, str, str]:
    """Of one name; rules within the first and from the second, with descriptions; the third keeps no state.

    A port takes none that keeps state beside one that does not.
    """
    first, second, third = (
        create(api, "security-groups", "security_group", name=name, description=said, stateful=stateful)["id"]
        for said, stateful in (("Mitglieder untereinander", True), ("", True), ("ohne Gedächtnis", False))
    )
    rule = {"direction": "ingress", "ethertype": "IPv4"}
    for match in (
        {"security_group_id": first, "protocol": "icmp", "remote_group_id": first, "description": "друг друга"},
        {"security_group_id": first, "protocol": "tcp", "remote_group_id": second, "port_range_min": 8080,
         "port_range_max": 8090},
        {"security_group_id": first, "protocol": "132", "remote_ip_prefix": "10.61.0.0/24"},
        {"security_group_id": third, "protocol": "udp", "remote_ip_prefix": "10.0.0.0/8", "port_range_min": 2152,
         "port_range_max": 2152, "description": "GTP-U ↔"},
    ):  # fmt: skip
        create(api, "security-group-rules", "security_group_rule", **rule, **match)
    there = api(NETWORK, "GET", f"/v2.0/security-groups/{second}")["security_group"]
    outwards = next(r for r in there["security_group_rules"] if r["ethertype"] == "IPv6")
    api(NETWORK, "DELETE", f"/v2.0/security-group-rules/{outwards['id']}")
    tag(api, "security-groups", first)
    return str(first), str(second), str(third)


def port(api: Api, name: str, network: str, mac: str, *addresses: str, **fields: Any) -> str:
    body = {"name": name, "network_id": network, "mac_address": mac, **fields}
    body["fixed_ips"] = [{"ip_address": one} for one in addresses]
    return str(create(api, "ports", "port", **body)["id"])


def front_port(api: Api, name: str, network: str, number: int, groups: list[str], **fields: Any) -> str:
    """One that may use the virtual IP."""
    made = port(
        api, name, network, f"fa:16:3e:61:00:0{number}", f"10.61.0.{10 + number}", f"fd00:61::{number}",
        description=f"Verkehr № {number}", security_groups=groups, allowed_address_pairs=[{"ip_address": VIRTUAL}],
        **where(api, "extra_dhcp_opt", extra_dhcp_opts=[
            {"opt_name": "26", "opt_value": "1300", "ip_version": 4},
            {"opt_name": "bootfile-name", "opt_value": "odd.bin", "ip_version": 4},
        ]),
        **fields,
    )  # fmt: skip
    # Neutron leaves it to service accounts (neutron/conf/policies/port.py), unless a site's policies say otherwise.
    profile = {"binding:profile": {"odd": "значение"}}
    api.permitted(NETWORK, "PUT", f"/v2.0/ports/{made}", {"port": profile})
    tag(api, "ports", made)
    return made


def trunk(api: Api, name: str, parent: str, group: str) -> None:
    """With two VLANs into a network that no server has a port in."""
    network = create(api, "networks", "network", name=f"{name}-сеть", description="только VLAN")["id"]
    inside = {"network_id": network, "name": name, "ip_version": 4, "cidr": "10.63.0.0/24"}
    create(api, "subnets", "subnet", **inside, gateway_ip=None)
    vlans = []
    for number in (42, 17):
        mac, address = f"fa:16:3e:63:00:{number}", f"10.63.0.{number}"
        sub = port(api, f"{name}-vlan", network, mac, address, security_groups=[group])
        vlans.append({"port_id": sub, "segmentation_type": "vlan", "segmentation_id": number})
    described = {"name": f"{name}-ствол", "description": "два VLAN", "port_id": parent, "sub_ports": vlans}
    tag(api, "trunks", create(api, "trunks", "trunk", **described)["id"])


def router(api: Api, name: str, network: str, external: str) -> str:
    """With its gateway outside, an interface in the first network, and a static route."""
    rows = api(NETWORK, "GET", f"/v2.0/subnets?network_id={network}&ip_version=4")["subnets"]
    subnet = next(row["id"] for row in rows if row["ip_version"] == 4)
    outwards = {"external_gateway_info": {"network_id": external}}
    made = create(api, "routers", "router", name=name, description="ins Freie", **outwards)["id"]
    api(NETWORK, "PUT", f"/v2.0/routers/{made}/add_router_interface", {"subnet_id": subnet})
    route = {"routes": [{"destination": "10.77.0.0/16", "nexthop": "10.61.0.11"}]}
    api(NETWORK, "PUT", f"/v2.0/routers/{made}", {"router": route})
    tag(api, "routers", made)
    return str(made)


def volume(api: Api, name: str, image: str | None = None, **fields: Any) -> str:
    """Available when it is returned."""
    fields |= {"name": name, "size": 1, "description": f"{name}: данные", "metadata": {"part": "1 ½ от"}}
    body = {"volume": fields | ({"imageRef": image} if image else {})}
    made = api(VOLUME, "POST", "/volumes", body)["volume"]["id"]

    def available() -> bool:
        status = api(VOLUME, "GET", f"/volumes/{made}")["volume"]["status"]
        assert not status.startswith("error"), f"volume {name}: {status}"
        return bool(status == "available")

    until(available, f"volume {name} available", VOLUME_SECONDS)
    return str(made)


def action(api: Api, service: str, path: str, name: str, **fields: Any) -> None:
    api(service, "POST", f"{path}/action", {name: fields or None})


def read_only(api: Api, which: str) -> None:
    action(api, VOLUME, f"/volumes/{which}", "os-update_readonly_flag", readonly=True)


def not_bootable(api: Api, which: str) -> None:
    action(api, VOLUME, f"/volumes/{which}", "os-set_bootable", bootable=False)


def image(api: Api, name: str = "guest") -> str:
    return str(api(IMAGE, "GET", f"/v2/images?name={name}")["images"][0]["id"])


def flavor(api: Api, name: str) -> str:
    """Private, its project may use it, with a description and extra specs no scheduler looks at."""
    fields = {"name": name, "vcpus": 1, "ram": 128, "disk": 1, "description": "sehr klein",
              "os-flavor-access:is_public": False}  # fmt: skip
    made = str(api(COMPUTE, "POST", "/flavors", {"flavor": fields})["flavor"]["id"])
    action(api, COMPUTE, f"/flavors/{made}", "addTenantAccess", tenant=api.project)
    specs = {"extra_specs": {"odd:role": "ядро", "hw_rng:allowed": "True"}}
    api(COMPUTE, "POST", f"/flavors/{made}/os-extra_specs", specs)
    return made


def key(api: Api, name: str) -> str:
    """Nova takes no other letters than ASCII here."""
    body = {"keypair": {"name": name, "public_key": PUBLIC_KEY, "type": "ssh"}}
    return str(api(COMPUTE, "POST", "/os-keypairs", body)["keypair"]["name"])


def server_group(api: Api, name: str) -> str:
    body = {"server_group": {"name": name, "policy": "soft-anti-affinity"}}
    return str(api(COMPUTE, "POST", "/os-server-groups", body)["server_group"]["id"])
