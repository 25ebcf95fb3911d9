"""Random histories of an address: moves, deaths between any two requests or writes, lost and late answers, sites that
go and come back, hands that meddle.  After every request: never two holders that can be asked; epochs only rise.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from multisite.domain.errors import MultisiteError
from multisite.jobs.model import JobState
from multisite_lab.sim.faults import Rule
from multisite_lab.sim.neutron import floating_ips
from tests.sim.address_setup import OPERATOR, address_setup

SITES = ("site1", "site2", "site3")
ANY_SITE = st.sampled_from(SITES)
DEATHS = st.one_of(st.none(), st.integers(0, 45))


class AddressHistory(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.stack = ExitStack()
        self.folder = Path(tempfile.mkdtemp())
        self.here = self.stack.enter_context(address_setup(self.folder, *SITES))
        self.here.create()
        self.epochs = [1]

    @rule(to=ANY_SITE, fenced=st.frozensets(ANY_SITE, max_size=2), die_at=DEATHS)
    def move(self, to: str, fenced: frozenset[str], die_at: int | None) -> None:
        """An operator only vouches for sites that are away; whether the fence holds is another question."""
        vouched = tuple(sorted(fenced & self.here.away - {to}))
        self.here.deaf = bool(vouched)  # cut off for good: what it answers is not heard outside
        with suppress(MultisiteError):
            self.here.move(to, *vouched, die_at=die_at)
        self.here.deaf = False

    @rule(die_at=DEATHS)
    def undo(self, die_at: int | None) -> None:
        with suppress(MultisiteError):
            job = self.here.service.undo(OPERATOR, self.here.address_id).move_job_id
            self.here.engine.rest(str(job), die_at)

    @rule()
    @precondition(lambda self: self.here.engine.unsettled())
    def a_new_process_carries_on(self) -> None:
        self.here.rest()

    @rule(site=ANY_SITE)
    @precondition(lambda self: len(self.here.away) < 2)
    def go_away(self, site: str) -> None:
        if site not in self.here.away:
            self.here.cut(site)

    @rule()
    @precondition(lambda self: self.here.away)
    def come_back(self) -> None:
        """Whoever was moved away from may answer again until the guard has been there."""
        for site in sorted(self.here.away):
            self.here.reconnect(site)

    @rule(
        site=ANY_SITE, kind=st.sampled_from(["lost", "late", "error"]), method=st.sampled_from(["GET", "PUT"]),
        nth=st.integers(1, 3), status=st.sampled_from([None, 500, 503, 504]),
    )  # fmt: skip
    def an_answer_goes_wrong(self, site: str, kind: str, method: str, nth: int, status: int | None) -> None:
        if method == "GET" and kind != "error":
            return
        fault = Rule(kind, "network", method, "/floatingips", nth=nth, status=status, seconds=0.05)  # type: ignore
        self.here.world.sites[site].strike(fault)

    @rule(site=ANY_SITE)
    @precondition(lambda self: not self.here.engine.unsettled())
    def somebody_binds_it_by_hand(self, site: str) -> None:
        """Only between jobs, and only until the guard comes: what is done by hand within one nobody can foresee."""
        if site in self.here.away:
            return
        self.here.world.sites[site].script.clear()
        with suppress(AssertionError, IndexError):
            self.here.by_hand(site)

    @rule()
    def the_guard_looks(self) -> None:
        self.here.watch_over()
        if not self.here.engine.unsettled() and not self.here.away:
            self._calm()

    def _calm(self) -> None:
        """With every site there and no job at work, the guard leaves at most one holder."""
        for site in self.here.world.sites.values():
            site.script.clear()
        self.here.watch_over()
        assert len(self.here.holders()) <= 1, self.here.holders()
        self.here.excused.clear()

    @invariant()
    def never_two(self) -> None:
        self.here.look()
        assert self.here.twice == [], self.here.twice

    @invariant()
    def epochs_only_rise(self) -> None:
        history = [line.epoch for line in self.here.service.history(OPERATOR, self.here.address_id)]
        assert history == sorted(set(history))
        assert history[: len(self.epochs)] == self.epochs, "a line of history was changed"
        assert self.here.record().epoch == history[-1]
        self.epochs = history

    def teardown(self) -> None:
        """In the end the operator gets what he wants, from whatever state."""
        if not hasattr(self, "stack"):
            return
        try:
            for site in sorted(self.here.away):
                self.here.reconnect(site)
            for site in self.here.world.sites.values():
                site.script.clear()
                floating_ips.resync(site.settle())
            self.here.rest()
            self._calm()
            with suppress(MultisiteError):  # it may be there
                job = self.here.move("site2")
                assert job.state is JobState.DONE, job.error
            assert self.here.holders() == ["site2"]
            assert self.here.record().in_doubt == ()
            assert self.here.twice == []
        finally:
            self.stack.close()
            shutil.rmtree(self.folder)


TestAddressHistory = AddressHistory.TestCase
TestAddressHistory.settings = settings(
    max_examples=int(os.environ.get("MULTISITE_HISTORIES", "8")),
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
