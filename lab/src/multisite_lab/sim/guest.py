"""The guest in a server: it judges its disks at boot, writes records, and stands still while it is frozen.

As the real one does, in the words of ``multisite_lab/guest/README.md``.
"""

from __future__ import annotations

import zlib
from dataclasses import replace

from multisite_lab.sim.content import checksum
from multisite_lab.sim.model import Guest, LocalDisk, Server, Sim, Volume

FIRST_TOLD = 3
"""Of its records it tells the third of a boot on its console."""


def boot(sim: Sim, server: Server) -> None:
    """Judge the disks (``data/guest/verify``), and go on writing where they fit together."""
    if server.status != "ACTIVE":
        return
    root, data = _disks(sim, server)
    if root is None:
        return
    if root.content.seed == 0:  # the first boot of an image
        seed = zlib.crc32(server.id.encode())
        for volume in (root, data):
            if volume is not None:
                volume.content = replace(volume.content, seed=seed)
    fits, ahead = True, 0
    if data is not None:
        ahead = root.content.seq - data.content.seq
        fits = data.content.seed == root.content.seed and ahead in (0, 1)
    seq = root.content.seq
    verdict = (
        f"GUEST-VERIFY root={seq} data={seq - ahead} rbad=0 dbad={0 if fits or ahead else 1} diff={ahead} "
        f"consistent={'yes' if fits else 'no'} sum={root.content.sum} checked={2 * seq - ahead}"
    )
    networks = [
        f"GUEST-NET eth{number} {ip['ip_address']}/24"
        for number, port in enumerate(server.ports)
        for ip in sim.state.ports[port]["fixed_ips"]
        if port in sim.state.ports
    ]
    working = "GUEST-WORKLOAD pid=42" if fits else "GUEST-WORKLOAD refused"
    server.console += ["GUEST-INIT", verdict, working, *networks, f"GUEST-READY up={sim.settings.boot:.2f}"]
    server.guest = Guest(root.content.seed, seq, sim.now, fits)


def _disks(sim: Sim, server: Server) -> tuple[Volume | LocalDisk | None, Volume | LocalDisk | None]:
    """Root and data disk; it does not write to others."""
    volumes = [sim.state.volumes.get(disk.volume_id) for disk in server.disks[:2]]
    found = volumes if server.local is None else [server.local, *volumes]
    return (*found, None, None)[:2]  # two of them, whatever there are


def record(sim: Sim, guest: Guest) -> int:
    """The last record it has written by now."""
    if guest.parked is not None:
        return guest.parked
    if not guest.working:
        return guest.base
    return guest.base + int((sim.now - guest.since) / sim.settings.record_every)


def flush(sim: Sim, server: Server) -> None:
    """Bring its disks to what it has written by now: a copy is about to be taken, or it ends."""
    guest = server.guest
    if guest is None:
        return
    seq = record(sim, guest)
    for volume in _disks(sim, server):
        if volume is not None and guest.working:
            volume.content = replace(volume.content, seed=guest.seed, seq=seq)


def flush_volume(sim: Sim, volume: Volume) -> None:
    """The same for the server a volume is attached to, if it is."""
    server = sim.state.servers.get(volume.server_id or "")
    if server is not None:
        flush(sim, server)


def tell(sim: Sim, server: Server) -> None:
    """Put on the console what is due there."""
    guest = server.guest
    if guest is None or guest.told or record(sim, guest) < guest.base + FIRST_TOLD:
        return
    guest.told = True
    server.console.append(_line("RECORD", guest, guest.base + FIRST_TOLD))


def park(sim: Sim, server: Server) -> None:
    """Freeze: the workload stops between two records, then the file systems."""
    tell(sim, server)
    flush(sim, server)
    if (guest := server.guest) is not None:
        guest.parked = record(sim, guest)
        server.console.append(_line("FREEZE", guest, guest.parked))


def go_on(sim: Sim, server: Server) -> None:
    """Thaw."""
    guest = server.guest
    if guest is not None and guest.parked is not None:
        server.console.append(_line("THAW", guest, guest.parked))
        guest.base, guest.since, guest.parked = guest.parked, sim.now, None
        guest.told = True


def _line(word: str, guest: Guest, seq: int) -> str:
    return f"GUEST-{word} seq={seq} sum={checksum(guest.seed, seq)}"
