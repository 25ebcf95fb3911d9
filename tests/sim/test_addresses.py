"""Moving an address between simulated sites: one history after the other, with what comes of each."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict, Forbidden, Invalid
from multisite.domain.moving_address import AddressState, Verdict
from multisite.jobs.model import JobState
from multisite.networks.addresses.binder import AddressBinder
from multisite.networks.addresses.steps import MoveSteps
from multisite.networks.members import MemberAsked
from multisite_lab.sim.faults import Rule
from multisite_lab.sim.neutron import floating_ips
from tests.sim import deploy
from tests.sim.address_setup import ADDRESS, OPERATOR, AddressSetup, address_setup

LATE_SECONDS = 3600.0
"""Of an effect that comes when the test says so."""


@pytest.fixture
def here(tmp_path: Path):  # type: ignore[no-untyped-def]
    with address_setup(tmp_path) as made:
        made.create()
        yield made
        assert made.twice == []


def test_it_is_made_in_every_site_and_bound_in_one(here: AddressSetup) -> None:
    record = here.record()
    assert (record.state, record.epoch, record.active_site) == (AddressState.HELD, 1, "site1")
    assert here.holders() == ["site1"]
    assert here.service.check(OPERATOR, record.id).verdict is Verdict.ONE


def test_one_that_another_host_answers_for_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told after the sites have said who may have it; what they reserved is given back."""
    monkeypatch.setattr(AddressSetup, "listen", lambda *_: True)
    with address_setup(tmp_path) as made:
        members = [MemberAsked(name, port) for name, port in made.ports.items()]
        job = made.engine.rest(made.service.create(OPERATOR, "gw", ADDRESS, members, "site1").job_id)
        assert (job.state, "another host has it" in job.error) == (JobState.UNDONE, True)
        assert not any(site.sim.state.floatingips for site in made.world.sites.values())


def test_a_move_and_its_undo(here: AddressSetup) -> None:
    job = here.move("site2")
    assert job.state is JobState.DONE, job.error
    assert here.holders() == ["site2"]
    assert here.record().epoch == 2
    here.service.undo(OPERATOR, here.address_id)
    job = here.engine.rest(job.id)
    assert job.state is JobState.UNDONE, job.error
    assert (here.holders(), here.record().epoch, here.record().active_site) == (["site1"], 3, "site1")
    history = here.service.history(OPERATOR, here.address_id)
    assert [(h.epoch, h.site, h.by, h.why) for h in history] == [
        (1, "site1", "olga", "create"), (2, "site2", "olga", "move"), (3, "site1", "olga", "undone"),
    ]  # fmt: skip


def test_binding_before_releasing_is_seen(here: AddressSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: a naive move, without any of the three things that are in its way."""
    monkeypatch.setattr(AddressBinder, "let_go", lambda *_args: None)
    assert "still answers" in here.move("site2").error  # it is heard
    here.deaf = True
    assert "holds it again" in here.move("site2").error  # it is seen
    assert here.twice == []
    monkeypatch.setattr(MoveSteps, "_refuse_other_holders", lambda *_args: None)
    here.move("site2")
    assert here.twice
    here.twice.clear()


def test_a_dead_site_needs_somebodys_word(here: AddressSetup) -> None:
    here.cut("site1")
    with pytest.raises(Conflict, match="--fenced site1"):
        here.move("site2")
    assert here.holders() == ["site1"]


def test_a_fence_that_lets_answers_through_is_refused(here: AddressSetup) -> None:
    """Nobody reaches the API, but the address goes on answering."""
    here.cut("site1")
    job = here.move("site2", "site1")
    assert job.state is JobState.PAUSED
    assert "is not fenced" in job.error
    assert here.holders() == ["site1"]


def test_a_fenced_site_comes_back(here: AddressSetup) -> None:
    here.cut("site1")
    here.deaf = True  # the fence holds: what site 1 answers is not heard any more
    job = here.move("site2", "site1")
    assert job.state is JobState.DONE, job.error
    record = here.record()
    assert (record.shown_state, record.in_doubt, record.epoch) == (AddressState.MAYBE_TWICE, ("site1",), 2)
    here.watch_over()
    assert here.record().shown_state is AddressState.MAYBE_TWICE  # still away
    here.reconnect("site1")
    assert here.holders() == ["site1", "site2"]
    here.watch_over()
    assert here.holders() == ["site2"]
    assert here.record().shown_state is AddressState.HELD
    here.excused.clear()


def test_a_site_comes_back_from_a_loss_of_power(here: AddressSetup) -> None:
    """Its agent starts when the address has been taken away already, and never says that it has gone."""
    sim = here.world.sites["site1"].sim
    here.cut("site1")
    floating_ips.power_loss(sim)
    assert here.move("site2", "site1").state is JobState.DONE
    here.reconnect("site1")  # the API is there before the agent
    (job_id,) = here.guard.round()
    assert "L3 agent has not taken it away" in str(here.engine.rest(job_id).error)
    assert here.record().in_doubt == ("site1",)
    floating_ips.resync(sim)
    (row,) = sim.state.floatingips.values()
    assert (row["port_id"], row["status"]) == (None, "ACTIVE"), "it says so: this shows nothing"
    here.watch_over()
    assert here.record().shown_state is AddressState.HELD
    assert here.holders() == ["site2"]
    assert here.extra("site1") == []
    here.excused.clear()
    (row,) = sim.state.floatingips.values()
    assert row["status"] == "ACTIVE", "Neutron says so still, and for ever"
    assert here.service.check(OPERATOR, here.address_id).verdict is Verdict.ONE
    assert here.guard.round() == []
    undo = here.move("site1")
    assert undo.state is JobState.DONE, undo.error
    assert here.service.check(OPERATOR, here.address_id).verdict is Verdict.ONE


def test_what_was_witnessed_counts_until_it_is_changed(here: AddressSetup) -> None:
    powerless_and_back(here)
    here.watch_over()
    before = len(here.engine.jobs)
    here.by_hand("site1")
    here.watch_over()
    assert len(here.engine.jobs) > before, "the guard did nothing about a second holder"
    assert here.holders() == ["site2"]
    here.excused.clear()


def powerless_and_back(here: AddressSetup) -> None:
    """Site 1 lost its power, was moved away from, and let go before its agent began."""
    sim = here.world.sites["site1"].sim
    here.cut("site1")
    floating_ips.power_loss(sim)
    here.move("site2", "site1")
    here.reconnect("site1")
    (job_id,) = here.guard.round()
    here.engine.rest(job_id)
    floating_ips.resync(sim)


@pytest.mark.parametrize("path", ["/floatingips", "/ports"])
def test_a_site_without_room_for_a_witness(here: AddressSetup, path: str) -> None:
    """It is in doubt, as long as nothing shows that it has let go, and nothing is left of the attempt."""
    powerless_and_back(here)
    site = here.world.sites["site1"]
    site.strike(Rule("error", "network", "POST", path, times=50, status=409))
    here.watch_over()
    assert here.record().in_doubt == ("site1",)
    assert here.extra("site1") == []
    site.script.clear()
    here.watch_over()
    assert here.record().shown_state is AddressState.HELD
    here.excused.clear()


def test_behind_a_distributed_router_a_witness_shows_nothing(here: AddressSetup) -> None:
    powerless_and_back(here)
    state = here.world.sites["site1"].sim.state
    (member,) = (port for port in state.ports.values() if port["name"] == "member")
    state.ports["r"] = {
        **member,
        "id": "r",
        "name": "",
        "device_owner": "network:router_interface_distributed",
    }
    here.watch_over()
    assert here.record().in_doubt == ("site1",)
    assert any("distributed" in line for job in here.engine.jobs.values() for line in job.events)
    assert here.extra("site1") == []
    here.excused.clear()


def test_check_makes_it_let_go_too(here: AddressSetup) -> None:
    here.cut("site1")
    here.deaf = True
    here.move("site2", "site1")
    here.reconnect("site1")
    found = here.service.check(OPERATOR, here.address_id)
    assert (found.verdict, found.stale) == (Verdict.TWICE, ("site1",))
    here.rest()
    assert here.holders() == ["site2"]


def test_an_agent_that_is_dead_goes_on_answering(here: AddressSetup) -> None:
    """The API lets go at once; its agent does not: nothing is bound elsewhere, and the move is taken back."""
    sim = here.world.sites["site1"].sim
    sim.settings.l3_agent = False
    job = here.move("site2")
    assert "L3 agent has not taken it away" in job.memos["release-site1"].error
    assert here.holders() == ["site1"]
    floating_ips.resync(sim)
    here.rest()
    assert here.holders() == ["site1"]


def test_the_new_site_refuses(here: AddressSetup) -> None:
    here.world.sites["site2"].strike(Rule("error", "network", "PUT", "/floatingips/", times=50, status=409))
    job = here.move("site2")
    assert job.state is JobState.UNDO_FAILED  # site 2 also refuses to write down that it does not hold it
    here.world.sites["site2"].script.clear()
    here.engine.undo(job.id, "olga")
    assert here.engine.rest(job.id).state is JobState.UNDONE
    assert here.holders() == ["site1"]


@pytest.mark.parametrize("kind", ["lost", "late"])
def test_answers_that_are_lost(here: AddressSetup, kind: str) -> None:
    for name in ("site1", "site2"):
        fault = Rule(kind, "network", "PUT", "/floatingips/", status=504, seconds=0.3)  # type: ignore[arg-type]
        here.world.sites[name].strike(fault)
    job = here.move("site2")
    assert job.state in (JobState.DONE, JobState.UNDONE), job.error
    assert here.holders() == [here.record().active_site]


def test_a_bind_that_arrives_after_its_undo_is_refused(here: AddressSetup) -> None:
    """The request of a frozen process: sent at last when everything has been taken back."""
    late = Rule("late", "network", "PUT", "/floatingips/", times=2, status=None, seconds=LATE_SECONDS)
    here.world.sites["site2"].strike(late)  # the bind, asked twice
    job = here.move("site2")
    assert late.struck == 2
    here.rest()
    if job.state is JobState.UNDO_FAILED:
        here.engine.undo(job.id, "olga")
        here.engine.rest(job.id)
    assert here.holders() == ["site1"]
    here.world.sites["site2"].bring_forward()
    assert here.holders() == ["site1"]


def test_without_if_match_it_would_not_be(here: AddressSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control of the one above."""
    monkeypatch.setattr(floating_ips, "matches", lambda *_args: None)
    here.world.sites["site2"].strike(
        Rule("late", "network", "PUT", "/floatingips/", times=2, status=None, seconds=LATE_SECONDS)
    )
    here.move("site2")
    here.world.sites["site2"].bring_forward()
    here.look()
    assert here.twice
    here.twice.clear()


def test_two_operators_at_the_same_time(here: AddressSetup) -> None:
    first = here.service.move(OPERATOR, here.address_id, "site2")
    with pytest.raises(Conflict, match="is at work on it"):
        here.service.move(OPERATOR, here.address_id, "site2")
    assert here.engine.rest(first.job_id).state is JobState.DONE
    with pytest.raises(Conflict, match="holds it already"):
        here.service.move(OPERATOR, here.address_id, "site2")


def test_a_job_that_is_over_for_it_does_nothing(here: AddressSetup) -> None:
    first = here.move("site2")
    here.move("site1")
    here.engine.undo(first.id, "olga")
    assert here.engine.rest(first.id).state is JobState.UNDO_FAILED
    assert "move it instead" in first.error
    assert here.holders() == ["site1"]


def test_a_second_holder_by_hand_is_made_to_let_go(here: AddressSetup) -> None:
    here.by_hand("site2")
    assert here.service.check(OPERATOR, here.address_id).verdict is Verdict.TWICE
    here.rest()
    assert here.holders() == ["site1"]
    here.excused.clear()


def test_the_only_holder_is_left_alone(here: AddressSetup) -> None:
    """Somebody moved it by hand: it is said, and nothing is taken away."""
    cloud = here.clouds.open_for_service("site1")
    floating = here.record().member("site1").floating_ip_id
    cloud.network.put(f"/floatingips/{floating}", json={"floatingip": {"port_id": None}})
    here.by_hand("site2")
    found = here.service.check(OPERATOR, here.address_id)
    assert (found.verdict, found.stale) == (Verdict.ELSEWHERE, ())
    here.watch_over()
    assert here.holders() == ["site2"]
    job = here.move("site2")  # the record follows
    assert job.state is JobState.DONE, job.error
    assert here.service.check(OPERATOR, here.address_id).verdict is Verdict.ONE


def test_deleting_leaves_nothing(here: AddressSetup) -> None:
    here.move("site2")
    gone = here.service.delete(OPERATOR, here.address_id)
    assert gone is not None
    assert here.engine.rest(gone.job_id).state is JobState.DONE
    assert "mine" not in [address.name for address in here.service.list(OPERATOR)]
    assert all(not site.sim.state.floatingips for site in here.world.sites.values())
    assert here.service.list(OPERATOR) == []


def test_the_port_of_another_project_is_as_good_as_not_there(here: AddressSetup) -> None:
    other = Caller("u-9", "eve", "0" * 32, "others", frozenset({"member"}), "req-9")
    members = [MemberAsked(name, port) for name, port in here.ports.items()]
    with pytest.raises((Invalid, Forbidden)):
        here.service.create(other, "mine", "203.0.113.78", members, "site1")
    nowhere = [MemberAsked(name, str(uuid.uuid4())) for name in here.ports]
    with pytest.raises(Invalid, match=r"port: .* could not be found in site site1"):
        here.service.create(OPERATOR, "mine", "203.0.113.78", nowhere, "site1")
    assert "mine" not in [address.name for address in here.service.list(OPERATOR)]


def another_projects(here: AddressSetup, site: str, address: str) -> str:
    """A floating IP an administrator of the site has given another project, on that one's port; its id."""
    sim, cloud = here.world.sites[site].sim, here.clouds.open_for_service(site)
    other = sim.accounts[-1].project_id
    inside = deploy.network(cloud, "theirs", "10.8.0.0/24")
    port = deploy.ask(
        cloud.network,
        "POST",
        "/ports",
        {"port": {"network_id": inside, "project_id": other, "name": "theirs"}},
    )["port"]
    network = next(row["id"] for row in sim.state.networks.values() if row["router:external"])
    fields = {"floating_network_id": network, "floating_ip_address": address, "project_id": other,
              "port_id": port["id"], "description": "theirs"}  # fmt: skip
    made = deploy.ask(cloud.network, "POST", "/floatingips", {"floatingip": fields})
    return str(made["floatingip"]["id"])


def words(here: AddressSetup, floating_ip_id: str) -> dict[str, object]:
    """What somebody has written on a floating IP of site 2; the rest is its agent's."""
    row = here.world.sites["site2"].settle().state.floatingips[floating_ip_id]
    return {
        key: value for key, value in row.items() if key not in ("status", "revision_number", "updated_at")
    }


def test_the_address_of_another_project_is_left_alone(here: AddressSetup) -> None:
    """And nothing is told of it that would not be told of an address that a router or a host has."""
    here.deaf = True  # nobody here hears that it answers
    theirs = another_projects(here, "site2", "203.0.113.80")
    sim = here.world.sites["site2"].settle()
    before = words(here, theirs)
    ports = [MemberAsked(name, port) for name, port in here.ports.items()]
    made = here.service.create(OPERATOR, "mine", "203.0.113.80", ports, "site1", "none")
    job = here.engine.rest(made.job_id)
    assert job.state is JobState.UNDONE
    assert "taken in this site by something that is not ours to use" in job.error
    assert words(here, theirs) == before
    public = sim.state.floatingips[theirs]["floating_network_id"]
    cloud = here.clouds.open_for_service("site2")
    deploy.port(cloud, "router", public, fixed_ips=[{"ip_address": "203.0.113.81"}])
    made = here.service.create(OPERATOR, "mine too", "203.0.113.81", ports, "site1", "none")
    told = here.engine.rest(made.job_id)
    assert re.sub(r"req-\S+|203\S+", "", told.error) == re.sub(r"req-\S+|203\S+", "", job.error)


def test_a_record_that_names_the_address_of_another_project_changes_nothing(here: AddressSetup) -> None:
    """As one of a database from before, or a floating IP an administrator has given somebody else since."""
    theirs = another_projects(here, "site2", "203.0.113.80")
    before = words(here, theirs)
    member = replace(here.record().member("site2"), floating_ip_id=theirs)
    here.rows.change(here.address_id, lambda known: known.with_member(member))
    job = here.move("site2")
    here.rest()
    assert job.state is JobState.DONE, job.error
    assert words(here, theirs) == before
