"""The site's switch: an empty database at every boot, then three bridges in user space."""

from __future__ import annotations

import subprocess
from pathlib import Path

from multisite_lab.model import Machine
from multisite_lab.netns import UNDERLAY_MTU

_DATABASE = Path("/etc/openvswitch/conf.db")
_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
_THIS_BOOT = Path("/run/openvswitch/made-this-boot")


def new_database(_site: Machine) -> None:
    """Throw the old database away once per boot of the site.

    It would bring back the taps of the guests' previous life; Nova and Neutron make all they need anew.
    """
    if _THIS_BOOT.exists():
        return
    for leftover in [*_DATABASE.parent.glob("conf.db*"), *_DATABASE.parent.glob(".conf.db*")]:
        leftover.unlink()
    _run("ovsdb-tool", "create", str(_DATABASE), _SCHEMA)
    _THIS_BOOT.touch()


def make_bridges(site: Machine) -> None:
    """Integration, external and underlay bridge; the tunnel address sits on the underlay bridge."""
    _vsctl("--no-wait", "init")
    _vsctl("--no-wait", "set", "open", ".", f"external-ids:system-id={site.name}")
    _vsctl(
        *_bridge("br-phy"), *_port("br-phy", "vtep0"),
        *_bridge("br-ex"), *_port("br-ex", "ext0"),
        *_bridge("br-int"),
    )  # fmt: skip
    _vsctl("br-set-external-id", "br-phy", "bridge-id", "br-phy")
    _run("ip", "addr", "replace", f"{site.vtep}/24", "dev", "br-phy")
    _run("ip", "link", "set", "br-phy", "up", "mtu", str(UNDERLAY_MTU))


def _bridge(name: str) -> list[str]:
    return ["--", "--may-exist", "add-br", name, "--", "set", "bridge", name, "datapath_type=netdev"]


def _port(bridge: str, port: str) -> list[str]:
    return ["--", "--may-exist", "add-port", bridge, port]


def _vsctl(*arguments: str) -> None:
    _run("ovs-vsctl", "--timeout=60", *arguments)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr.strip()[-500:]}")
