"""Network namespaces and cables: three switches in the core, three cables to each site."""

from __future__ import annotations

import subprocess
from pathlib import Path

from multisite_lab import paths
from multisite_lab.model import CORE_EXTERNAL, CORE_MANAGEMENT, CORE_NAMESPACE, LabError, Site
from multisite_lab.passwords import write_private

RUN = Path("/run/netns")
UNDERLAY_MTU = 1600
"""Room for a VXLAN header around the 1550 bytes that the tenant networks use."""

_CABLES = (("m", "brm", "mgmt"), ("u", "bru", "vtep0"), ("x", "brx", "ext0"))


def ensure_core() -> None:
    """Make the core's switches unless they are there; refuse a namespace somebody else made."""
    if _present(CORE_NAMESPACE):
        require_ours(CORE_NAMESPACE)
        return
    _create(CORE_NAMESPACE)
    bridges = [f"link add {b} type bridge\nlink set {b} up" for b in ("brm", "bru", "brx")]
    addresses = [f"addr add {CORE_MANAGEMENT}/24 dev brm", f"addr add {CORE_EXTERNAL}/24 dev brx"]
    _batch(CORE_NAMESPACE, [*bridges, *addresses])


def create_site(site: Site) -> None:
    """Make a site's namespace and its cables anew, as if its machine room had just been wired."""
    remove_site(site)
    _create(site.namespace)
    commands = []
    for letter, bridge, inside in _CABLES:
        outside = f"{letter}-{site.name}"
        commands.append(f"link add {outside} type veth peer name {inside} netns {site.namespace}")
        commands.append(f"link set {outside} master {bridge} up")
    commands.append(f"link set u-{site.name} mtu {UNDERLAY_MTU}")
    _batch(CORE_NAMESPACE, commands)
    _batch(
        site.namespace,
        [
            f"addr add {site.management}/24 dev mgmt",
            "link set mgmt up",
            f"link set vtep0 mtu {UNDERLAY_MTU} up",
            "link set ext0 up",
        ],
    )
    _no_checksum_offload(site)


def remove_site(site: Site) -> None:
    """Cut a site's cables and forget its namespace."""
    if _present(CORE_NAMESPACE):
        require_ours(CORE_NAMESPACE)
        for letter in (*(letter for letter, _, _ in _CABLES), "t"):
            # Explicitly: a process that entered the namespace by hand would keep it, and the cable, alive.
            subprocess.run(
                ["ip", "-n", CORE_NAMESPACE, "link", "del", f"{letter}-{site.name}"], capture_output=True
            )
    _remove(site.namespace)


def remove_core() -> None:
    """Forget the core's switches."""
    _remove(CORE_NAMESPACE)


def require_ours(name: str) -> None:
    """Refuse to touch a namespace of our name that this lab did not make."""
    if not _present(name) or _identity(name) == _recorded(name):
        return
    raise LabError(
        f"the network namespace {name} exists but was not made by the lab in {paths.state()}; "
        f"if nobody needs it remove it with: ip netns del {name}"
    )


def site_wired(site: Site) -> bool:
    """Whether the site's namespace and its management cable are there."""
    if not _present(site.namespace) or not _present(CORE_NAMESPACE):
        return False
    command = ["ip", "-n", CORE_NAMESPACE, "link", "show", f"m-{site.name}"]
    return subprocess.run(command, capture_output=True).returncode == 0


def plug(site: Site, connected: bool) -> None:
    """Plug a site's cables in at the core, or out: what runs at either end is not told."""
    word = "up" if connected else "down"
    _batch(CORE_NAMESPACE, [f"link set {letter}-{site.name} {word}" for letter, _, _ in _CABLES])


def attach(site: Site) -> None:
    """Put a site's management cable straight into its switch, without a splice."""
    subprocess.run(["ip", "-n", CORE_NAMESPACE, "link", "del", f"t-{site.name}"], capture_output=True)
    _batch(CORE_NAMESPACE, [f"link set m-{site.name} master brm"])


def splice(site: Site) -> tuple[str, str]:
    """Cut a site's management cable open; return both ends, in the core, for a program to carry frames between."""
    near, far, plug_end = f"m-{site.name}", f"s-{site.name}", f"t-{site.name}"
    _batch(
        CORE_NAMESPACE,
        [
            f"link set {near} nomaster",
            f"link add {plug_end} type veth peer name {far}",
            f"link set {plug_end} master brm up",
            f"link set {far} up",
        ],
    )
    # A program gets frames as they are: whole segments with their checksums must come, not what a card would finish.
    for namespace, device in ((site.namespace, "mgmt"), (CORE_NAMESPACE, plug_end)):
        _ip("netns", "exec", namespace, "ethtool", "-K", device, "tx", "off", "tso", "off", "gso", "off")
    return near, far


def core_address(address: str) -> None:
    """Give the core one more address on the management network."""
    _ip("-n", CORE_NAMESPACE, "addr", "replace", f"{address}/24", "dev", "brm")


def enter(name: str) -> list[str]:
    """Command prefix that runs something in a network namespace and shares everything else."""
    return ["nsenter", f"--net={RUN / name}", "--"]


def core_present() -> bool:
    """Whether the core's switches exist and are ours."""
    return _present(CORE_NAMESPACE) and _identity(CORE_NAMESPACE) == _recorded(CORE_NAMESPACE)


def _no_checksum_offload(site: Site) -> None:
    # User-space OVS passes frames on as a veth hands them over, with the checksum still to be filled in.
    for namespace, device in ((site.namespace, "vtep0"), (CORE_NAMESPACE, f"u-{site.name}")):
        for target in (device,) if device != "vtep0" else ("vtep0", "ext0"):
            subprocess.run(
                ["ip", "netns", "exec", namespace, "ethtool", "-K", target, "tx", "off"], capture_output=True
            )
    subprocess.run(
        ["ip", "netns", "exec", CORE_NAMESPACE, "ethtool", "-K", f"x-{site.name}", "tx", "off"],
        capture_output=True,
    )


def _create(name: str) -> None:
    _ip("netns", "add", name)
    write_private(_record(name), _identity(name) + "\n")
    _ip("-n", name, "link", "set", "lo", "up")


def _remove(name: str) -> None:
    if _present(name):
        require_ours(name)
        _ip("netns", "del", name)
    _record(name).unlink(missing_ok=True)


def _present(name: str) -> bool:
    return (RUN / name).exists()


def _identity(name: str) -> str:
    stat = (RUN / name).stat()
    return f"{stat.st_dev}:{stat.st_ino}"


def _recorded(name: str) -> str | None:
    try:
        return _record(name).read_text().strip()
    except OSError:
        return None


def _record(name: str) -> Path:
    return paths.state() / "core" / f"{name}.netns"


def _batch(namespace: str, commands: list[str]) -> None:
    text = "\n".join(commands) + "\n"
    _checked(["ip", "-n", namespace, "-batch", "-"], text)


def _ip(*arguments: str) -> None:
    _checked(["ip", *arguments])


def _checked(command: list[str], text: str | None = None) -> None:
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode:
        raise LabError(f"{' '.join(command)} failed: {done.stderr.strip()}")
