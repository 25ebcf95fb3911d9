"""A module must come after everything it needs, once, and what the kernel has built in is no module."""

from __future__ import annotations

from pathlib import Path

from multisite_lab.guest import modules

NEEDS = {
    "virtio_net": ["net_failover", "virtio"],
    "net_failover": ["failover"],
    "failover": [],
    "virtio": ["virtio_ring"],
    "virtio_ring": [],
    "virtio_blk": ["virtio", "virtio_ring"],
}


def test_what_a_module_needs_comes_first() -> None:
    order = modules.order(["virtio_blk", "virtio_net"], NEEDS, set())
    assert order == ["virtio_ring", "virtio", "virtio_blk", "failover", "net_failover", "virtio_net"]


def test_what_is_loaded_is_not_loaded_again() -> None:
    loaded: set[str] = set()
    modules.order(["virtio_blk"], NEEDS, loaded)
    assert modules.order(["virtio_net"], NEEDS, loaded) == ["failover", "net_failover", "virtio_net"]


def test_what_is_no_module_is_built_in() -> None:
    assert modules.order(["ext4"], NEEDS, set()) == []


def test_needs_are_read_from_the_module_itself() -> None:
    module = b"\x7fELF...\0license=GPL\0depends=virtio,net-failover\0retpoline=Y\0"
    assert modules.depends(module) == ["virtio", "net_failover"]
    assert modules.depends(b"\0depends=\0") == []
    assert modules.depends(b"no section at all") == []


def test_install_writes_both_lists_and_copies_what_is_in_them(tmp_path: Path) -> None:
    kernel, target = tmp_path / "kernel", tmp_path / "lib"
    (kernel / "drivers").mkdir(parents=True)
    target.mkdir()
    for name, needs in (
        ("virtio_blk", "virtio"),
        ("virtio", ""),
        ("sd_mod", "scsi-mod"),
        ("scsi-mod", ""),
        ("other", ""),
    ):
        (kernel / "drivers" / f"{name}.ko").write_bytes(b"\0depends=" + needs.encode() + b"\0")
    modules.install(kernel, target)
    assert (target / "order").read_text().split() == ["virtio", "virtio_blk"]
    assert (target / "lazy").read_text().split() == ["scsi_mod", "sd_mod"]
    assert sorted(p.name for p in target.glob("*.ko")) == [
        "scsi_mod.ko",
        "sd_mod.ko",
        "virtio.ko",
        "virtio_blk.ko",
    ]
