"""Two or three simulated sites with one external segment, an address that moves between them, and the truth of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from multisite.clouds import call as calls
from multisite.clouds.connect import Sites
from multisite.domain.caller import Caller
from multisite.domain.moving_address import MovingAddress
from multisite.networks.addresses import reader as reading
from multisite.networks.addresses.binder import Patience
from multisite.networks.addresses.guard import AddressGuard
from multisite.networks.addresses.service import AddressService
from multisite.networks.members import MemberAsked
from multisite.store import addresses as store
from multisite.store.database import Database
from multisite_lab.sim.model import Settings
from multisite_lab.sim.neutron import floating_ips
from multisite_lab.sim.site import SimSite, Wire
from multisite_lab.sim.world import World, make_world
from tests.sim import deploy
from tests.sim.tiny_engine import TinyEngine

ADDRESS = "203.0.113.77"
PATIENCE = Patience(agent=1.0, word=0.1, quiet=1.0, answer=1.0, poll=0.01)
OPERATOR = Caller("u-1", "olga", "p1", "vnf", frozenset({"admin"}), "req-1")


class AddressSetup:
    """``excused``: sites that may hold it beside another one (fenced while away, or bound by hand) until the guard."""

    def __init__(self, folder: Path, world: World, probe: str = "icmp") -> None:
        self.world = world
        self.database = Database(f"sqlite:///{folder / 'multisite.sqlite'}")
        self.database.upgrade()
        self.clouds = Sites(config_file=world.write_clouds(folder / "clouds.yaml"), timeout=5.0)
        self.engine = TinyEngine(self.database)
        self.service = AddressService(
            self.database,
            self.engine,
            self.clouds,
            listener=self.listen,
            patience=PATIENCE,  # type: ignore[arg-type]
        )
        self.guard = AddressGuard(self.service)
        self.rows = store.AddressRepository(self.database)
        self.deaf = False
        self.excused: set[str] = set()
        self.twice: list[str] = []
        self.ports = {name: self._member(name) for name in world.sites}
        self.address_id = ""
        for site in world.sites.values():
            self._watch(site)

    def _member(self, name: str) -> str:
        cloud = self.clouds.open_for_service(name)
        public = deploy.ask(
            cloud.network, "POST", "/networks", {"network": {"name": "public", "router:external": True}}
        )
        network_id = public["network"]["id"]
        fields = {"network_id": network_id, "ip_version": 4, "cidr": "203.0.113.0/24", "enable_dhcp": False}
        deploy.ask(cloud.network, "POST", "/subnets", {"subnet": fields})
        inside = deploy.network(cloud, "inside", "10.9.0.0/24")
        return deploy.port(cloud, "member", inside)

    def _watch(self, site: SimSite) -> None:
        """After every request the truth is looked at."""
        reply = site.reply

        def watched(wire: Wire) -> Any:
            answer = reply(wire)
            self.look()
            return answer

        site.reply = watched  # type: ignore[method-assign]

    def holders(self) -> list[str]:
        """Who answers for the address on the external segment, by the sites' own data planes."""
        return [n for n, site in self.world.sites.items() if floating_ips.carried(site.settle(), ADDRESS)]

    def extra(self, name: str) -> list[str]:
        """Floating IPs and ports at a site that are neither the address nor a member's."""
        state = self.world.sites[name].settle().state
        found = [row["floating_ip_address"] for row in state.floatingips.values()]
        ports = [row["name"] for row in state.ports.values() if row["name"] != "member"]
        return [address for address in found if address != ADDRESS] + [p for p in ports if "witness" in p]

    def reachable(self) -> list[str]:
        return [name for name in self.world.sites if name not in self.away]

    @property
    def away(self) -> set[str]:
        return self._away

    _away: set[str] = set()  # noqa: RUF012 - replaced, never changed in place

    def cut(self, name: str) -> None:
        self._away = self._away | {name}
        self.world.cut(name)

    def reconnect(self, name: str) -> None:
        self._away = self._away - {name}
        self.world.reconnect(name)

    def look(self) -> None:
        wrong = [name for name in self.holders() if name not in self.away and name not in self.excused]
        if len(wrong) > 1:
            self.twice.append(" and ".join(wrong))

    def listen(self, _address: str, _how: str) -> bool | None:
        self.look()
        return None if self.deaf else bool(self.holders())

    def create(self, active: str = "site1") -> MovingAddress:
        members = [MemberAsked(name, port) for name, port in self.ports.items()]
        made = self.service.create(OPERATOR, "gw", ADDRESS, members, active)
        self.address_id = made.id
        job = self.engine.rest(made.job_id)
        assert job.error is None, job.error
        return self.record()

    def record(self) -> MovingAddress:
        return self.rows.get(self.address_id)

    def move(self, to: str, *fenced: str, die_at: int | None = None) -> Any:
        """The job, carried out as far as it gets."""
        made = self.service.move(OPERATOR, self.address_id, to, fenced=fenced)
        self.excused |= {site for site in fenced if site in self.away}
        return self.engine.rest(made.job_id, die_at)

    def by_hand(self, name: str) -> None:
        """Somebody associates the floating IP with the member's port, past us."""
        cloud = self.clouds.open_for_service(name)
        rows = deploy.ask(cloud.network, "GET", f"/floatingips?floating_ip_address={ADDRESS}")["floatingips"]
        self.excused.add(name)
        deploy.ask(
            cloud.network,
            "PUT",
            f"/floatingips/{rows[0]['id']}",
            {"floatingip": {"port_id": self.ports[name]}},
        )

    def watch_over(self) -> None:
        """Rounds of the guard until it has nothing to do; who can be asked is not excused any more."""
        for _ in range(4):
            self.guard._acted.clear()
            started = self.guard.round()
            for job_id in started:
                self.engine.rest(job_id)
            if not started:
                break

    def rest(self) -> None:
        for job_id in self.engine.unsettled():
            self.engine.rest(job_id)


@contextmanager
def address_setup(folder: Path, *names: str) -> Iterator[AddressSetup]:
    """Fresh sites; calls are not repeated for long."""
    attempts, calls.ATTEMPTS = calls.ATTEMPTS, 2
    hurry, reading.HURRY_SECONDS = reading.HURRY_SECONDS, 0.1
    change = store.AddressRepository.change
    with make_world(names or ("site1", "site2"), settings=Settings(l3=0.005, dhcp=0.0)) as world:
        made = AddressSetup(folder, world)

        def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
            made.engine.boundaries.check()  # before it is written, and
            found = change(self, *args, **kwargs)
            made.engine.boundaries.check()  # right after
            return found

        store.AddressRepository.change = counted  # type: ignore[method-assign]
        try:
            yield made
        finally:
            store.AddressRepository.change = change  # type: ignore[method-assign]
            calls.ATTEMPTS = attempts
            reading.HURRY_SECONDS = hurry
            made.database.close()
