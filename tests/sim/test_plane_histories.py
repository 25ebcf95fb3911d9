"""Random histories of an l3 plane: made, meddled with, repaired, removed with and without sites that go and come back;
deaths between any two requests or writes, lost and late answers.  Never anything twice; "in sync" is never said of what
is not; and in the end nothing is left that nobody knows of.
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
from keystoneauth1.exceptions import ClientException

from multisite.domain.errors import MultisiteError
from multisite.domain.planes import PlaneState
from multisite_lab.sim.faults import Rule
from tests.sim.manual_changes import CHANGES
from tests.sim.plane_setup import FOUR, SITES, plane_setup

ANY_SITE = st.sampled_from(SITES)
DEATHS = st.one_of(st.none(), st.integers(0, 60))
MEDDLING = sorted(word for word, change in CHANGES.items() if change.plane == "copy" and change.repairable)
TRIES = 4


class PlaneHistory(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.stack = ExitStack()
        self.folder = Path(tempfile.mkdtemp())
        self.here = self.stack.enter_context(plane_setup(self.folder))
        self.here.describe(*FOUR)
        self.away: set[str] = set()

    @rule(die_at=DEATHS)
    def realize(self, die_at: int | None) -> None:
        with suppress(MultisiteError):
            self.here.realize("copy", die_at)

    @rule(site=ANY_SITE, word=st.sampled_from(MEDDLING))
    def meddle(self, site: str, word: str) -> None:
        """What is not there cannot be meddled with: those requests are refused; or a fault meets them."""
        made = self.here.plane("copy").made.get(site)
        if made is not None and site not in self.away:
            with suppress(AssertionError, ClientException):
                CHANGES[word].act(self.here, site, made)

    @rule(die_at=DEATHS)
    def repair(self, die_at: int | None) -> None:
        with suppress(MultisiteError):
            self.here.repair("copy", die_at)

    @rule(die_at=DEATHS, left=st.booleans())
    def remove(self, die_at: int | None, left: bool) -> None:
        """Without the sites that are away, as an operator says who has lost them."""
        with suppress(MultisiteError):
            self.here.remove("copy", die_at, *sorted(self.away), left=left)

    @rule()
    @precondition(lambda self: self.here.engine.unsettled())
    def a_new_process_carries_on(self) -> None:
        self._rest()

    @rule(site=ANY_SITE)
    @precondition(lambda self: not self.away)
    def go_away(self, site: str) -> None:
        self.here.world.cut(site)
        self.away.add(site)

    @rule()
    @precondition(lambda self: self.away)
    def come_back(self) -> None:
        for site in self.away:
            self.here.world.reconnect(site)
        self.away = set()

    @rule(
        site=ANY_SITE, kind=st.sampled_from(["lost", "late", "error"]),
        method=st.sampled_from(["POST", "PUT", "DELETE"]), status=st.sampled_from([None, 409, 503, 504]),
    )  # fmt: skip
    def an_answer_goes_wrong(self, site: str, kind: str, method: str, status: int | None) -> None:
        fault = Rule(kind, "network", method, "", status=status, seconds=0.05)  # type: ignore[arg-type]
        self.here.world.sites[site].strike(fault)

    @invariant()
    def nothing_twice(self) -> None:
        assert self.here.world.problems(set(self.here.engine.jobs)) == []

    @invariant()
    def in_sync_is_true(self) -> None:
        plane = self.here.plane("copy")
        if plane.state is not PlaneState.ACTIVE or self.here.engine.unsettled():
            return
        found = self.here.service.check(self.here.caller, "mme", "copy")
        assert (found.in_sync is None) <= bool(self.away), found
        for site, made in plane.made.items():
            state = self.here.state(site)
            router = state.routers.get(str(made.router_id))
            well = (
                state.networks.get(made.network_id, {}).get("admin_state_up") is True
                and state.subnets.get(made.subnet_id, {}).get("gateway_ip") is not None
                and router is not None
                and router["admin_state_up"]
                and router["external_gateway_info"] is not None
                and any(
                    port["device_id"] == router["id"] and port["network_id"] == made.network_id
                    for port in state.ports.values()
                )
            )
            if site not in self.away:
                assert well is (site not in {d.site for d in found.findings}), (site, found)

    def teardown(self) -> None:
        """In the end the operator gets rid of it, from whatever state, and nothing is left anywhere."""
        if not hasattr(self, "stack"):
            return
        try:
            for site in SITES:
                if site in self.away:
                    self.here.world.reconnect(site)
                self.here.world.sites[site].script.clear()
            self._rest()
            for _ in range(TRIES):
                self.here.remove("copy")
            plane = self.here.plane("copy")
            assert (plane.state, plane.left, plane.error) == (PlaneState.DESCRIBED, (), None)
            assert self.here.left() == {}
        finally:
            self.stack.close()
            shutil.rmtree(self.folder)

    def _rest(self) -> None:
        for id in self.here.engine.unsettled():
            self.here.engine.rest(id)


TestPlaneHistory = PlaneHistory.TestCase
TestPlaneHistory.settings = settings(
    max_examples=int(os.environ.get("MULTISITE_HISTORIES", "8")),
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
