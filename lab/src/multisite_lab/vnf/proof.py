"""Is a guest whole, and which moment of its life does it stand at?  The guest says so itself, at boot."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from multisite_lab import sites
from multisite_lab.guest import console
from multisite_lab.guest.console import Record
from multisite_lab.model import LabError
from multisite_lab.vnf.inventory import Vnf
from multisite_lab.vnf.site import Progress, connect, silent, site_of, until

BOOT_TIMEOUT = 420.0


@dataclass(frozen=True)
class Proof:
    """A guest's judgment of its two disks at its newest boot."""

    name: str
    consistent: bool
    record: int
    sum: int
    journal: str
    """``clean``: the disks were frozen when they were copied; ``recovered``: as after a power cut."""

    def matches(self, record: Record) -> bool:
        """Is this guest whole and at exactly this record, checksum included?"""
        return self.consistent and (self.record, self.sum) == (record.number, record.sum)


def _boot(cloud: str, server_id: str, text: str | None) -> console.Boot:
    return console.parse(sites.console(site_of(cloud), server_id) if text is None else text)


def proof(
    cloud: str, server_id: str, console_text: str | None = None, name: str = "", timeout: float = 0
) -> Proof:
    """What a guest found at its newest boot; waits that long for it to tell (not, if the text is given)."""
    name = name or connect(cloud).compute.get_server(server_id).name

    def told() -> Proof | None:
        boot = _boot(cloud, server_id, console_text)
        verdict = boot.verdict
        if verdict is None:
            return None
        return Proof(name, verdict.consistent, verdict.root, verdict.sum, boot.journal)

    return until(told, f"{name}: no GUEST-VERIFY on its console", 0 if console_text is not None else timeout)


def proofs(vnf: Vnf, timeout: float = BOOT_TIMEOUT) -> list[Proof]:
    """The proof of each server."""
    return [proof(vnf.cloud, server.id, name=server.name, timeout=timeout) for server in vnf.servers]


def expected(cloud: str, server_id: str, console_text: str | None = None) -> Record | None:
    """The record a guest was parked on at its last freeze: what a copy taken then must come back with."""
    freezes = _boot(cloud, server_id, console_text).freezes
    return freezes[-1] if freezes else None


def newest_record(cloud: str, domain: str) -> int:
    """The number of the last record a guest has written, asked of its agent by its ``domain``."""
    _, said = sites.guest_exec(site_of(cloud), domain, "cat /run/record")
    return int(said.split()[0])  # number and checksum


def marked_record(text: str) -> int | None:
    """The number of the record in a console mark of a restore point; None if it is no such mark."""
    record = console.marked(text)
    return record.number if record else None


def wait_working(
    cloud: str, servers: Iterable[tuple[str, str]], progress: Progress = silent, timeout: float = BOOT_TIMEOUT
) -> None:
    """Wait until each server (id, name) is ready and its workload writes; fail when one refuses to."""
    for server_id, name in servers:

        def working(server_id: str = server_id, name: str = name) -> console.Boot | None:
            boot = _boot(cloud, server_id, None)
            if boot.working is False:
                raise LabError(f"{name}: its two disks do not fit together: {boot.verdict}")
            if boot.ready is not None and boot.records:
                return boot
            if not sites.is_alive(site_of(cloud)):  # a console is a file that outlives its site
                raise LabError(f"{name}: site {site_of(cloud)} is down")
            return None

        boot = until(working, f"{name} writes no records", timeout)
        progress(f"{name}: works, ready {boot.ready} s after its power on, {boot.addresses}")
