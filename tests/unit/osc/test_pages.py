"""The commands show all there is, however many answers it takes, and no more than was asked for."""

from __future__ import annotations

import pytest
from api.jobs import BEGAN
from api.setup import MINE

from multisite.store.models import JobRow
from osc.cloud import Cloud
from osc.conftest import Openstack

MORE_THAN_A_PAGE = 1001


@pytest.fixture
def many(cloud: Cloud) -> Cloud:
    with cloud.services.database.session() as session:
        session.add_all(
            JobRow(
                id=f"job-{n:04d}", kind="protect", title="t", state="done", project_id=MINE, subject="many",
                requested_by="olga", params={}, run=1, epoch=1, intent="run", cancel_requested=False,
                settled=True, created_at=BEGAN,
            )
            for n in range(MORE_THAN_A_PAGE)
        )  # fmt: skip
    return cloud


def lists(cloud: Cloud) -> list[str]:
    return [line for line in cloud.requests if line.startswith("GET /v1/jobs")]


def test_all_are_shown_over_two_pages(openstack: Openstack, many: Cloud) -> None:
    found = openstack("job", "list", "--subject", "many", "--limit", "0", "-f", "json").json
    assert len({job["ID"] for job in found}) == len(found) == MORE_THAN_A_PAGE
    assert len(lists(many)) == 2


@pytest.mark.parametrize(("limit", "answers"), [("3", 1), (str(MORE_THAN_A_PAGE), 2)])
def test_no_more_are_asked_for_than_are_shown(
    openstack: Openstack, many: Cloud, limit: str, answers: int
) -> None:
    found = openstack("job", "list", "--subject", "many", "--limit", limit, "-f", "json").json
    assert len(found) == int(limit)
    assert len(lists(many)) == answers


def test_a_list_begins_after_the_marker(openstack: Openstack, many: Cloud) -> None:
    words = ("job", "list", "--subject", "many", "-f", "json", "--limit")
    first, *others = openstack(*words, "5").json
    assert openstack(*words, "1").json == [first]
    assert openstack(*words, "4", "--marker", first["ID"]).json == others
    refused = openstack("site", "list", "--marker", "nothing")
    assert refused.code == 1
    assert "marker: there is nothing with id 'nothing'" in refused.err
