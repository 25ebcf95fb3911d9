"""What Cinder answers, up to microversion 3.71.

Sources: Block Storage API reference v3; ``cinder/api/v3/views/{volumes,types}.py``, ``cinder/api/contrib/volume_*.py``,
``types_extra_specs.py``.  Multisite asks 3.43.
"""

from __future__ import annotations

from multisite.clouds.ledger.model import Kind, carried, derived, not_carried, of_the_site

_REFERENCE = "https://docs.openstack.org/api-ref/block-storage/v3/"

VOLUME = Kind(
    "volume",
    "volumes",
    _REFERENCE + "#show-a-volume-s-details",
    "Every volume of every member, with its data.",
    (
        *carried("its own name", "name", "size", "volume_type", "bootable"),
        *carried("what is the user's, and whether it is read-only, which administrators see", "metadata"),
        *carried("image metadata", "volume_image_metadata"),
        *carried("its device", "attachments"),
        *carried("its own name", "description"),
        *not_carried(
            "encrypted", "key", told="it is encrypted",
            remedy="a site restores it only into a volume type of the same id and with its key: retype what is to be "
            "recovered elsewhere to a type that is not encrypted",
        ),
        *not_carried(
            "group_id", "membership in volume group",
            "make a group at the target and add the volume: openstack volume group create, volume group add volume",
        ),
        *not_carried(
            "consistencygroup_id", "membership in consistency group",
            "make a volume group at the target, which took their place",
        ),
        *derived("from its type", "multiattach", "replication_status", "volume_type_id"),
        *derived("from its encryption", "encryption_key_id"),
        *of_the_site("identifier", "id", "user_id", "links", "os-vol-tenant-attr:tenant_id", "provider_id",
                     "service_uuid", "os-vol-mig-status-attr:name_id"),
        *carried("the zone it is mapped to, or that of a server that asked for the same; else the target's default",
                 "availability_zone"),
        *of_the_site("where it is", "os-vol-host-attr:host", "cluster_name", "shared_targets"),
        *of_the_site("what it was made from", "snapshot_id", "source_volid"),
        *of_the_site("state", "status", "migration_status", "os-vol-mig-status-attr:migstat", "consumes_quota"),
        *of_the_site("time", "created_at", "updated_at"),
    ),
)  # fmt: skip

VOLUME_TYPE = Kind(
    "volume type",
    "volume types",
    _REFERENCE + "#show-volume-type-detail",
    "Named by volumes; found by name at the target, or mapped: types are its operator's.",
    (
        *carried("the volume's type", "name"),
        *of_the_site("identifier", "id"),
        *of_the_site("of the type at the target", "description", "is_public", "os-volume-type-access:is_public",
                     "extra_specs", "qos_specs_id"),
    ),
)  # fmt: skip

KINDS = (VOLUME, VOLUME_TYPE)
