"""What Neutron answers of routers, floating IPs, trunks and QoS policies.

Sources: as in ``network``.
"""

from __future__ import annotations

from pydantic import JsonValue

from multisite.clouds.ledger.model import (
    UNSET,
    Field,
    Kind,
    Verdict,
    carried,
    derived,
    not_carried,
    of_the_site,
)
from multisite.clouds.ledger.network import PORT, REFERENCE, STANDARD


def _lost(remedy: str, *names: str) -> tuple[Field, ...]:
    """What goes with the whole resource."""
    return tuple(Field(name, Verdict.NOT_CARRIED, "with all of it", remedy=remedy) for name in names)


_ROUTER_SET = "set it at the target: openstack router set"
ROUTER = Kind(
    "router",
    "routers",
    REFERENCE + "#show-router-details",
    "Those of the project that have an interface in a network of the application, with these interfaces.  Another "
    "project's, and that of a plane, are told of.",
    (
        *carried("its own name", "name"),
        *carried("as it is", "description", "admin_state_up", "tags"),
        *carried("those whose next hop is in a network of the application", "routes"),
        *carried("its network: mapped, or of the same name at the target; its address is the site's",
                 "external_gateway_info"),
        *not_carried("external_gateways", "more gateways than one", f"{_ROUTER_SET} --external-gateway",
                     told="it has more gateways than one: only the first is carried"),
        *not_carried("distributed", "distributed", "make it at the target before, as administrator, and map it",
                     told="it is distributed at the source: the target makes it as its default is"),
        *not_carried("ha", "highly available", "make it at the target before, as administrator, and map it",
                     told="it is highly available at the source: the target makes it as its default is"),
        *not_carried("flavor_id", "flavor", "make it at the target before, and map it"),
        *not_carried("availability_zone_hints", "availability zone hints", "make it at the target before, and map it"),
        *not_carried("conntrack_helpers", "conntrack helpers",
                     "set them at the target: openstack network l3 conntrack helper create"),
        *not_carried("enable_ndp_proxy", "NDP proxy", f"{_ROUTER_SET} --enable-ndp-proxy",
                     told="its NDP proxy is not switched on"),
        *not_carried("enable_default_route_bfd", "BFD of default routes", f"{_ROUTER_SET} --enable-default-route-bfd",
                     told="BFD of its default routes is not switched on"),
        *not_carried("enable_default_route_ecmp", "ECMP of default routes",
                     f"{_ROUTER_SET} --enable-default-route-ecmp",
                     told="ECMP of its default routes is not switched on"),
        *not_carried("evpn_vni", "EVPN VNI", "set it at the target: openstack router create --evpn-vni"),
        *not_carried("service_type_id", "service type", "make it at the target before, and map it"),
        *of_the_site("where it is", "availability_zones"),
        *of_the_site("shown in external_gateway_info as well", "enable_snat"),
        *of_the_site("state", "status"),
        *STANDARD,
    ),
)  # fmt: skip

_NEUTRONS = ("port_security_enabled", "mac_address")
_PORT_SET = "set it at the target: openstack port set"
_CARRIED = {"name", "description", "tags", "network_id", "fixed_ips"}
_DEFAULTS: dict[str, tuple[JsonValue, ...]] = {
    "admin_state_up": (True, None),
    "binding:vnic_type": ("normal", "", None),
}
INTERFACE = Kind(
    "router interface",
    "router interfaces",
    REFERENCE + "#show-port-details",
    "The ports of these routers in networks of the application.",
    (
        *carried("as they are, of a port that the router gets", "name", "description", "tags"),
        *carried("its address and subnet", "fixed_ips", "network_id"),
        *derived("Neutron switches it off for routers", "port_security_enabled"),
        *of_the_site("chosen by Neutron; one that somebody else chose is told of", "mac_address"),
        *(field for one in PORT.fields if one.verdict is Verdict.CARRIED and one.name not in {*_CARRIED, *_NEUTRONS}
          for field in not_carried(one.name, one.name, _PORT_SET, unset=_DEFAULTS.get(one.name, UNSET),
                                   told=f"its {one.name} is not carried")),
        *(one for one in PORT.fields if one.verdict is not Verdict.CARRIED),
    ),
)  # fmt: skip

FLOATING_IP = Kind(
    "floating IP",
    "floating IPs",
    REFERENCE + "#show-floating-ip-details",
    "Those of the project that lead to a port of the application: each is made, or one that is there used, as the "
    "operator maps it (`--map floating-ip:`); one that is not mapped is told of.  So are those of moving addresses and "
    "paths.",
    (
        *carried("as it is, of one that is made", "description", "tags"),
        *carried("as it is, of one that is made", "dns_name", "dns_domain", extension="dns-integration"),
        *carried("the same port", "port_id", "fixed_ip_address"),
        *carried("mapped to an external network or an address of the target", "floating_network_id",
                 "floating_ip_address"),
        *not_carried("qos_policy_id", "QoS policy", "set it at the target: openstack floating ip set --qos-policy"),
        *not_carried("port_forwardings", "port forwardings",
                     "make them at the target: openstack floating ip port forwarding create"),
        *not_carried("distributed", "distributed", "the target makes it as its default is"),
        *derived("from its port and network", "router_id"),
        *of_the_site("of its network", "qos_network_policy_id"),
        *of_the_site("of its port", "port_details"),
        *of_the_site("state", "status"),
        *STANDARD,
    ),
)  # fmt: skip

TRUNK = Kind(
    "trunk",
    "trunks",
    REFERENCE + "#show-trunk",
    "Those whose parents are ports of members.  One that is not shown to us is told of, and so are subports of another "
    "project.",
    (
        *carried("its own name", "name", "description"),
        *carried("disabled ones too", "admin_state_up"),
        *carried("beside the token", "tags"),
        *carried("a port of a member, its parent", "port_id"),
        *carried("subports with their segmentation, and the ports, networks and groups of these", "sub_ports"),
        *of_the_site("state", "status"),
        *STANDARD,
    ),
)  # fmt: skip

QOS_POLICY = Kind(
    "QoS policy",
    "QoS policies",
    REFERENCE + "#show-qos-policy-details",
    "Those of ports and networks: a shared one of this name is found at the target, any other is mapped.",
    (
        *carried("of a port's or network's policy", "name"),
        *of_the_site("of the policy at the target", "description", "shared", "is_default", "rules", "tags"),
        *STANDARD,
    ),
)  # fmt: skip

KINDS = (ROUTER, INTERFACE, FLOATING_IP, TRUNK, QOS_POLICY)
