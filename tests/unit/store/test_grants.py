"""Several projects of a site for one of ours, one of them the default; never one project of a site for two."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from multisite.domain.errors import Conflict, NotFound
from multisite.domain.model import Application, Member, ProjectGrant, Site
from multisite.store.applications import ApplicationRepository
from multisite.store.database import Database
from multisite.store.grants import ProjectGrantRepository
from multisite.store.sites import SiteRepository
from multisite.store.types import now

OURS, LYON, PARIS = "p1", "lyon", "paris"


@pytest.fixture
def grants(database: Database) -> ProjectGrantRepository:
    for name in (LYON, PARIS):
        SiteRepository(database).add(Site(name, name, name, "R", "http://k"))
    return ProjectGrantRepository(database)


def one(there: str, project: str = OURS, site: str = LYON, *, is_default: bool = False) -> ProjectGrant:
    return ProjectGrant(
        f"{project}-{there}", project, site, there, f"name-{there}", "olga", now(), is_default
    )


def defaults(grants: ProjectGrantRepository) -> list[str]:
    return [grant.site_project_id for grant in grants.list(OURS) if grant.is_default]


def test_the_first_is_the_default_until_another_is_said_to_be(grants: ProjectGrantRepository) -> None:
    assert grants.project_in(OURS, LYON) == OURS, "granted nothing: the project of the same id"
    assert grants.add(one("prod")).is_default
    assert not grants.add(one("lab")).is_default
    assert grants.add(one("far", site=PARIS)).is_default, "another site has one of its own"
    assert grants.add(one("other", "p2")).is_default, "and another project"
    assert grants.project_in(OURS, LYON) == "prod"
    assert grants.set_default(f"{OURS}-lab").is_default
    assert grants.set_default(f"{OURS}-lab").is_default, "once more"
    assert grants.project_in(OURS, LYON) == "lab"
    grants.add(one("new", is_default=True))
    assert defaults(grants) == ["new", "far"]
    assert [grant.site_project_id for grant in grants.granted(OURS, LYON)] == ["lab", "new", "prod"]


def test_a_project_of_a_site_is_for_one_of_ours(grants: ProjectGrantRepository) -> None:
    grants.add(one("prod"))
    for project in (OURS, "p2"):
        again = ProjectGrant("g", project, LYON, "prod", "x", "olga", now(), is_default=True)
        with pytest.raises(
            Conflict, match=r"^site_project_id: prod has a grant for site lyon already, p1-prod"
        ):
            grants.add(again)
    assert defaults(grants) == ["prod"]
    with pytest.raises(NotFound):
        grants.set_default("g")


def test_what_was_the_default_leaves_none(grants: ProjectGrantRepository) -> None:
    for there in ("prod", "lab"):
        grants.add(one(there))
    grants.delete(f"{OURS}-prod")
    assert defaults(grants) == []
    assert grants.project_in(OURS, LYON) == OURS
    assert f"set --default {OURS}-lab" in (grants.why_not(OURS, LYON, OURS) or "")
    assert not grants.add(one("prod")).is_default, "granted again it is one of them"
    grants.set_default(f"{OURS}-prod")
    assert grants.project_in(OURS, LYON) == "prod"


def test_only_what_is_granted_to_it_now_is_for_a_project(grants: ProjectGrantRepository) -> None:
    assert grants.why_not(OURS, LYON, OURS) is None, "granted nothing: the project of the same id"
    said = {there: grants.why_not(OURS, LYON, there) for there in ("prod", "nowhere")}
    assert said["prod"] == str(said["nowhere"]).replace("nowhere", "prod")
    for there, project in (("prod", OURS), ("lab", OURS), ("theirs", "p2")):
        grants.add(one(there, project))
    assert [grants.why_not(OURS, LYON, there) for there in ("prod", "lab")] == [None, None]
    for there in ("theirs", "nowhere"):
        said[there] = grants.why_not(OURS, LYON, there)
        assert f"openstack multisite project grant create {OURS} {LYON} {there}" in str(said[there])
    assert said["theirs"] == str(said["nowhere"]).replace("nowhere", "theirs")
    assert grants.why_not(OURS, PARIS, "prod"), "another site"
    grants.delete(f"{OURS}-lab")
    assert grants.why_not(OURS, LYON, "lab")


def test_the_default_stays_while_applications_are_in_it(
    database: Database, grants: ProjectGrantRepository
) -> None:
    for there in ("prod", "lab"):
        grants.add(one(there))
    applications = ApplicationRepository(database)
    app = applications.add(Application("a1", "mme", OURS, LYON, (Member("s1", "mme-1", 1),)))
    with pytest.raises(Conflict, match=r"^default: the servers of mme are in name-prod"):
        grants.set_default(f"{OURS}-lab")
    with pytest.raises(Conflict, match=r"^default: the servers of mme"):
        grants.add(one("new", is_default=True))
    assert defaults(grants) == ["prod"]
    grants.add(one("new"))
    applications.delete(app.id)
    grants.set_default(f"{OURS}-lab")
    assert defaults(grants) == ["lab"]


def test_two_are_never_the_default(database: Database, grants: ProjectGrantRepository) -> None:
    for there in ("prod", "lab"):
        grants.add(one(there))
    with pytest.raises(IntegrityError), database.session() as session:
        session.execute(text("UPDATE project_grant SET is_default = true"))
    assert defaults(grants) == ["prod"]


_DIES = """
import os, signal, sys
from unittest.mock import patch
from multisite.store.database import Database
from multisite.store.grants import ProjectGrantRepository
grants = ProjectGrantRepository(Database(sys.argv[1]))
die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
with patch.object(ProjectGrantRepository, "update", die):
    grants.set_default("p1-lab")
"""


def test_a_process_that_dies_between_two_defaults_has_changed_nothing(
    database: Database, grants: ProjectGrantRepository
) -> None:
    for there in ("prod", "lab"):
        grants.add(one(there))
    url = database.url.render_as_string()
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", _DIES, url], cwd=root, env=dict(os.environ), timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert defaults(grants) == ["prod"]
    grants.set_default(f"{OURS}-lab")
    assert defaults(grants) == ["lab"]


def test_grants_of_the_release_before_stay_the_defaults(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/multisite.db")
    database.upgrade("0018")
    with database.session() as session:
        session.execute(
            text(
                "INSERT INTO site (id, name, cloud, region, auth_url, description, created_at)"
                " VALUES ('s1', 'lyon', 'lyon', 'R', '', '', '2026-01-01 00:00:00')"
            )
        )
        session.execute(
            text(
                "INSERT INTO project_grant (id, project_id, site, site_project_id, site_project_name, granted_by,"
                " created_at) VALUES ('g1', 'p1', 'lyon', 'prod', 'name-prod', 'olga', '2026-01-01 00:00:00')"
            )
        )
        session.execute(
            text(
                "INSERT INTO recovery (id, application, project_id, restore_point_id, target_site, state, job_id,"
                " requested_by, created_at, servers, mapping, application_id, epoch) VALUES ('r1', 'demo', 'p1', 'rp',"
                " 'lyon', 'done', 'j', 'me', '2026-01-01 00:00:00', '[]', '{}', 'a1', 1)"
            )
        )
    database.upgrade()
    grants = ProjectGrantRepository(database)
    assert grants.project_in("p1", "lyon") == "prod"
    assert defaults(grants) == ["prod"]
    assert not grants.add(one("lab")).is_default
    grants.set_default(f"{OURS}-lab")
    assert defaults(grants) == ["lab"]
    with database.session() as session:
        assert session.execute(text("SELECT site_project_id FROM recovery")).scalars().all() == [""]
