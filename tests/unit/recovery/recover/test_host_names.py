"""The host name a server is asked for with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from multisite.domain.findings import Finding, blockers
from multisite.domain.model import Preview
from tests.unit.recovery.recover_samples import facts, look, made, manifest


def the_problem(found: Preview) -> Finding:
    """The only obstacle."""
    (problem,) = blockers(found.problems)
    return problem


@pytest.mark.parametrize(
    ("name", "host", "asked"),
    [
        ("web", "web-host", "web-host"),
        ("a", "a", None),
        ("ünï_code", "ünï-code", None),
        ("web", None, None),
    ],
)
def test_host_names_that_nova_makes_of_the_name_are_left_out(
    name: str, host: str | None, asked: str | None
) -> None:
    point = manifest(1)
    point = replace(point, servers=(replace(point.servers[0], name=name, hostname=host),))
    assert look(point).startable
    assert made(point).servers[0].record.hostname == asked


def test_a_host_name_with_dots_needs_a_nova_that_takes_it() -> None:
    point = manifest(1)
    point = replace(point, servers=(replace(point.servers[0], hostname="a.b.c"),))
    assert made(point, facts(compute_version=(2, 94))).servers[0].record.hostname == "a.b.c"
    problem = the_problem(look(point, facts(compute_version=(2, 93))))
    assert problem.what.startswith(
        "its host name 'a.b.c' cannot be asked for: lyon has version 2.93 of Nova's API, it needs 2.94"
    )
    assert "server set --hostname" in problem.remedy
    unknown = facts(unknown={"compute_version": "HTTP 503"})
    assert "HTTP 503" in the_problem(look(point, unknown)).what
    assert look(manifest(1), unknown).startable  # asked only where it matters


def test_who_accepts_the_loss_gets_the_name_that_nova_makes() -> None:
    point = manifest(1)
    point = replace(point, servers=(replace(point.servers[0], name="web", hostname="a.b.c"),))
    older = facts(compute_version=(2, 93))
    assert the_problem(look(point, older)).remedy.endswith("--accept-loss host-name:web")
    mapping = {"accept_loss": ["host-name:web"]}
    assert look(point, older, mapping).startable
    assert made(point, older, mapping).servers[0].record.hostname is None


def test_a_host_name_that_no_nova_takes_blocks() -> None:
    point = manifest(1)
    point = replace(point, servers=(replace(point.servers[0], hostname="ünï"),))
    assert "no Nova takes it" in the_problem(look(point)).what
