"""A recovery chooses among the projects that its tenant was granted at the target, and stays in the chosen one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from multisite.clouds.connect import Sites
from multisite.domain.model import ProjectGrant
from multisite.jobs.model import JobState
from multisite.jobs.view import Job
from multisite_lab.sim.model import Account, new_id
from multisite_lab.sim.site import Reply, Wire
from tests.sim import deploy
from tests.sim.tenants import _ADMIN, SITE, TARGET, Tenants, two_tenants

RULES = {"create_missing_flavors": True, "source_is_fenced": True, "ready_timeout": 60, "boot_timeout": 60}
LAB, SECOND = "bobs-lab", "bob-second"
KINDS = ("servers", "volumes", "backups", "networks", "subnets", "ports", "security_groups", "server_groups")


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Tenants]:
    with two_tenants(tmp_path) as found:
        yield found


def new_project(made: Tenants, name: str, like: str = "bob") -> str:
    """A project of the target that a tenant, the service's account and the one that imports have the roles in."""
    sim, project = made.world.sites[TARGET].sim, new_id().replace("-", "")
    its = made.there(like, TARGET)
    there = [replace(a, project_id=project, project_name=name) for a in sim.accounts if a.project_id == its]
    sim.accounts += tuple(there)
    return project


def granted(made: Tenants, name: str = LAB) -> ProjectGrant:
    project = new_project(made, name)
    return made.services.grants.create(_ADMIN, made.bob.project_id, TARGET, project)


def body(made: Tenants, target: str | None = None, *, source: str | None = None, **more: Any) -> Any:
    rules = {"projects": {source or made.bob.project_id: target}} if target else {}
    mapping = {**RULES, **rules}
    return {
        "restore_point": made.bob.made["restore-points"],
        "target_site": TARGET,
        "mapping": mapping,
        **more,
    }


def look(made: Tenants, *words: Any, **more: Any) -> Any:
    status, answer = made.ask(made.bob, "POST", "/v1/recoveries/preview", body(made, *words, **more))
    assert status == 200, answer
    return answer


def project_of(preview: Any) -> Any:
    (item,) = [item for item in preview["items"] if item["kind"] == "project"]
    return item


def begin(made: Tenants, *words: Any, **more: Any) -> Any:
    wanted = body(made, *words, **{"confirm": "bob-app", **more})
    status, answer = made.ask(made.bob, "POST", "/v1/recoveries", wanted)
    assert status == 202, answer
    return answer["recovery"]


def rest(made: Tenants, recovery: Any) -> Job:
    return made.rest(recovery["job_id"])


def again(made: Tenants, recovery: Any, verb: str) -> Job:
    status, answer = made.ask(made.bob, "POST", f"/v1/recoveries/{recovery['id']}/{verb}")
    assert status == 202, answer
    return rest(made, recovery)


def in_project(made: Tenants, project: str) -> dict[str, set[str]]:
    """Ids of what is there, by kind; the group every project has is left out."""
    state = made.world.sites[TARGET].settle().state
    found: dict[str, set[str]] = {}
    for kind in KINDS:
        for id, thing in getattr(state, kind).items():
            row = thing if isinstance(thing, dict) else vars(thing)
            if row["project_id"] == project and row["name"] != "default":
                found.setdefault(kind, set()).add(id)
    return found


def second_application(made: Tenants, folder: Path) -> str:
    """Another one of bob's, protected: its restore point."""
    own = Sites(lambda name: f"{name}-bob", config_file=folder / "clouds.yaml")
    app = deploy.deploy(own.open_for_service(SITE), SECOND, 1)
    servers = [{"id": server} for server in app.servers]
    for path, wanted in (
        ("/v1/applications", {"name": SECOND, "site": SITE, "servers": servers}),
        (
            "/v1/protections",
            {"application": SECOND, "target_site": TARGET, "options": {"freeze_timeout": 30}},
        ),
    ):
        status, answer = made.ask(made.bob, "POST", path, wanted)
        assert status < 300, answer
    _, run = made.ask(made.bob, "POST", f"/v1/protections/{answer['id']}/run", {})
    assert made.rest(run["job_id"]).state is JobState.DONE
    (point,) = made.services.protections.restore_points(made.bob.caller, SECOND)
    return point.id


@contextmanager
def at_the_first_change(made: Tenants, act: Callable[[], None]) -> Iterator[list[str]]:
    """``act`` when the target is asked for its first volume; the changes that it answered since."""
    site, since, done = made.world.sites[TARGET], list[str](), list[bool]()
    reply = site.reply

    def watched(wire: Wire) -> Reply:
        if done and wire.method != "GET" and not wire.path.endswith("/auth/tokens"):
            since.append(f"{wire.method} {wire.path}")
        if not done and wire.method == "POST" and wire.path.endswith("/networks"):
            done.append(True)
            act()
        return reply(wire)

    site.reply = watched  # type: ignore[method-assign]
    try:
        yield since
    finally:
        site.reply = reply  # type: ignore[method-assign]


def test_a_preview_names_the_project(made: Tenants) -> None:
    default = made.there("bob", TARGET)
    item = project_of(look(made))
    assert (item["name"], item["target_id"]) == ("bobs", default)
    assert item["detail"] == "the only one granted in site2; everything is made in it"
    lab = granted(made)
    assert "the default of those granted" in project_of(look(made))["detail"]
    for target in (lab.site_project_id, LAB):
        for source in (made.bob.project_id, "bob", "bobs", made.there("bob", SITE)):
            item = project_of(look(made, target, source=source))
            assert (item["name"], item["target_id"]) == (LAB, lab.site_project_id)
            assert "chosen by --map project:" in item["detail"]
    first, second = look(made), look(made, LAB)
    assert first["digest"] != second["digest"]


def test_what_is_not_granted_is_as_good_as_not_there(made: Tenants) -> None:
    granted(made)
    ungranted = new_project(made, "bobs-other")
    said = set()
    for target in (made.there("alice", TARGET), "alices", ungranted, "bobs-other", new_id(), "nowhere"):
        for path, more in (("/v1/recoveries/preview", {}), ("/v1/recoveries", {"confirm": "bob-app"})):
            status, answer = made.ask(made.bob, "POST", path, body(made, target, **more))
            assert status == 400
            said.add(answer["error"]["message"].replace(target, "X"))
    (text,) = said
    assert text.startswith("mapping.projects: 'X' is none of the projects of site site2")
    assert f"granted: bobs ({made.there('bob', TARGET)}), {LAB} (" in text
    assert f"openstack multisite project grant create {made.bob.project_id} site2" in text
    status, answer = made.ask(made.bob, "POST", "/v1/recoveries/preview", body(made, LAB, source="alice"))
    assert (status, "not of 'alice'" in answer["error"]["message"]) == (400, True)
    assert made.services.recoveries.list(made.bob.caller)[0].id == made.bob.made["recoveries"], "none began"


def test_without_a_default_one_has_to_be_chosen(made: Tenants) -> None:
    lab, spare = granted(made), granted(made, "bobs-spare")
    (default,) = [
        g for g in made.services.grants.list(_ADMIN) if g.site_project_name == "bobs" and g.site == TARGET
    ]
    made.services.grants.delete(_ADMIN, default.id)
    for path, more in (("/v1/recoveries/preview", {}), ("/v1/recoveries", {"confirm": "bob-app"})):
        status, answer = made.ask(made.bob, "POST", path, body(made, **more))
        assert status == 400
        for grant in (lab, spare):
            assert (
                f"--map project:{made.bob.project_id}={grant.site_project_id}" in answer["error"]["message"]
            )
    assert project_of(look(made, "bobs-spare"))["target_id"] == spare.site_project_id
    made.services.grants.set_default(_ADMIN, lab.id)
    assert project_of(look(made))["target_id"] == lab.site_project_id


def test_two_applications_of_a_tenant_are_recovered_into_two_projects(made: Tenants, tmp_path: Path) -> None:
    lab, default = granted(made).site_project_id, made.there("bob", TARGET)
    before = {project: in_project(made, project) for project in (lab, default, made.there("alice", TARGET))}
    assert before[lab] == {}
    point = second_application(made, tmp_path)
    names = {"keypair_names": {SECOND: "second-key"}}
    started = begin(made, LAB, restore_point=point, confirm=SECOND, mapping={
        **RULES, **names, "projects": {made.bob.project_id: LAB},
    })  # fmt: skip
    assert started["site_project_id"] == lab
    assert rest(made, started).state is JobState.DONE
    there = in_project(made, lab)
    assert there.keys() >= {
        "servers",
        "volumes",
        "backups",
        "networks",
        "subnets",
        "ports",
        "security_groups",
    }
    assert {p: in_project(made, p) for p in before if p != lab} == {
        p: b for p, b in before.items() if p != lab
    }
    first = begin(made)
    assert rest(made, first).state is JobState.DONE
    assert first["site_project_id"] == default
    assert in_project(made, lab) == there
    assert again(made, started, "undo").state is JobState.UNDONE
    assert in_project(made, lab) == {"backups": there["backups"]}, "imported records stay"
    state = made.world.sites[TARGET].settle().state
    (server,) = made.ask(made.bob, "GET", f"/v1/recoveries/{first['id']}")[1]["servers"]
    assert state.servers[server["id"]].project_id == default


@pytest.mark.parametrize("chosen", [None, LAB])
def test_a_recovery_stays_in_its_project(made: Tenants, chosen: str | None) -> None:
    """Its grant is taken back under way, and another project is the default when it goes on."""
    lab, alices = granted(made), in_project(made, made.there("alice", TARGET))
    rows = {g.site_project_name: g for g in made.services.grants.list(_ADMIN) if g.site == TARGET}
    mine, other = rows[chosen or "bobs"], rows["bobs" if chosen else LAB]
    before = {g.id: in_project(made, g.site_project_id) for g in (mine, other)}
    with at_the_first_change(made, lambda: made.services.grants.delete(_ADMIN, mine.id)) as since:
        recovery = begin(made, chosen)
        job = rest(made, recovery)
    assert job.state is JobState.PAUSED
    command = f"openstack multisite project grant create {made.bob.project_id} site2 {mine.site_project_id}"
    assert command in str(job.error)
    sent = len(since)
    assert again(made, recovery, "resume").state is JobState.PAUSED
    assert again(made, recovery, "undo").state is JobState.UNDO_FAILED
    assert len(since) == sent, "nothing was changed meanwhile"
    if not other.is_default:
        made.services.grants.set_default(_ADMIN, other.id)
    made.services.grants.create(_ADMIN, made.bob.project_id, TARGET, mine.site_project_id)
    assert again(made, recovery, "undo").state is JobState.UNDONE
    left = in_project(made, mine.site_project_id)
    assert {k: v for k, v in left.items() if k != "backups"} == before[mine.id]
    assert in_project(made, other.site_project_id) == before[other.id]
    assert in_project(made, made.there("alice", TARGET)) == alices
    assert lab.site_project_id in {mine.site_project_id, other.site_project_id}


def test_a_recovery_that_is_granted_again_goes_on_where_it_was(made: Tenants) -> None:
    lab = granted(made)
    default = in_project(made, made.there("bob", TARGET))
    with at_the_first_change(made, lambda: made.services.grants.delete(_ADMIN, lab.id)):
        recovery = begin(made, LAB)
        assert rest(made, recovery).state is JobState.PAUSED
    made.services.grants.create(_ADMIN, made.alice.project_id, TARGET, lab.site_project_id)
    assert again(made, recovery, "resume").state is JobState.PAUSED, "it is another tenant's now"
    (theirs,) = [g for g in made.services.grants.list(_ADMIN) if g.site_project_id == lab.site_project_id]
    made.services.grants.delete(_ADMIN, theirs.id)
    made.services.grants.create(_ADMIN, made.bob.project_id, TARGET, lab.site_project_id)
    job = again(made, recovery, "resume")
    assert job.state is JobState.DONE, job.error
    assert len(in_project(made, lab.site_project_id)["servers"]) == 1
    assert in_project(made, made.there("bob", TARGET)) == default


def problem_of(preview: Any, kind: str) -> Any:
    (found,) = [p for p in preview["problems"] if p["kind"] == kind and p["severity"] == "blocking"]
    return found


@pytest.mark.parametrize(
    ("user", "roles", "needed"),
    [("operator", (), "member"), ("operator", ("reader",), "member"), ("importer", (), "admin")],
)
def test_a_role_that_is_missing_there_is_in_the_way(
    made: Tenants, user: str, roles: tuple[str, ...], needed: str
) -> None:
    lab, sim = granted(made).site_project_id, made.world.sites[TARGET].sim
    have, clouds = sim.accounts, made.services.recoveries._clouds

    def its(account: Account) -> bool:
        return account.user_name == user and account.project_id == lab

    sim.accounts = tuple(replace(a, roles=roles) if its(a) else a for a in have if roles or not its(a))
    clouds.drop(TARGET)
    found = look(made, LAB)
    assert not found["startable"]
    (problem,) = [p for p in found["problems"] if p["severity"] == "blocking"]
    remedy = f"openstack role add --project {lab} --user {user} {needed}"
    assert remedy in problem["remedy"]
    status, answer = made.ask(made.bob, "POST", "/v1/recoveries", body(made, LAB, confirm="bob-app"))
    assert (status, remedy in answer["error"]["message"]) == (409, True)
    assert look(made)["startable"], "the default is as it was"
    if roles:
        cloud = clouds.open(TARGET, for_project=made.bob.project_id, project=lab)
        with pytest.raises(AssertionError, match="403"):
            deploy.network(cloud, "n", "10.5.0.0/24")
    sim.accounts = have
    clouds.drop(TARGET)
    assert look(made, LAB)["startable"], "the negative control"


def test_a_quota_that_is_missing_there_is_in_the_way(made: Tenants) -> None:
    lab = granted(made).site_project_id
    sim = made.world.sites[TARGET].sim
    sim.quotas["network"] = 4
    cloud = made.services.recoveries._clouds.open(TARGET, for_project=made.bob.project_id, project=lab)
    for number in range(4):
        deploy.network(cloud, f"full-{number}", f"10.6.{number}.0/24")
    found = problem_of(look(made, LAB), "quota network")
    assert lab in found["remedy"]
    assert look(made)["startable"], "the negative control: there is room in the default"


def test_records_that_another_recovery_imported_elsewhere_are_in_the_way(made: Tenants) -> None:
    lab = granted(made).site_project_id
    assert look(made)["startable"], "the negative control"
    recovery = begin(made, LAB)
    assert rest(made, recovery).state is JobState.DONE
    assert again(made, recovery, "undo").state is JobState.UNDONE
    found = look(made)
    assert not found["startable"]
    blocking = [p for p in found["problems"] if p["severity"] == "blocking"]
    assert {p["remedy"] for p in blocking} == {
        f"recover into that project: --map project:{made.bob.project_id}={lab}"
    }
    assert look(made, LAB)["startable"]
