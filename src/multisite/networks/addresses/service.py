"""What operators do with moving addresses: every change of a site is a durable job that has the address to itself."""

from __future__ import annotations

import builtins
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from multisite.clouds.connect import Sites
from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict, Invalid, NotFound
from multisite.domain.moving_address import (
    AddressMember,
    AddressState,
    EpochRecord,
    Judgment,
    MovingAddress,
    judge,
)
from multisite.domain.page import ALL, Page
from multisite.jobs.engine import JobEngine
from multisite.jobs.model import JobState
from multisite.networks.addresses import kinds, setup
from multisite.networks.addresses.binder import AddressBinder, Patience
from multisite.networks.addresses.plan import MovePlan, plan_move
from multisite.networks.addresses.reader import AddressReader, Listen, listen
from multisite.networks.addresses.steps import Tools
from multisite.networks.members import MemberAsked, find_member
from multisite.networks.probe.echo import way
from multisite.networks.probe.target import member_address
from multisite.store.addresses import AddressRepository
from multisite.store.database import Database
from multisite.store.trail import AuditTrail

FEWEST = 2


class AddressService:
    """The verbs.  Callers see what is of their project, administrators everything.

    ``listener``: how the address is listened to from outside (``reader.listen``: from where this service runs).
    Registers its kinds of jobs with ``jobs``.
    """

    def __init__(
        self,
        database: Database,
        jobs: JobEngine,
        clouds: Sites,
        *,
        audit: AuditTrail | None = None,
        listener: Listen = listen,
        patience: Patience | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database, self._jobs, self._clouds, self._audit, self._now = database, jobs, clouds, audit, now
        self._rows = AddressRepository(database)
        self._reader = AddressReader(clouds)
        self._listen = listener
        tools = Tools(self._rows, AddressBinder(self._reader, patience or Patience()), listener, now)
        for kind in kinds.kinds(tools):
            jobs.register(kind)

    def create(
        self,
        caller: Caller,
        name: str,
        address: str,
        members: Sequence[MemberAsked],
        active: str,
        probe: str = "icmp",
    ) -> MovingAddress:
        """Set an address up: reserved in every site, bound in the active one.

        All sites must answer, ports be the caller's.  Invalid naming the field, Conflict when the project has one of
        this name or address, SiteError.  Whether it may have the address, each site tells the job.
        """
        shown = _address(address)
        _probe(probe)
        sites = [m.site for m in members]
        if len(sites) < FEWEST or len(set(sites)) != len(sites):
            raise Invalid("members: an address moves between at least two sites, with one member in each")
        if active not in sites:
            raise Invalid(f"active: {active!r} is none of the members' sites: {', '.join(sites)}")
        there = [find_member(self._clouds, caller, asked) for asked in members]
        resolved = tuple(
            AddressMember(m.site, port.id, network) for m, (port, network) in zip(members, there, strict=True)
        )
        id = str(uuid.uuid4())
        params = setup.CreateParams(id, shown, tuple(sites), active, caller.user_name)
        with self._database.session():
            job_id = self._start(
                caller, kinds.CREATE, params, f"Create address {name} ({shown})", caller.project_id
            )
            return self._rows.add(
                MovingAddress(
                    id, name, shown, caller.project_id, resolved, active, 0, AddressState.CREATING, probe, job_id, None,
                    caller.user_name, self._now(),
                )
            )  # fmt: skip

    def list(self, caller: Caller, page: Page = ALL) -> builtins.list[MovingAddress]:
        """By name."""
        return self._rows.list(caller.scope, page)

    def get(self, caller: Caller, id: str) -> MovingAddress:
        """By id; NotFound also for one of another project."""
        return self._rows.get(id, caller.scope)

    def history(self, caller: Caller, id: str) -> builtins.list[EpochRecord]:
        """Who raised its epoch, when and why, oldest first."""
        return self._rows.history(self.get(caller, id).id)

    def check(self, caller: Caller, id: str) -> Judgment:
        """Ask every site, and listen from outside.  A site that is back and holds it is made to let go at once."""
        address = self.get(caller, id)
        heard = self._listen(address.address, address.probe)
        found = judge(address, self._reader.everywhere(address), heard)
        if found.stale:
            self.let_go(address.id, found.stale, caller.user_name)
        return found

    def move(
        self, caller: Caller, id: str, to: str, *, fenced: Sequence[str] = (), why: str = ""
    ) -> MovingAddress:
        """Move it to another site; ``fenced``: sites the caller vouches for that nothing answers from there any more.

        Looks first: Invalid and Conflict (with every reason in words) change nothing.  Who said "fenced" is in the
        audit trail, with the job or not at all.
        """
        address = self._claim(self.get(caller, id))
        if address.state in (AddressState.DELETING, AddressState.FAILED):
            raise Conflict(f"address {address.name}: it is {address.state}: there is nothing to move")
        known = tuple(m.site for m in address.members if m.site in fenced)
        plan = plan_move(
            address, self._reader.everywhere(address, hurry=known), to, fenced, caller.user_name, why
        )
        kind = kinds.MOVE_FENCED if plan.fenced else kinds.MOVE
        with self._database.session():
            if self._claim(address).epoch != address.epoch:
                raise Conflict(f"address {address.name}: it was moved concurrently: look at it and retry")
            title = f"Move {address.address} from {address.active_site} to {to}"
            job_id = self._start(caller, kind, plan, title, address.project_id)
            if self._audit is not None:
                for site in plan.fenced:
                    self._audit.approved(
                        caller, "fenced", "/v1/addresses/{id}/move", project_id=address.project_id, job_id=job_id,
                        subject=address.id, site=site, resource_id=address.address,
                    )  # fmt: skip
            return self._rows.hand_over(address.id, job_id, AddressState.MOVING, moves=True)

    def undo(self, caller: Caller, id: str) -> MovingAddress:
        """Take the last move back: the address returns to where it was, with a new epoch.

        Conflict when there is none, when it is undone already, or when the record has gone on since.
        """
        address = self._claim(self.get(caller, id))
        if address.move_job_id is None:
            raise Conflict(f"address {address.name}: it was never moved")
        state = self._jobs.get(address.move_job_id).state
        if state is JobState.UNDONE:
            raise Conflict(f"address {address.name}: the last move was undone already")
        with self._database.session():
            self._claim(address)
            self._rows.hand_over(address.id, address.move_job_id, AddressState.MOVING, moves=True)
            self._jobs.undo(address.move_job_id, caller.user_name)
            return self._rows.get(address.id)

    def delete(self, caller: Caller, id: str) -> MovingAddress | None:
        """Let go of it in every site and forget it; None: nothing was left to do, it is forgotten."""
        address = self._claim(self.get(caller, id))
        if address.state is AddressState.FAILED:
            self._rows.delete(address.id)
            return None
        sites = sorted((m.site for m in address.members), key=lambda site: site == address.active_site)
        params = setup.LetGoParams(address.id, address.address, tuple(sites))
        with self._database.session():
            self._claim(address)
            title = f"Delete address {address.name} ({address.address})"
            job_id = self._start(caller, kinds.DELETE, params, title, address.project_id)
            return self._rows.hand_over(address.id, job_id, AddressState.DELETING, moves=False)

    # The guard's verbs

    def watched(self) -> builtins.list[MovingAddress]:
        """Addresses somebody may hold against the record, and no job is at work on."""
        return [a for a in self._rows.list() if a.state in (AddressState.HELD, AddressState.STOPPED)]

    def read(self, address: MovingAddress) -> Judgment:
        """As ``check``, without listening, and without doing anything about it."""
        return judge(address, self._reader.everywhere(address))

    def let_go(self, id: str, sites: Sequence[str], by: str = "guard") -> str | None:
        """Start the job that makes these sites let go; None while another job is at work on the address."""
        try:
            known = self._rows.get(id)
        except NotFound:
            return None
        with self._database.session():
            try:
                address = self._claim(known)
            except (Conflict, NotFound):
                return None
            params = setup.LetGoParams(id, address.address, tuple(sites))
            title = f"Make {', '.join(sites)} let go of {address.address}"
            job_id = self._jobs.start(
                kinds.GUARD, params, title=title, project_id=address.project_id, requested_by=by, subject=id
            )
            self._rows.hand_over(id, job_id, address.state, moves=False)
            return job_id

    # Within

    def _claim(self, address: MovingAddress) -> MovingAddress:
        """As it is now, with no job at work on it until the end of the open session.  Conflict."""
        self._jobs.claim(address.id, f"address {address.name}")
        # A job that is undone past this service changes the address under this lock.
        self._rows.advisory_lock(address.id)
        return self._rows.get(address.id)

    def _start(
        self,
        caller: Caller,
        kind: str,
        params: setup.LetGoParams | MovePlan,
        title: str,
        project: str,
    ) -> str:
        return self._jobs.start(
            kind, params, title=title, project_id=project, requested_by=caller.user_name,
            request_id=caller.request_id, subject=params.address_id,
        )  # fmt: skip


def _address(text: str) -> str:
    found = member_address(text)
    if ":" in found:
        raise Invalid(f"address: {text}: Neutron's floating IPs are IPv4 only")
    return found


def _probe(text: str) -> None:
    if text == "none":
        return
    try:
        way(text)
    except ValueError as error:
        raise Invalid(f"probe: {error}; or none") from error
