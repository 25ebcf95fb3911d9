"""What Neutron answers of ports, networks, subnets and security groups, its extensions included.

Sources: Networking API reference v2; ``neutron_lib/api/definitions`` (attributes with ``is_visible``, their defaults
and the aliases of their extensions); ``neutron/extensions/{securitygroup,tagging,timestamp,revisions}.py``.
"""

from __future__ import annotations

from multisite.clouds.ledger.model import Kind, carried, derived, not_carried, of_the_site

REFERENCE = "https://docs.openstack.org/api-ref/network/v2/index.html"
_MAP_NETWORK = "make it at the target before, and map it: --map network:<name>=<network>"
STANDARD = (
    *of_the_site("identifier", "id", "project_id", "tenant_id"),
    *of_the_site("time", "created_at", "updated_at", "revision_number"),
)  # fmt: skip

PORT = Kind(
    "port",
    "ports",
    REFERENCE + "#show-port-details",
    "Every port of every member, in the order of its NICs, and the ports without a device that keep an address members "
    "may use, or that a floating IP leads to; the subports of their trunks.  Others without a device, in the members' "
    "networks, are told of.",
    (
        *carried("its own name", "name", "description", "network_id", "mac_address", "port_security_enabled"),
        *carried("addresses by subnet", "fixed_ips"),
        *carried("its own name", "security_groups", "allowed_address_pairs"),
        *carried("kind of NIC", "binding:vnic_type"),
        *carried("disabled once its server is active, which waits for its ports", "admin_state_up"),
        *carried("DHCP options", "extra_dhcp_opts", extension="extra_dhcp_opt"),
        *carried("but for what Nova writes there; read and set as an administrator", "binding:profile"),
        *carried("one that is not its server's host name, set once its server is active", "dns_name",
                 extension="dns-integration"),
        *carried("its own name", "dns_domain", extension="dns-domain-ports"),
        *carried("beside the token", "tags"),
        *carried("the policy it is mapped to, or a shared one of its name", "qos_policy_id", extension="qos"),
        *not_carried(
            "device_profile", "device profile",
            "make the port at the target by hand with openstack port create --device-profile, and attach it",
        ),
        *not_carried(
            "numa_affinity_policy", "NUMA affinity policy",
            "set it at the target: openstack port set --numa-policy-preferred, -required, -legacy or -socket",
        ),
        *not_carried("hints", "hints of the backend", "set them at the target: openstack port set --hint"),
        *not_carried(
            "hardware_offload_type", "hardware offload type",
            "make the port at the target by hand with openstack port create --hardware-offload-type, and attach it",
        ),
        *not_carried("trusted", "trusted", "set it at the target: openstack port set --trusted",
                     told="it is a trusted port, and comes back as one that is not"),
        *not_carried("pvlan_type", "type in a private VLAN", "set it at the target: PUT /ports/<id>, field pvlan_type"),
        *not_carried("pvlan_community", "community in a private VLAN",
                     "set it at the target: PUT /ports/<id>, field pvlan_community"),
        *not_carried("data_plane_status", "data plane status",
                     "set it at the target: openstack port set --data-plane-status",
                     unset=(None, "", "ACTIVE")),
        *carried("the trunk it is the parent of", "trunk_details", extension="trunk-details"),
        *derived("from its server; a port without a device has neither", "device_id", "device_owner"),
        *derived("from its network", "qos_network_policy_id", "ip_allocation"),
        *derived("from its QoS policy", "resource_request"),
        *derived("from its DNS name", "dns_assignment"),
        *of_the_site("where it is bound", "binding:host_id", "binding:vif_type", "binding:vif_details", "tunneling_ip"),
        *of_the_site("the default of the release; only SR-IOV ports heed it", "propagate_uplink_status"),
        *of_the_site("state", "status"),
        *STANDARD,
    ),
)  # fmt: skip

NETWORK = Kind(
    "network",
    "networks",
    REFERENCE + "#show-network-details",
    "Those of the members' ports: made anew, or mapped; external and shared ones are always mapped.",
    (
        *carried("its own name", "name", "description", "mtu", "port_security_enabled", "shared"),
        *carried("external", "router:external"),
        *not_carried(
            "admin_state_up", "administrative state", "disable it at the target: openstack network set --disable",
            told="it is disabled, and comes up", unset=(True, None),
        ),
        *carried("beside the token", "tags"),
        *carried("its own name", "dns_domain", extension="dns-integration"),
        *carried("the policy it is mapped to, or a shared one of its name", "qos_policy_id", extension="qos"),
        *carried("an overlay is one of the target's default type; any other is mapped, which the preview asks for",
                 "provider:network_type", "provider:physical_network"),
        *not_carried("segments", "list of segments", _MAP_NETWORK),
        *not_carried("vlan_transparent", "transparency for VLANs", _MAP_NETWORK,
                     told="it is transparent for VLANs, which is not carried"),
        *not_carried("qinq", "QinQ", _MAP_NETWORK, told="it takes VLANs in VLANs (QinQ), which is not carried"),
        *not_carried("pvlan", "private VLAN", _MAP_NETWORK, told="it is a private VLAN, which is not carried"),
        *not_carried("availability_zone_hints", "availability zone hints",
                     "make it at the target before with openstack network create --availability-zone-hint, and map it"),
        *derived("from its subnets", "subnets", "ipv4_address_scope", "ipv6_address_scope"),
        *of_the_site("identifier of the segment", "provider:segmentation_id"),
        *of_the_site("the project's default at the site", "is_default", "project_default"),
        *of_the_site("where it is", "availability_zones", "l2_adjacency"),
        *of_the_site("state", "status"),
        *STANDARD,
    ),
)  # fmt: skip

SUBNET = Kind(
    "subnet",
    "subnets",
    REFERENCE + "#show-subnet-details",
    "All subnets of the networks that are made anew.",
    (
        *carried("its own name", "name", "description", "network_id", "cidr", "ip_version", "allocation_pools",
                 "dns_nameservers", "host_routes", "ipv6_address_mode", "ipv6_ra_mode"),
        *carried("gateway", "gateway_ip"),
        *carried("DHCP", "enable_dhcp"),
        *carried("beside the token", "tags"),
        *carried("its own name", "dns_publish_fixed_ip", extension="subnet-dns-publish-fixed-ip"),
        *not_carried("service_types", "service types", "set them at the target: openstack subnet set --service-type",
                     extension="subnet-service-types"),
        *not_carried("segment_id", "segment", "set it at the target: openstack subnet set --network-segment"),
        *not_carried(
            "subnetpool_id", "subnet pool", "nothing to do: it is made with its own addresses, outside of any pool",
        ),
        *not_carried("leak_routes", "leaking of routes", "set it at the target: PUT /subnets/<id>, field leak_routes",
                     told="it leaks its routes to BGP, which is not carried"),
        *derived("from its network", "router:external"),
        *STANDARD,
    ),
)  # fmt: skip

SECURITY_GROUP = Kind(
    "security group",
    "security groups",
    REFERENCE + "#show-security-group",
    "Those of the ports, and those that their rules refer to.",
    (
        *carried("its own name", "name", "description", "stateful"),
        *carried("rules", "security_group_rules"),
        *carried("beside the token", "tags"),
        *of_the_site("of the sharing at the site", "shared"),
        *STANDARD,
    ),
)  # fmt: skip

SECURITY_GROUP_RULE = Kind(
    "rule of security group",
    "rules of security groups",
    REFERENCE + "#show-security-group-rule",
    "All rules of these groups.",
    (
        *carried("its own name", "direction", "ethertype", "protocol", "remote_group_id", "description"),
        *carried("ports", "port_range_min", "port_range_max"),
        *carried("remote address", "remote_ip_prefix"),
        *not_carried(
            "remote_address_group_id", "address group",
            "make group and rule at the target: openstack security group rule create --remote-address-group",
            told="it refers to an address group: it is not carried over", extension="address-group",
        ),
        *not_carried("tags", "tags", "set them at the target: PUT /security_group_rules/<id>/tags",
                     told="it has tags, which are not carried over"),
        *derived("from the remote address", "normalized_cidr"),
        *derived("from its group", "belongs_to_default_sg", "security_group_id"),
        *of_the_site("identifier", "standard_attr_id"),
        *STANDARD,
    ),
)  # fmt: skip

KINDS = (PORT, NETWORK, SUBNET, SECURITY_GROUP, SECURITY_GROUP_RULE)
