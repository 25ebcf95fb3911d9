"""The table of confused deputies: whatever a parameter names, another project's is as good as not there.

Made from the API's document: a new route, or a new parameter, without a row in ``rights_table`` fails.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from multisite.api.policy import ADMIN
from multisite.api.resources import ROUTES
from tests.sim.parameters import BODIES, NOUNS, PLAIN, parameters
from tests.sim.rights_table import CASES, nowhere
from tests.sim.tenants import MEMBER, Tenants, two_tenants

ADMINS = {f"{route.method} {route.path}" for route in ROUTES if route.default == ADMIN}
"""Their parameters are nobody else's to give: refused before they are looked at."""
OF_A_THING = [
    f"{route.method} {route.path}" for route in ROUTES if route.path.split("/")[2:3] and "{id}" in route.path
]
ACCOUNTS = {"member": MEMBER, "administrator": ("admin", *MEMBER)}


@pytest.fixture(scope="module", params=ACCOUNTS)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenants]:
    """``member``: as the documentation asks for; ``administrator``: as it was before, in the tenants' projects, too."""
    with two_tenants(tmp_path_factory.mktemp("rights"), ACCOUNTS[request.param]) as found:
        yield found


def test_every_parameter_has_a_row(made: Tenants) -> None:
    described = dict.fromkeys(parameters(made.ask(made.bob, "GET", "/v1/openapi.json")[1]))
    rows = {(asked, name) for asked, names in PLAIN.items() for name in names.split()}
    rows |= {tuple(case.split(" (")[0].rsplit(" ", 1)) for case in CASES}  # type: ignore[misc]
    missing = {one for one in described if one[0] not in ADMINS and not one[1].startswith("path:")} - rows
    assert missing == set()
    assert rows - set(described) == set(), "rows of what is not there"
    paths = {asked.split("/")[2] for asked, name in described if name == "path:id"}
    assert paths == set(NOUNS)


@pytest.mark.parametrize("case", CASES)
def test_anothers_is_as_good_as_not_there(made: Tenants, case: str) -> None:
    row = CASES[case]
    things = row.things(made)
    before = made.things_of(made.alice)
    told = {what: _answer(made, row.asks(made, x), x) for what, x in things.items()}
    assert made.things_of(made.alice) == before
    if not (row.chooses and _may_choose(made)):
        assert told["another's"] == told["nowhere"]
    for what, answer in told.items():
        assert "alice" not in answer, answer
        if what in ("own", "shared", "granted"):
            assert answer != told["nowhere"], f"{what} is refused, too"


@pytest.mark.parametrize("asked", OF_A_THING)
def test_anothers_thing_of_ours_is_as_good_as_not_there(made: Tenants, asked: str) -> None:
    method, path = asked.split()
    noun = path.split("/")[2]
    before = made.things_of(made.alice)
    theirs, none = made.alice.made.get(noun) or nowhere(), nowhere()
    told = {}
    for id in (theirs, none):
        request = (method, path.replace("{id}", id).replace("{name}", "data"), BODIES.get(asked, {}), None)
        told[id] = _answer(made, request, id)
    assert told[theirs] == told[none]
    assert re.match(r"40[34] ", told[none]), told[none]
    assert made.things_of(made.alice) == before
    if asked.startswith("GET") and noun in made.bob.made and "{name}" not in path:
        status, _ = made.ask(made.bob, method, path.replace("{id}", made.bob.made[noun]))
        assert status == 200


@pytest.mark.parametrize("asked", sorted(ADMINS))
def test_what_is_for_administrators_is_refused_before_it_is_looked_at(made: Tenants, asked: str) -> None:
    method, path = asked.split()
    status, _ = made.ask(made.bob, method, path.replace("{id}", nowhere()).replace("{name}", "site1"), {})
    assert status in (400, 403, 404), "with nothing that could be told apart in it"


@pytest.mark.parametrize("noun", NOUNS)
def test_a_list_shows_nothing_of_anothers(made: Tenants, noun: str) -> None:
    status, answer = made.ask(made.bob, "GET", f"/v1/{noun}")
    assert status == 200
    text = json.dumps(answer)
    assert "alice" not in text
    theirs = made.alice.made.get(noun)
    assert theirs is None or theirs not in text
    assert noun not in made.bob.made or made.bob.made[noun] in text


def _may_choose(made: Tenants) -> bool:
    """Whether the account the service works with (another one imports backup records) is an administrator there."""
    accounts = made.world.sites["site2"].sim.accounts
    bobs = made.there("bob", "site2")
    return any("admin" in a.roles for a in accounts if (a.user_name, a.project_id) == ("operator", bobs))


def _answer(made: Tenants, request: Any, x: str) -> str:
    """Status and text, with the job it began carried out; without what is new each time, and ``x`` as X."""
    status, answer = made.ask(made.bob, *request)
    if isinstance(answer, dict) and answer.get("job_id"):
        job = made.rest(answer["job_id"])
        # Steps that fail at the same time are named in the order they ended.
        answer = {"job": str(job.state), "error": sorted((job.error or "").split("; "))}
    text = f"{status} {json.dumps(answer, sort_keys=True)}".replace(x, "X")
    for new in (
        r'"(digest|[a-z_]*seconds|[a-z_]*_at)": [^,}]*',
        r"req-[\w-]+",
        r"\bn[0-9a-f]{8}\b",
        r"-drill-[0-9a-f]{8}",
    ):
        text = re.sub(new, "", text)
    return text
