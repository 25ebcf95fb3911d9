"""What Glance answers.

Sources: Image API reference v2; ``glance/api/v2/images.py: get_base_properties``.  Properties of an image beyond these
are its owner's own, of any name.
"""

from __future__ import annotations

from multisite.clouds.ledger.model import Kind, derived, of_the_site

IMAGE = Kind(
    "image",
    "images",
    "https://docs.openstack.org/api-ref/image/v2/#show-image",
    "Not part of a restore point: what a volume was made from is in its data and in its image metadata.",
    (
        *derived(
            "in the image metadata of the volumes made from it", "min_disk", "min_ram", "name", "checksum",
            "container_format", "disk_format", "size",
        ),
        *of_the_site("identifier", "id", "owner", "self", "file", "schema", "direct_url", "locations", "stores"),
        *of_the_site("of the image", "visibility", "protected", "os_hidden", "tags", "os_hash_algo", "os_hash_value",
                     "virtual_size"),
        *of_the_site("state", "status"),
        *of_the_site("time", "created_at", "updated_at"),
    ),
)  # fmt: skip

KINDS = (IMAGE,)
