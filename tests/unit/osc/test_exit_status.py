"""One rule for all commands that look: 0 as wanted, 1 it differs or failed, 2 unknown or refused before any change."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points

import pytest

from multisite_client.osc.findings import exit_status
from osc.changes import held_twice, let_go, shrink, widen
from osc.cloud import Cloud
from osc.conftest import Openstack

ALONE = ("identity_", "drill_verify")
LOOKS = ("check", "verify", "preview", "reconcile")
RECOVERY = ("recovery", "preview", "mme", "--target-site", "lyon")
PLANE = ("application", "plane", "check", "mme", "mgmt")


def _lost(site: str) -> Callable[[Cloud], None]:
    return lambda cloud: cloud.services.world.lose(site)


def _differs_and_unknown(cloud: Cloud) -> None:
    widen(cloud, "heartbeat")
    cloud.services.world.lose("paris")


def _wrong_and_unknown(network: str) -> Callable[[Cloud], None]:
    def change(cloud: Cloud) -> None:
        shrink(cloud, network)
        cloud.services.world.lose("paris")

    return change


def _as_it_is(_cloud: Cloud) -> None: ...


CASES: list[tuple[tuple[str, ...], Callable[[Cloud], None], int]] = [
    (("site", "check", "paris"), _as_it_is, 0),
    (("site", "check", "paris"), _lost("paris"), 1),
    (PLANE, _as_it_is, 0),
    (PLANE, _wrong_and_unknown("mme-mgmt"), 1),
    (PLANE, _lost("lyon"), 2),
    (("network", "check", "hb"), _as_it_is, 0),
    (("network", "check", "hb"), _wrong_and_unknown("hb"), 1),
    (("network", "check", "hb"), _lost("lyon"), 2),
    (("network", "reconcile", "hb"), _as_it_is, 0),
    (("network", "reconcile", "hb"), _lost("paris"), 2),
    (("address", "check", "gw"), _as_it_is, 0),
    (("address", "check", "gw"), let_go, 1),
    (("address", "check", "gw"), held_twice, 1),
    (("address", "check", "gw"), _lost("lyon"), 2),
    (("path", "check", "heartbeat"), _as_it_is, 0),
    (("path", "check", "heartbeat"), _differs_and_unknown, 1),
    (("path", "check", "heartbeat"), _lost("paris"), 2),
    ((*RECOVERY, "--create-missing-flavors"), _lost("paris"), 0),
    (RECOVERY, _lost("paris"), 2),
    (("protection", "retention", "preview", "mme"), _as_it_is, 0),
    (("protection", "check", "mme"), _as_it_is, 0),
    (("protection", "check", "mme"), _lost("lyon"), 2),
    (("protection", "preview", "mme", "--target-site", "lyon"), _as_it_is, 0),
    (("protection", "preview", "mme", "--target-site", "lyon"), _lost("lyon"), 2),
]


@pytest.mark.parametrize(("command", "given", "code"), CASES)
def test_a_look_ends_with_what_it_found(
    openstack: Openstack, cloud: Cloud, command: tuple[str, ...], given: Callable[[Cloud], None], code: int
) -> None:
    given(cloud)
    answer = openstack(*command)
    assert answer.code == code, answer.out + answer.err


def test_every_command_that_looks_is_tried() -> None:
    """But those of identity and of a drill's report, which ask no service: their own tests try them."""
    names = {point.name.removeprefix("multisite_") for point in entry_points(group="openstack.multisite.v1")}
    looks = {name for name in names if name.split("_")[-1] in LOOKS and not name.startswith(ALONE)}
    tried = {"_".join(command[: _verb(command) + 1]) for command, _, _ in CASES}
    assert tried == looks


def _verb(command: tuple[str, ...]) -> int:
    return next(number for number, word in enumerate(command) if word in LOOKS)


@pytest.mark.parametrize(("as_wanted", "status"), [(True, 0), (False, 1), (None, 2)])
def test_the_rule(as_wanted: bool | None, status: int) -> None:
    assert exit_status(as_wanted) == status
