"""Lists in pages: each is declared as one, the links lead through all of it, and a page costs what it holds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event

from api.conftest import ADMIN, MEMBER
from api.jobs import BEGAN, job, step
from api.setup import FOREIGN, MINE, Services
from multisite.api import policy
from multisite.api.resources import ROUTES
from multisite.api.routing import Resource
from multisite.api.schemas.common import PageQuery
from multisite.api.schemas.derived import group, page_of
from multisite.domain.audit import AuditKind, Intent
from multisite.store.models import Base, JobRow

LISTS = [route for route in ROUTES if route.rule.endswith(":list")]
BOUNDED = {"plane:list": "an application has at most 32"}


def furnish(services: Services, count: int) -> None:
    """Jobs of each project and state; two began at the same moment."""
    for n in range(count):
        for project in (MINE, FOREIGN):
            state = ("done", "paused")[n % 2]
            began = BEGAN + timedelta(minutes=n // 2)
            services.put_job(job(None, project, state, created_at=began, kind=f"kind-{n}"))  # type: ignore[arg-type]


def through(client: FlaskClient, first: str) -> list[list[str]]:
    """The ids of each page, by the links."""
    pages, path = [], first
    plural = first.partition("?")[0].rpartition("/")[2].replace("-", "_")
    while path:
        answer = client.get(path, headers=ADMIN if "audit" in path else MEMBER).json
        pages.append([str(item["id"]) for item in answer[plural]])
        path = next((link["href"] for link in answer[f"{plural}_links"] if link["rel"] == "next"), "")
    return pages


def test_every_list_is_in_pages(client: FlaskClient, services: Services) -> None:
    for route in LISTS:
        if route.rule in BOUNDED:
            continue
        whole = through(client, route.path)
        assert len(whole) == 1
        single = through(client, f"{route.path}?limit=1")
        assert [id for page in single for id in page] == whole[0], route.path
        assert client.get(f"{route.path}?limit=1001", headers=ADMIN).status_code == 400
        assert client.get(f"{route.path}?limit=0", headers=ADMIN).status_code == 400


def test_a_list_in_pages_needs_the_schema_with_links() -> None:
    resource = Resource("secrets", "/v1/secrets", tag="Secrets")
    with pytest.raises(TypeError, match="page_of"):
        resource.route("GET", "secret:list", policy.ADMIN, query=PageQuery, out=group("S", secrets=list[str]))
    with pytest.raises(TypeError, match="PageQuery"):
        resource.route("GET", "secret:list", policy.ADMIN, out=page_of("T", secrets=list[str]))


@pytest.mark.parametrize("query", ["", "&state=done"])
def test_the_links_lead_through_all_of_it(client: FlaskClient, services: Services, query: str) -> None:
    furnish(services, 9)
    expected = [
        found["id"]
        for found in client.get("/v1/jobs", headers=MEMBER).json["jobs"]
        if not query or found["state"] == "done"
    ]
    assert len(expected) >= 5
    pages = through(client, f"/v1/jobs?limit=2{query}")
    assert [id for page in pages for id in page] == expected
    assert {len(page) for page in pages[:-1]} == {2}


def test_what_ended_meanwhile_still_marks_the_page(client: FlaskClient, services: Services) -> None:
    """Negative control: the marker need not meet the filters, only be there and the project's."""
    furnish(services, 6)
    first = client.get("/v1/jobs?limit=2&state=paused", headers=MEMBER).json
    marker = first["jobs"][-1]["id"]
    with services.database.session() as session:
        session.get_one(JobRow, marker).state = "done"
    again = client.get(first["jobs_links"][0]["href"], headers=MEMBER)
    assert again.status_code == 200
    assert marker not in {found["id"] for found in again.json["jobs"]}


def test_a_marker_that_is_none_or_foreign_is_refused(client: FlaskClient, services: Services) -> None:
    theirs = services.of("jobs", FOREIGN).id
    answers = [client.get(f"/v1/jobs?marker={id}", headers=MEMBER) for id in (theirs, "nothing")]
    assert {answer.status_code for answer in answers} == {400}
    said = {answer.json["error"]["message"].replace(theirs, "nothing") for answer in answers}
    assert said == {"marker: there is nothing with id 'nothing' in this list: begin without one"}
    assert client.get(f"/v1/jobs?marker={theirs}", headers=ADMIN).status_code == 200


def cost(client: FlaskClient, services: Services, path: str) -> tuple[int, int]:
    """Statements, and rows that were loaded as objects, to answer."""
    asked: list[str] = []
    loaded: list[object] = []

    def statement(_c: Any, _cursor: Any, words: str, *_: Any) -> None:
        asked.append(words)

    def load(row: object, _context: Any) -> None:
        loaded.append(row)

    event.listen(services.database.engine, "before_cursor_execute", statement)
    event.listen(Base, "load", load, propagate=True)
    try:
        assert client.get(path, headers=MEMBER).status_code == 200
    finally:
        event.remove(services.database.engine, "before_cursor_execute", statement)
        event.remove(Base, "load", load)
    return len(asked), len(loaded)


@pytest.mark.parametrize("path", ["/v1/jobs?limit=5", "/v1/jobs?limit=5&state=done", "/v1/audit?limit=5"])
def test_a_page_costs_what_it_holds(client: FlaskClient, services: Services, path: str) -> None:
    """Not what there is: neither more jobs nor more steps make it dearer."""

    def grow(jobs: int, steps: int) -> None:
        for n in range(jobs):
            services.put_job(job(None, steps=tuple(step(f"s{i}") for i in range(steps))))
            change = Intent(AuditKind.CLOUD, "olga", "POST", f"/{n}", project_id=MINE)
            services.audit.begin(change)

    grow(10, 10)
    before = cost(client, services, path)
    grow(10, 40)
    assert cost(client, services, path) == before
    assert before[1] <= 5


def test_what_is_counted_grows_with_a_job_that_is_shown(client: FlaskClient, services: Services) -> None:
    """Negative control: showing one job loads its steps, and the count tells."""
    short, long = (services.put_job(job(None, steps=tuple(step(f"s{i}") for i in range(n)))) for n in (5, 50))
    assert (
        cost(client, services, f"/v1/jobs/{long.id}")[1]
        > 45
        > cost(client, services, f"/v1/jobs/{short.id}")[1]
    )
