"""Network namespaces and cables: three switches in the core, three cables to each site.

In a form made for networks each site has three switches of its own, also kept in the core's namespace: its machines
are plugged into those, and one uplink joins each to the core's.  What happens to the uplinks happens to the site.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from multisite_lab import form, paths
from multisite_lab.model import CORE_EXTERNAL, CORE_MANAGEMENT, CORE_NAMESPACE, LabError, Machine, Site
from multisite_lab.passwords import write_private

RUN = Path("/run/netns")
UNDERLAY_MTU = 1600
"""Room for a VXLAN header around the 1550 bytes that the tenant networks use."""

_CABLES = (("m", "brm", "mgmt"), ("u", "bru", "vtep0"), ("x", "brx", "ext0"))
_LETTERS = tuple(letter for letter, _, _ in _CABLES)


def ensure_core() -> None:
    """Make the core's switches unless they are there; refuse a namespace somebody else made."""
    if _present(CORE_NAMESPACE):
        require_ours(CORE_NAMESPACE)
        return
    _create(CORE_NAMESPACE)
    # Else every switch that a request passes answers for the core's addresses, and answers go past whom they are for.
    _checked(["ip", "netns", "exec", CORE_NAMESPACE, "sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=1"])
    bridges = [f"link add {b} type bridge\nlink set {b} up" for b in ("brm", "bru", "brx")]
    addresses = [f"addr add {CORE_MANAGEMENT}/24 dev brm", f"addr add {CORE_EXTERNAL}/24 dev brx"]
    _batch(CORE_NAMESPACE, [*bridges, *addresses])


def create(machine: Machine) -> None:
    """Make a machine's namespace and its cables anew, as if its machine room had just been wired."""
    remove(machine)
    switched = form.current().networks
    if switched:
        _ensure_switches(machine.site)
    _create(machine.namespace)
    commands = []
    for letter, bridge, inside in _CABLES:
        outside = _plug(letter, machine, switched)
        commands.append(f"link add {outside} type veth peer name {inside} netns {machine.namespace}")
        commands.append(
            f"link set {outside} master {_switch(letter, machine.site) if switched else bridge} up"
        )
    commands.append(f"link set {_plug('u', machine, switched)} mtu {UNDERLAY_MTU}")
    _batch(CORE_NAMESPACE, commands)
    _batch(
        machine.namespace,
        [
            f"addr add {machine.management}/24 dev mgmt",
            "link set mgmt up",
            f"link set vtep0 mtu {UNDERLAY_MTU} up",
            "link set ext0 up",
        ],
    )
    for device in ("vtep0", "ext0"):
        _no_checksum_offload(machine.namespace, device)
    for letter in ("u", "x"):
        _no_checksum_offload(CORE_NAMESPACE, _plug(letter, machine, switched))


def remove(machine: Machine) -> None:
    """Cut a machine's cables, with a site's its uplinks too, and forget its namespace."""
    if _present(CORE_NAMESPACE):
        require_ours(CORE_NAMESPACE)
        # Explicitly: a process that entered the namespace by hand would keep it, and the cable, alive.
        cables = [_plug(letter, machine, True) for letter in _LETTERS]
        if isinstance(machine, Site):
            cables += [*(_uplink(letter, machine) for letter in _LETTERS), f"t-{machine.name}"]
        _delete(cables)
    _remove(machine.namespace)


def remove_switches(site: Site) -> None:
    """Forget the switches of a site none of whose machines is left."""
    if _present(CORE_NAMESPACE):
        _delete([_switch(letter, site) for letter in _LETTERS])


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


def wired(machine: Machine) -> bool:
    """Whether the machine's namespace, its management cable and the site's uplink are there."""
    if not _present(machine.namespace) or not _present(CORE_NAMESPACE):
        return False
    needed = {_plug("m", machine, form.current().networks), _uplink("m", machine.site)}
    return all(_device(name) for name in needed)


def switch_of(site: Site, letter: str) -> str:
    """The site's own switch of a network (m, u or x) in the core's namespace, in a form that has one."""
    return _switch(letter, site)


def plug(site: Site, connected: bool) -> None:
    """Plug a site's cables in at the core, or out: what runs at either end is not told."""
    word = "up" if connected else "down"
    _batch(CORE_NAMESPACE, [f"link set {_uplink(letter, site)} {word}" for letter in _LETTERS])


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
    inside = [(machine.namespace, "mgmt") for machine in form.machines(site) if _present(machine.namespace)]
    for namespace, device in (*inside, (CORE_NAMESPACE, plug_end)):
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


def _ensure_switches(site: Site) -> None:
    commands = []
    for letter, core_switch, _ in _CABLES:
        switch, uplink, inner = _switch(letter, site), _uplink(letter, site), f"i{letter}-{site.name}"
        if not _device(switch):
            commands += [f"link add {switch} type bridge", f"link set {switch} up"]
        if not _device(uplink):
            commands += [
                f"link add {uplink} type veth peer name {inner}",
                f"link set {uplink} master {core_switch} up",
                f"link set {inner} master {switch} up",
            ]
            if letter == "u":
                commands += [f"link set {end} mtu {UNDERLAY_MTU}" for end in (uplink, inner)]
    if commands:
        _batch(CORE_NAMESPACE, commands)


def _plug(letter: str, machine: Machine, switched: bool) -> str:
    return f"p{letter}-{machine.name}" if switched else _uplink(letter, machine.site)


def _uplink(letter: str, site: Site) -> str:
    return f"{letter}-{site.name}"


def _switch(letter: str, site: Site) -> str:
    return f"s{letter}-{site.name}"


def _device(name: str) -> bool:
    command = ["ip", "-n", CORE_NAMESPACE, "link", "show", name]
    return subprocess.run(command, capture_output=True).returncode == 0


def _delete(devices: list[str]) -> None:
    # Those that are not there are left out by -force.
    text = "".join(f"link del {device}\n" for device in devices)
    subprocess.run(
        ["ip", "-n", CORE_NAMESPACE, "-force", "-batch", "-"], input=text, capture_output=True, text=True
    )


def _no_checksum_offload(namespace: str, device: str) -> None:
    # User-space OVS passes frames on as a veth hands them over, with the checksum still to be filled in.
    command = ["ip", "netns", "exec", namespace, "ethtool", "-K", device, "tx", "off"]
    subprocess.run(command, capture_output=True)


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
