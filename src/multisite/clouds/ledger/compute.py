"""What Nova answers, up to microversion 2.100.

Sources: Compute API reference; ``nova/api/openstack/compute``: ``views/{servers,flavors,keypairs}.py``,
``server_groups.py``, ``attach_interfaces.py``, ``volume_attachments.py``, ``availability_zone.py``.
Multisite asks 2.90, and 2.96 where Nova has it; what later ones add is here for the day it asks them.
"""

from __future__ import annotations

from multisite.clouds.ledger.model import Kind, carried, derived, not_carried, of_the_site

_REFERENCE = "https://docs.openstack.org/api-ref/compute/"

SERVER = Kind(
    "server",
    "servers",
    _REFERENCE + "#show-server-details",
    "Every member is a server.",
    (
        *carried(
            "its own name",
            "name", "metadata", "tags", "description", "key_name", "config_drive", "flavor",
        ),
        *carried("host name", "OS-EXT-SRV-ATTR:hostname"),
        *carried("user data, read as an administrator", "OS-EXT-SRV-ATTR:user_data"),
        *carried("the zone it was asked into", "pinned_availability_zone"),
        *carried("shut off again when it was SHUTOFF", "status"),
        *carried("volumes and whether they go with the server", "os-extended-volumes:volumes_attached"),
        *carried("server group", "server_groups"),
        *derived("from its ports; a floating IP is told of", "addresses"),
        *derived("from its ports", "security_groups"),
        *carried("the volume on it becomes the root", "OS-EXT-SRV-ATTR:root_device_name"),
        *derived("from the image metadata of its boot volume",
                 "OS-EXT-SRV-ATTR:kernel_id", "OS-EXT-SRV-ATTR:ramdisk_id"),
        *derived("where it was asked to be or the scheduler put it; of a Nova before 2.96 it is taken for asked, "
                 "but for the default zone, and told", "OS-EXT-AZ:availability_zone"),
        *not_carried(
            "accessIPv4", "access address",
            "give it one of the target with PUT /servers/<id>, field accessIPv4",
        ),
        *not_carried(
            "accessIPv6", "access address",
            "give it one of the target with PUT /servers/<id>, field accessIPv6",
        ),
        *carried("locked once it is ready", "locked", "locked_reason"),
        *not_carried(
            "image", "image it boots from", "make it boot from a volume: only the data of volumes is backed up",
        ),
        *not_carried(
            "trusted_image_certificates", "trusted image certificates",
            "nothing to do: Nova takes none for servers that boot from a volume",
        ),
        *not_carried(
            "scheduler_hints", "scheduler hints",
            "nothing to do for a server group, which is carried; others cannot be set on a server that exists",
        ),
        *of_the_site("identifier", "id", "tenant_id", "user_id", "hostId", "links", "OS-EXT-SRV-ATTR:reservation_id",
                     "OS-EXT-SRV-ATTR:launch_index", "OS-EXT-SRV-ATTR:instance_name"),
        *of_the_site("where it runs", "OS-EXT-SRV-ATTR:host", "OS-EXT-SRV-ATTR:hypervisor_hostname", "host_status"),
        *of_the_site("state", "progress", "fault", "OS-EXT-STS:task_state", "OS-EXT-STS:vm_state",
                     "OS-EXT-STS:power_state"),
        *of_the_site("time", "created", "updated", "OS-SRV-USG:launched_at", "OS-SRV-USG:terminated_at"),
        *of_the_site("of the Xen driver, which Nova no longer has", "OS-DCF:diskConfig"),
    ),
)  # fmt: skip

SERVER_FLAVOR = Kind(
    "flavor of server",
    "flavors of servers",
    _REFERENCE + "#show-server-details",
    "The flavor as it was when the server was made.",
    (
        *carried("its own name", "original_name", "vcpus", "ram", "disk", "extra_specs"),
        *not_carried(
            "ephemeral", "data of the ephemeral disk",
            "keep what matters on a volume: only the data of volumes is backed up",
            told="its ephemeral disk of {value} GiB comes back empty",
        ),
        *not_carried(
            "swap", "data of the swap disk", "nothing to do unless something but swap is kept there",
            told="its swap disk of {value} MiB comes back empty",
        ),
        *of_the_site("identifier", "id", "links"),
    ),
)  # fmt: skip

FLAVOR = Kind(
    "flavor",
    "flavors",
    _REFERENCE + "#show-flavor-details",
    "Found by name at the target, mapped, or made there.",
    (
        *carried("its own name", "name", "vcpus", "ram", "disk", "swap", "extra_specs", "OS-FLV-EXT-DATA:ephemeral"),
        *of_the_site("one that a recovery makes is private to its project", "os-flavor-access:is_public"),
        *carried("once its servers are ready: until then it is the token of what makes it", "description"),
        *not_carried(
            "rxtx_factor", "network factor", "nothing to do: Nova no longer uses it", unset=(1, 1.0, None, ""),
        ),
        *of_the_site("identifier", "id", "links"),
        *of_the_site("state", "OS-FLV-DISABLED:disabled"),
    ),
)  # fmt: skip

KEYPAIR = Kind(
    "key pair",
    "key pairs",
    _REFERENCE + "#show-keypair-details",
    "Those the servers were made with.",
    (
        *carried("its own name", "name", "public_key", "type"),
        *derived("from the public key", "fingerprint"),
        *of_the_site("identifier", "id", "user_id", "links"),
        *of_the_site("state", "deleted", "deleted_at"),
        *of_the_site("time", "created_at", "updated_at"),
    ),
)

SERVER_GROUP = Kind(
    "server group",
    "server groups",
    _REFERENCE + "#show-server-group-details",
    "Those the servers are in.",
    (
        *carried("its own name", "name", "policy"),
        *derived("policy is the only one of them", "policies"),
        *derived("from the servers", "members"),
        *not_carried(
            "rules", "rule", "make the group at the target by hand if that matters: it cannot be changed later",
        ),
        *of_the_site("identifier", "id", "project_id", "user_id"),
        *of_the_site("always empty", "metadata"),
    ),
)  # fmt: skip

ATTACHMENT = Kind(
    "volume attachment",
    "volume attachments",
    _REFERENCE + "#list-volume-attachments-for-an-instance",
    "How a volume hangs on its server.",
    (
        *carried("the order of the volumes; a name that changes is told in the preview", "device"),
        *carried("its own name", "delete_on_termination"),
        *carried("the volume's, by which its guest finds it", "tag"),
        *derived("from server and volume", "volumeId", "serverId"),
        *of_the_site("identifier", "id", "attachment_id", "bdm_uuid"),
    ),
)  # fmt: skip

INTERFACE = Kind(
    "interface",
    "interfaces",
    _REFERENCE + "#list-port-interfaces",
    "How a port hangs on its server.",
    (
        *carried("the port's, by which its guest finds it", "tag"),
        *derived("from the port", "port_id", "net_id", "mac_addr", "fixed_ips"),
        *of_the_site("state", "port_state"),
    ),
)  # fmt: skip

ZONE = Kind(
    "availability zone",
    "availability zones",
    _REFERENCE + "#get-availability-zone-information",
    "Named by servers; found by name at the target, or mapped.",
    (
        *carried("the server's zone", "zoneName"),
        *of_the_site("state", "zoneState"),
        *of_the_site("where it runs", "hosts"),
    ),
)

KINDS = (SERVER, SERVER_FLAVOR, FLAVOR, KEYPAIR, SERVER_GROUP, ATTACHMENT, INTERFACE, ZONE)
