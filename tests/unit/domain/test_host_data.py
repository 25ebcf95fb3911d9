"""What the flavor and the image of a server say of what is kept on its host."""

from __future__ import annotations

from dataclasses import replace

import pytest

from multisite.domain.host_data import boot_volumes, has_firmware_variables, has_vtpm
from tests.unit.recovery.recover_samples import manifest


@pytest.mark.parametrize(
    ("specs", "image", "vtpm", "uefi"),
    [
        ({}, {}, False, False),
        ({"hw:tpm_version": "2.0", "hw:tpm_model": "tpm-crb"}, {}, True, False),
        ({}, {"hw_tpm_version": "1.2"}, True, False),
        ({}, {"hw_tpm_model": "tpm-tis"}, True, False),
        ({"hw:cpu_policy": "dedicated"}, {"hw_disk_bus": "virtio"}, False, False),
        ({}, {"hw_firmware_type": "uefi"}, False, True),
        ({}, {"hw_firmware_type": "bios"}, False, False),
        ({"os:secure_boot": "required"}, {}, False, True),
        ({}, {"os_secure_boot": "optional"}, False, True),
        ({"os:secure_boot": "disabled"}, {}, False, False),
    ],
)
def test_what_is_on_the_host(specs: dict[str, str], image: dict[str, str], vtpm: bool, uefi: bool) -> None:
    assert (has_vtpm(specs, image), has_firmware_variables(specs, image)) == (vtpm, uefi)


def test_the_root_is_what_nova_called_so_else_the_first() -> None:
    point = manifest(1)
    (server,) = point.servers
    assert {id: v.id for id, v in boot_volumes(point).items()} == {server.id: "v-web1-a"}
    other = replace(point, servers=(replace(server, root_device="/dev/vdb"),))
    assert {id: v.id for id, v in boot_volumes(other).items()} == {server.id: "v-web1-b"}
    assert boot_volumes(replace(point, servers=(replace(server, volume_ids=()),))) == {}
