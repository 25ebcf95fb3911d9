"""Commands of an application's planes, through the real shell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from multisite.command.wiring import myself
from multisite.domain.planes import PlaneRecord
from multisite_lab.sim.faults import Rule
from osc.changes import shrink, turn_off
from osc.cloud import Cloud
from osc.conftest import Openstack

SET = ("application", "plane", "set", "mme")
MGMT = "name=mgmt,role=management"
"""Is active, and so has to stay."""


def planes(cloud: Cloud) -> list[PlaneRecord]:
    return cloud.services.planes.list(myself(), cloud.services.of("applications").id)


def plane(cloud: Cloud, name: str) -> PlaneRecord:
    return next(one for one in planes(cloud) if one.name == name)


def test_set_by_options(openstack: Openstack, cloud: Cloud) -> None:
    given = [
        "--plane", MGMT, "--plane", "name=hb,role=inter-component,cidr=10.9.0.0/24,site=lyon,site=paris",
        "--plane", "name=oam,role=management,realized=l3",
    ]  # fmt: skip
    answer = openstack(*SET, *given, "--site", "paris", "--site", "lyon", "-f", "json")
    assert answer.code == 0, answer.err
    assert [(r["Name"], r["Realized"], r["State"]) for r in answer.json] == [
        ("hb", "stretched", "described"),
        ("mgmt", "local", "active"),
        ("oam", "l3", "described"),
    ]
    assert [(one.name, one.role, one.cidr, one.sites) for one in planes(cloud)] == [
        ("hb", "inter-component", "10.9.0.0/24", ("lyon", "paris")),
        ("mgmt", "management", None, ("paris", "lyon")),
        ("oam", "management", None, ("paris", "lyon")),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "sites: [paris, lyon]\nplanes:\n- {name: mgmt, role: management}\n- {name: copy, role: backup}\n",
        '{"sites": ["paris", "lyon"], "planes": [{"name": "mgmt", "role": "management"}, '
        '{"name": "copy", "role": "backup"}]}',
    ],
)
def test_set_by_a_file(openstack: Openstack, cloud: Cloud, tmp_path: Path, text: str) -> None:
    file = tmp_path / "planes.yaml"
    file.write_text(text)
    assert openstack(*SET, "--planes", str(file)).code == 0
    assert [(one.name, one.role, one.sites) for one in planes(cloud)] == [
        ("copy", "backup", ("paris", "lyon")),
        ("mgmt", "management", ("paris", "lyon")),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("planes: {", "cannot be read"),
        ("name: x", "it must be a list of planes"),
        ("planes: []\ncolor: red", "color: only `planes` and `sites`"),
        ("- {name: oam, role: data}", "role"),
        ("- {name: oam, role: management, color: 1}", "color"),
    ],
)
def test_what_is_wrong_in_a_file_is_said(
    openstack: Openstack, cloud: Cloud, tmp_path: Path, text: str, words: str
) -> None:
    file = tmp_path / "planes.yaml"
    file.write_text(text)
    before = planes(cloud)
    answer = openstack(*SET, "--planes", str(file))
    assert (answer.code, planes(cloud)) == (1, before)
    assert words in answer.err
    assert openstack(*SET, "--planes", str(tmp_path / "none")).code == 1


@pytest.mark.parametrize("plane", ["name", "name=a,name=b", "name=a,color=red", "name=,role=backup", ""])
def test_what_is_wrong_in_an_option_is_said(openstack: Openstack, plane: str) -> None:
    answer = openstack(*SET, "--plane", plane)
    assert answer.code == 1
    assert f"--plane {plane}:" in answer.err


def test_realize_show_remove(openstack: Openstack, cloud: Cloud) -> None:
    before = openstack("application", "plane", "show", "mme", "hb")
    assert "only written down" in before.out
    assert "which only layer 2 carries" in before.out
    preview = openstack("application", "plane", "realize", "mme", "hb", "--preview", "-f", "json").json
    assert len([line for line in preview["actions"] if line.startswith("create network mme-hb at")]) == 2
    done = openstack("application", "plane", "realize", "mme", "hb", "-f", "json")
    assert (done.code, done.json["state"], [m["site"] for m in done.json["made"]]) == (
        0,
        "active",
        ["paris", "lyon"],
    )
    listed = openstack("application", "plane", "list", "mme", "-f", "json").json
    assert {row["Name"]: row["State"] for row in listed} == {
        "mgmt": "active", "hb": "active", "oam": "described",
    }  # fmt: skip
    for name in ("hb", "mgmt"):  # a job that is done, and one that is undone
        gone = openstack("application", "plane", "remove", "mme", name, "-f", "json")
        assert (gone.code, gone.json["state"], gone.json["made"]) == (0, "described", []), gone.err
        assert openstack("application", "plane", "remove", "mme", name).code == 0, "there is nothing to do"


def test_what_is_in_the_way_ends_with_2(openstack: Openstack, cloud: Cloud) -> None:
    cloud.services.world.lose("lyon")
    refused = openstack("application", "plane", "realize", "mme", "hb")
    assert refused.code == 2
    assert "BLOCKING: site lyon: " in refused.out
    assert plane(cloud, "hb").job_id is None
    assert "has no plane 'x'" in openstack("application", "plane", "show", "mme", "x").err


CHECK = ("application", "plane", "check", "mme")
DOWN = (turn_off, "is administratively down", "guests reach nobody", "application plane repair mme mgmt")
SMALL = (shrink, "is 1400, it was made with", "frames", "openstack network set --mtu")


@pytest.mark.parametrize(
    ("drift", "lost", "code", "states"),
    [
        ([], None, 0, {"paris": "in-sync", "lyon": "in-sync"}),
        ([DOWN], None, 1, {"paris": "in-sync", "lyon": "drift"}),
        ([], "lyon", 2, {"paris": "in-sync", "lyon": "unknown"}),
        ([SMALL], "paris", 1, {"paris": "unknown", "lyon": "drift"}),
    ],
)
def test_check_ends_with_what_it_found(
    openstack: Openstack, cloud: Cloud, drift: list[Any], lost: str | None, code: int, states: dict[str, str]
) -> None:
    for change, *_ in drift:
        change(cloud, "mme-mgmt")
    if lost:
        cloud.services.world.lose(lost)
    one = openstack(*CHECK, "mgmt", "-f", "json")
    assert (one.code, {row["Site"]: row["State"] for row in one.json}) == (code, states), one.err
    every = openstack(*CHECK, "-f", "json")
    assert every.code == code, "a plane that is only described is no drift"
    assert {row["State"] for row in every.json if row["Plane"] == "hb"} == {"described"}
    for _, *words in drift:
        assert all(word in one.out for word in words), one.out


def test_a_plane_that_could_not_be_made_is_not_well(openstack: Openstack, cloud: Cloud) -> None:
    cloud.services.world.sites["lyon"].strike(Rule("error", "", "POST", "/networks", times=9, status=409))
    assert openstack("application", "plane", "realize", "mme", "oam").code == 1
    failed = plane(cloud, "oam")
    assert failed.state == "failed"
    assert failed.error is not None
    answer = openstack(*CHECK)
    assert (answer.code, "site lyon" in answer.out) == (2, True), answer.out
    assert openstack(*CHECK, "oam").code == 1, "asked for by name it cannot be compared"


def test_repair_then_compares(openstack: Openstack, cloud: Cloud) -> None:
    turn_off(cloud, "mme-mgmt")
    shrink(cloud, "mme-mgmt")
    left = openstack("application", "plane", "repair", "mme", "mgmt", "-f", "json")
    (what,) = [row["What"] for row in left.json if row["State"] == "drift"]
    assert (left.code, "is 1400, it was made with" in what) == (1, True)
    shrink(cloud, "mme-mgmt", back=True)
    turn_off(cloud, "mme-mgmt")
    assert openstack("application", "plane", "repair", "mme", "mgmt").code == 0


def test_remove_without_and_forget(openstack: Openstack, cloud: Cloud) -> None:
    gone = openstack("application", "plane", "remove", "mme", "mgmt", "--without", "lyon", "-f", "json")
    assert (gone.code, gone.json["left"]) == (0, ["lyon"]), gone.err
    (left,) = plane(cloud, "mgmt").left
    assert left.made is not None
    there = cloud.services.world.sites["lyon"].sim.state.networks
    assert left.made.network_id in there
    forgot = openstack("application", "plane", "forget", "mme", "mgmt", "--site", "lyon", "-f", "json")
    assert (forgot.code, forgot.json["left"], left.made.network_id in there) == (0, [], True)


def test_remove_what_is_left(openstack: Openstack, cloud: Cloud) -> None:
    (left,) = cloud.services.of("left planes").left
    gone = openstack("application", "plane", "remove", "mme", "mgmt", "--left", "-f", "json")
    assert (gone.code, gone.json["left"]) == (0, []), gone.err
    assert left.made.network_id not in cloud.services.world.sites["lyon"].sim.state.networks
