"""First process of a site: name, private mounts, then the supervisor takes its place.

Because the supervisor is process 1 of the site's pid namespace it inherits and reaps every orphan, and
killing it ends everything the site runs.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from multisite_lab.model import Machine, machine_named

_RSYNC = Path("/usr/bin/rsync")
_EMPTY = ("/run/netns", "/run/openvswitch", "/run/libvirt")


def main() -> None:
    """Prepare the namespaces this process is in and become the supervisor."""
    os.umask(0o077)
    site = machine_named(sys.argv[1])
    socket.sethostname(site.name)
    for folder in _EMPTY:
        Path(folder).mkdir(parents=True, exist_ok=True)
        _mount("-t", "tmpfs", "tmpfs", folder)
    if (site.etc / "bin" / "rsync").exists():
        shutil.copy2(_RSYNC, site.run / "rsync")  # for what is mounted over it
    for source, target in _binds(site).items():
        if not source.exists():
            continue  # a site that is only a part of the identity, a lean one, a host: each lacks some
        if source.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        if target.exists():
            _mount("--bind", str(source), str(target))
    os.execv(
        sys.executable,
        [sys.executable, "-m", "supervisor.supervisord", "-c", str(site.etc / "supervisord.conf")],
    )


def _binds(site: Machine) -> dict[Path, Path]:
    return {
        site.var / "ovs": Path("/etc/openvswitch"),
        site.log / "ovs": Path("/var/log/openvswitch"),
        site.etc / "libvirt": Path("/etc/libvirt"),
        site.var / "libvirt": Path("/var/lib/libvirt"),
        site.var / "libvirt-cache": Path("/var/cache/libvirt"),
        # Here and not by a -c option: QEMU's and os-brick's librbd look nowhere else.
        site.etc / "ceph": Path("/etc/ceph"),
        site.etc / "hosts": Path("/etc/hosts"),
        site.etc / "bin" / "sudo": Path("/usr/bin/sudo"),
        site.etc / "bin" / "rsync": _RSYNC,
        # No name service: nothing in a site may wait for one.
        Path("/dev/null"): Path("/etc/resolv.conf"),
    }


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


if __name__ == "__main__":
    main()
