"""The odd application over simulated sites: what differs at the target is said in the preview, all of it.

``tests/odd`` makes, saves and compares it with no code of the product; the same is done on real sites in
``tests/lab/recovery/test_odd_application.py``.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from multisite.jobs.model import JobState
from multisite_lab.sim.world import make_world
from tests.odd.application import Odd, deploy, prepare_target
from tests.odd.compare import Difference, differences, excused
from tests.odd.pairs import follow
from tests.odd.rest import NETWORK, Api
from tests.odd.saved import Saved, save
from tests.odd.told import silent
from tests.sim.service import CLOUDS, MAPPING, SITE, TARGET, Service, running_service

NAME = "odd"
ODD = Path(__file__).parents[1] / "odd"


@dataclass(frozen=True)
class Recovered:
    service: Service
    target: Api
    source: Saved
    said: list[str]

    def differences(self) -> list[Difference]:
        return differences(self.source, save(self.target))


def said_in(preview: Any) -> list[str]:
    problems = [f"{one.kind}: {one.what}" for one in preview.problems]
    return problems + [f"{one.kind} {one.name}: {one.action} {one.detail}" for one in preview.items]


@pytest.fixture(scope="module")
def recovered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recovered]:
    folder = tmp_path_factory.mktemp("odd")
    with make_world() as world, running_service(folder, world) as service:
        here, there = (Api(folder / CLOUDS, site) for site in (SITE, TARGET))
        prepare_target(there, NAME)
        made = deploy(here, NAME)
        register(service, made)
        _, point = service.protect(NAME)
        source = json.loads(json.dumps(save(here)))
        world.lose(SITE)
        floating = {row["floating_ip_address"]: made.outside for row in source["floating IP"].values()}
        mapping = MAPPING | {"floating_ips": floating}
        preview = service.recoveries.preview(service.caller, point.id, TARGET, mapping)
        assert preview.startable, said_in(preview)
        job, _ = service.recover(point.id, floating_ips=floating)
        assert job.state is JobState.DONE, job.error
        yield Recovered(service, there, source, said_in(preview))


def register(service: Service, made: Odd) -> None:
    members = [{"id": server} for server in made.servers]
    service.applications.create(service.owner(), made.name, SITE, members)


def test_no_difference_is_silent(recovered: Recovered) -> None:
    found = recovered.differences()
    print(*found, sep="\n")
    print(*recovered.said, sep="\n")
    assert [str(one) for one in silent(found, recovered.said)] == []


def other(value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, list):
        return value[:-1] if value and isinstance(value[0], dict) else [*value, "another"]
    if isinstance(value, dict):
        return value | {"another": []}
    return f"{value}?" if isinstance(value, str) else value + 1


def test_every_field_that_is_not_excused_is_compared(recovered: Recovered) -> None:
    """The negative control: whatever is changed at the target is found."""
    target = save(recovered.target)
    pairs = follow(recovered.source, target)
    known = differences(recovered.source, target)
    unseen = []
    for one, there in pairs.by_id.items():
        kind = pairs.kinds[one]
        for name, value in list(target[kind][there].items()):
            if name in excused(kind, target[kind][there]):
                continue
            target[kind][there][name] = other(value)
            try:
                if differences(recovered.source, target) == known:
                    unseen.append(f"{kind}: {name}: {value!r}")
            finally:
                target[kind][there][name] = value
    assert unseen == []


def test_what_is_changed_behind_the_product_is_found_and_told_by_nobody(recovered: Recovered) -> None:
    known = recovered.differences()
    port = next(row for row in save(recovered.target)["port"].values() if row["description"])
    path = f"/v2.0/ports/{port['id']}"
    recovered.target(NETWORK, "PUT", path, {"port": {"description": "another"}})
    try:
        found = [one for one in recovered.differences() if one not in known]
    finally:
        recovered.target(NETWORK, "PUT", path, {"port": {"description": port["description"]}})
    assert [(one.kind, one.field, one.now) for one in found] == [("port", "description", "another")]
    assert silent(found, recovered.said) == found


def test_a_preview_that_says_nothing_tells_nothing(recovered: Recovered) -> None:
    found = recovered.differences()
    assert found
    assert silent(found, []) == found


def test_the_judge_shares_no_code_with_the_product() -> None:
    for file in ODD.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not [name for name in names if name.split(".")[0] == "multisite"], file.name
