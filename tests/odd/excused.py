"""Fields that cannot be equal at two sites, each with the reason.  Everything else is compared."""

from __future__ import annotations

from collections.abc import Mapping

_IDENTITY = "each site gives its own"
_TIME = "when it was made or changed there"
_HOST = "where it runs at that site"
_STATE = "of the moment"
_SEPARATELY = "what it lists is compared as things of their own"
_POOL = "an address of the site's own external network"
_ACCOUNT = "made by the service's account"
ALWAYS: Mapping[str, str] = {
    "id": _IDENTITY,
    "links": _IDENTITY,
    "user_id": _ACCOUNT,
    "created": _TIME,
    "updated": _TIME,
    "created_at": _TIME,
    "updated_at": _TIME,
    "revision_number": _TIME,
}
EXCUSED: Mapping[str, Mapping[str, str]] = {
    "server": {
        "hostId": _HOST,
        "OS-EXT-SRV-ATTR:host": _HOST,
        "OS-EXT-SRV-ATTR:hypervisor_hostname": _HOST,
        "OS-EXT-SRV-ATTR:instance_name": _IDENTITY,
        "OS-EXT-SRV-ATTR:reservation_id": _IDENTITY,
        "OS-SRV-USG:launched_at": _TIME,
        "OS-SRV-USG:terminated_at": _TIME,
        "progress": _STATE,
    },
    "flavor": {},
    "key pair": {},
    "server group": {},
    "volume": {
        "attachments": _SEPARATELY,
        "os-vol-host-attr:host": _HOST,
        "cluster_name": _HOST,
        "service_uuid": _HOST,
        "os-vol-mig-status-attr:name_id": _IDENTITY,
        "volume_type_id": "the type's name is compared",
        "snapshot_id": "made from a backup there",
        "source_volid": "made from a backup there",
        "provider_id": _IDENTITY,
    },
    "network": {
        "provider:segmentation_id": "the site allocates it",
        "availability_zones": "of the site's DHCP agents",
    },
    "subnet": {},
    "port": {
        "binding:host_id": _HOST,
        "binding:vif_details": _HOST,
        "status": _STATE,
        "dns_assignment": "of the site's DNS domain",
    },
    "router": {"availability_zones": "of the site's L3 agents", "external_gateways": _POOL},
    "floating IP": {"status": _STATE, "port_details": _SEPARATELY},
    "security group": {},
    "trunk": {"status": _STATE},
    "QoS policy": {},
}
WITHIN: Mapping[str, Mapping[str, str]] = {
    "volume metadata": {
        "attached_mode": "Cinder's note of the attachment",
        "src_backup_id": "Cinder's note of the backup it was restored from",
    },
    "security group rule": {"id": _IDENTITY, "standard_attr_id": _IDENTITY, **ALWAYS},
    "QoS rule": {"id": _IDENTITY, **ALWAYS},
    "attachment": {"id": _IDENTITY, "attachment_id": _IDENTITY, "bdm_uuid": _IDENTITY},
    "port of a router": {"mac_address": "the site gives its routers theirs"},
    "external_gateway_info": {"external_fixed_ips": _POOL},
}
"""Of rows inside of rows, and of some rows."""
