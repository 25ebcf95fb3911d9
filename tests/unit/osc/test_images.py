"""``openstack multisite image ...``"""

from __future__ import annotations

from multisite_client.osc.image import size
from osc.cloud import Cloud
from osc.conftest import Openstack


def test_replicate_show_list_delete(openstack: Openstack, cloud: Cloud) -> None:
    image = cloud.services.of("free images").id
    words = ("--source-site", "paris", "--target-site", "lyon")
    made = openstack("image", "replicate", image, *words, "-f", "json")
    assert made.code == 0, made.err
    assert made.json["state"] == "done"
    (copy,) = made.json["copies"]
    assert (copy["site"], copy["state"]) == ("lyon", "ready")
    shown = openstack("image", "replication", "show", made.json["image_name"])
    assert f"lyon: ready, image {copy['image_id']}" in shown.out
    listed = openstack("image", "replication", "list")
    assert "lyon ready" in listed.out
    assert openstack("image", "replication", "delete", made.json["id"]).code == 0
    gone = openstack("image", "replication", "show", made.json["id"])
    assert gone.code == 1


def test_no_such_image(openstack: Openstack, cloud: Cloud) -> None:
    asked = openstack("image", "replicate", "nothing", "--source-site", "paris", "--target-site", "lyon")
    assert asked.code == 1
    assert "there is no image 'nothing' in paris" in asked.err


def test_sizes_for_people() -> None:
    assert [size(n) for n in (5, 2048, 3 << 30)] == ["5 B", "2.0 KiB", "3.0 GiB"]
