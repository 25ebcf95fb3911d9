"""What of a server is kept on its host, beside its disks: said by the flavor's extra specs and the image's properties.

Source: Nova's extra specs and Glance's image properties (``hw_tpm_*``, ``hw_firmware_type``, ``os_secure_boot``);
``nova/virt/hardware.py``, ``get_vtpm_constraint`` and ``get_secure_boot_constraint``.
"""

from __future__ import annotations

from collections.abc import Mapping

from multisite.domain.manifest import Manifest, ServerRecord, VolumeRecord

_VTPM = ("hw:tpm_version", "hw:tpm_model"), ("hw_tpm_version", "hw_tpm_model")
_SECURE_BOOT = ("os:secure_boot",), ("os_secure_boot",)
_NO_SECURE_BOOT = (None, "disabled")


def has_vtpm(extra_specs: Mapping[str, str], image: Mapping[str, str]) -> bool:
    """An emulated TPM, whose content libvirt keeps on the host.  ``image``: metadata of the volume it boots from."""
    specs, properties = _VTPM
    return any(extra_specs.get(name) for name in specs) or any(image.get(name) for name in properties)


def has_firmware_variables(extra_specs: Mapping[str, str], image: Mapping[str, str]) -> bool:
    """UEFI, whose variables (boot entries, enrolled keys) libvirt keeps on the host."""
    (spec,), (property,) = _SECURE_BOOT
    secure = {extra_specs.get(spec), image.get(property)} - set(_NO_SECURE_BOOT)
    return image.get("hw_firmware_type") == "uefi" or bool(secure)


def boot_volumes(manifest: Manifest) -> dict[str, VolumeRecord]:
    """The volume that each server boots from, by server id: the one Nova called its root, else the first."""
    volumes = {v.id: v for v in manifest.volumes}
    found = {}
    for server in manifest.servers:
        own = [volumes[v] for v in server.volume_ids if v in volumes]
        if own:
            found[server.id] = min(own, key=lambda v: _place(server, v))
    return found


def _place(server: ServerRecord, volume: VolumeRecord) -> tuple[bool, int, str]:
    return volume.device != server.root_device, len(volume.device), volume.device
