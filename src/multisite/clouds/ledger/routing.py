"""What Neutron answers of routers, floating IPs, trunks and QoS policies.

Sources: as in ``network``.
"""

from __future__ import annotations

from multisite.clouds.ledger.model import Field, Kind, Verdict, carried, of_the_site
from multisite.clouds.ledger.network import REFERENCE, STANDARD


def _lost(remedy: str, *names: str) -> tuple[Field, ...]:
    """What goes with the whole resource."""
    return tuple(Field(name, Verdict.NOT_CARRIED, "with all of it", remedy=remedy) for name in names)


ROUTER = Kind(
    "router",
    "routers",
    REFERENCE + "#show-router-details",
    "Not part of a restore point: one that has an interface in a network of the application is told of.",
    (
        *_lost(
            "make it at the target: openstack router create, openstack router add subnet", "name", "description",
            "admin_state_up", "tags", "external_gateway_info", "external_gateways", "routes", "distributed", "ha",
            "flavor_id", "availability_zone_hints", "conntrack_helpers", "enable_ndp_proxy", "enable_default_route_bfd",
            "enable_default_route_ecmp", "evpn_vni", "service_type_id",
        ),
        *of_the_site("where it is", "availability_zones"),
        *of_the_site("the default of the site", "enable_snat"),
        *of_the_site("state", "status"),
        *STANDARD,
    ),
)  # fmt: skip

FLOATING_IP = Kind(
    "floating IP",
    "floating IPs",
    REFERENCE + "#show-floating-ip-details",
    "Not part of a restore point: its address is the site's.  One that leads to a port of the application is told of.",
    (
        *_lost(
            "make one at the target: openstack floating ip create --port", "description", "tags", "dns_name",
            "dns_domain", "floating_network_id", "floating_ip_address", "fixed_ip_address", "port_id", "router_id",
            "qos_policy_id", "port_forwardings", "distributed",
        ),
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
    "Not part of a restore point; a port that is the parent of one is told of.",
    (
        *_lost("make it at the target: openstack network trunk create --parent-port --subport", "name", "description",
               "admin_state_up", "tags", "port_id", "sub_ports"),
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

KINDS = (ROUTER, FLOATING_IP, TRUNK, QOS_POLICY)
