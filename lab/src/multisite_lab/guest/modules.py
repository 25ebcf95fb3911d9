"""Which kernel modules the guest loads, and in which order.

The order comes from the modules themselves (their ``.modinfo``), so neither depmod nor kmod is needed.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

# Loaded by the initial RAM disk, at every boot.
ALWAYS = ("virtio_pci", "virtio_blk", "virtio_console", "virtio_rng", "virtio_net")
# Loaded only if there is no virtio disk, and after the guest is ready (for the config drive).
LATE = ("virtio_scsi", "sd_mod", "ata_piix", "sr_mod", "isofs", "button")

_DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")


def depends(module: bytes) -> list[str]:
    """The names of the modules that a module's file says it needs."""
    found = _DEPENDS.search(module)
    names = found.group(1).decode().split(",") if found else []
    return [name.replace("-", "_") for name in names if name]


def order(wanted: Iterable[str], needs: Mapping[str, list[str]], loaded: set[str]) -> list[str]:
    """The wanted modules after everything they need; what is no module is built into the kernel.

    Whatever is returned is added to ``loaded`` and never returned again.
    """
    result: list[str] = []

    def add(name: str) -> None:
        if name in loaded or name not in needs:
            return
        loaded.add(name)
        for other in needs[name]:
            add(other)
        result.append(name)

    for name in wanted:
        add(name)
    return result


class _Needs(dict[str, list[str]]):
    """Dependencies read from module files only when asked for: a kernel has thousands."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        super().__init__()
        self.paths = paths

    def __contains__(self, name: object) -> bool:
        return name in self.paths

    def __missing__(self, name: str) -> list[str]:
        self[name] = depends(self.paths[name].read_bytes())
        return self[name]


def install(kernel: Path, target: Path) -> None:
    """Copy the guest's modules from a kernel's folder, with the files ``order`` and ``lazy`` naming them."""
    paths = {path.stem.replace("-", "_"): path for path in kernel.rglob("*.ko")}
    needs = _Needs(paths)
    loaded: set[str] = set()
    for listing, wanted in (("order", ALWAYS), ("lazy", LATE)):
        names = order(wanted, needs, loaded)
        for name in names:
            shutil.copy(paths[name], target / f"{name}.ko")
        (target / listing).write_text("".join(f"{name}\n" for name in names))
