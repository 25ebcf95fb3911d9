"""Commands of an application's planes, through the real shell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from multisite.domain.findings import Finding
from multisite.domain.plane_drift import unknown
from multisite.domain.planes import PlaneState
from osc.cloud import Cloud
from osc.conftest import Openstack

SET = ("application", "plane", "set", "mme")


def test_set_by_options(openstack: Openstack, cloud: Cloud) -> None:
    planes = [
        "--plane", "name=hb,role=inter-component,cidr=10.9.0.0/24,site=paris,site=lyon",
        "--plane", "name=oam,role=management,realized=l3",
    ]  # fmt: skip
    answer = openstack(*SET, *planes, "--site", "paris", "--site", "lyon", "-f", "json")
    assert answer.code == 0, answer.err
    assert [(r["Name"], r["Realized"], r["State"]) for r in answer.json] == [
        ("hb", "stretched", "described"),
        ("oam", "l3", "described"),
    ]
    assert cloud.services.planes.asked == [
        (
            [
                {"name": "hb", "role": "inter-component", "cidr": "10.9.0.0/24", "sites": ["paris", "lyon"]},
                {"name": "oam", "role": "management", "realized": "l3"},
            ],
            ("paris", "lyon"),
        )
    ]


@pytest.mark.parametrize(
    "text",
    [
        "sites: [paris, lyon]\nplanes:\n- {name: oam, role: management}\n",
        '{"sites": ["paris", "lyon"], "planes": [{"name": "oam", "role": "management"}]}',
    ],
)
def test_set_by_a_file(openstack: Openstack, cloud: Cloud, tmp_path: Path, text: str) -> None:
    file = tmp_path / "planes.yaml"
    file.write_text(text)
    assert openstack(*SET, "--planes", str(file)).code == 0
    assert cloud.services.planes.asked == [([{"name": "oam", "role": "management"}], ("paris", "lyon"))]


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
    answer = openstack(*SET, "--planes", str(file))
    assert (answer.code, cloud.services.planes.asked) == (1, [])
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
    assert preview["actions"] == ["create network mme-hb at paris"]
    done = openstack("application", "plane", "realize", "mme", "hb", "-f", "json")
    assert (done.code, done.json["state"], [m["site"] for m in done.json["made"]]) == (
        0,
        "active",
        ["paris", "lyon"],
    )
    listed = openstack("application", "plane", "list", "mme", "-f", "json").json
    assert {row["Name"]: row["State"] for row in listed} == {"mgmt": "active", "hb": "active"}
    for name in ("hb", "mgmt"):  # a job that is done, and one that is undone
        gone = openstack("application", "plane", "remove", "mme", name, "-f", "json")
        assert (gone.code, gone.json["state"], gone.json["made"]) == (0, "described", []), gone.err
        assert openstack("application", "plane", "remove", "mme", name).code == 0, "there is nothing to do"


def test_what_is_in_the_way_ends_with_2(openstack: Openstack, cloud: Cloud) -> None:
    cloud.services.planes.broken = "lyon"
    refused = openstack("application", "plane", "realize", "mme", "hb")
    assert refused.code == 2
    assert "BLOCKING: site lyon: unknown: it does not tell" in refused.out
    assert cloud.services.planes.items[cloud.services.of("applications").id, "hb"].job_id is None
    assert "has no plane 'x'" in openstack("application", "plane", "show", "mme", "x").err


DRIFT = Finding(
    "lyon", "router gone", "router r is gone", "cut off", "openstack ... repair mme mgmt", repairable=True
)
TOLD = Finding(
    "lyon", "mtu changed", "the MTU is 1400", "large frames are lost", "openstack network set --mtu"
)
AWAY = unknown("lyon", "no route")
CHECK = ("application", "plane", "check", "mme")


@pytest.mark.parametrize(
    ("drift", "code", "states"),
    [
        ([], 0, {"paris": "in-sync", "lyon": "in-sync"}),
        ([DRIFT], 1, {"paris": "in-sync", "lyon": "drift"}),
        ([AWAY], 2, {"paris": "in-sync", "lyon": "unknown"}),
        ([AWAY, replace(TOLD, site="paris")], 1, {"paris": "drift", "lyon": "unknown"}),
    ],
)
def test_check_ends_with_what_it_found(
    openstack: Openstack, cloud: Cloud, drift: list[Finding], code: int, states: dict[str, str]
) -> None:
    cloud.services.planes.drift = drift
    one = openstack(*CHECK, "mgmt", "-f", "json")
    assert (one.code, {row["Site"]: row["State"] for row in one.json}) == (code, states), one.err
    every = openstack(*CHECK, "-f", "json")
    assert every.code == code, "a plane that is only described is no drift"
    assert {row["State"] for row in every.json if row["Plane"] == "hb"} == {"described"}
    for drifted in drift:
        assert all(words in one.out for words in (drifted.what, drifted.consequence, drifted.remedy))


def test_a_plane_that_could_not_be_made_is_not_well(openstack: Openstack, cloud: Cloud) -> None:
    planes, key = cloud.services.planes, (cloud.services.of("applications").id, "hb")
    planes.items[key] = replace(planes.items[key], state=PlaneState.FAILED, error="lyon refused")
    answer = openstack(*CHECK)
    assert (answer.code, "lyon refused" in answer.out) == (2, True)
    assert openstack(*CHECK, "hb").code == 1, "asked for by name it cannot be compared"


def test_repair_then_compares(openstack: Openstack, cloud: Cloud) -> None:
    cloud.services.planes.drift = [DRIFT, TOLD]
    left = openstack("application", "plane", "repair", "mme", "mgmt", "-f", "json")
    assert (left.code, [row["What"] for row in left.json if row["State"] == "drift"]) == (
        1,
        ["the MTU is 1400"],
    )
    cloud.services.planes.drift = [DRIFT]
    assert openstack("application", "plane", "repair", "mme", "mgmt").code == 0


def test_remove_without_and_forget(openstack: Openstack, cloud: Cloud) -> None:
    gone = openstack("application", "plane", "remove", "mme", "mgmt", "--without", "lyon", "-f", "json")
    assert (gone.code, gone.json["left"]) == (0, ["lyon"]), gone.err
    openstack("application", "plane", "remove", "mme", "mgmt", "--left")
    assert cloud.services.planes.removed == [("mgmt", ("lyon",), False), ("mgmt", (), True)]
    forgot = openstack("application", "plane", "forget", "mme", "mgmt", "--site", "lyon", "-f", "json")
    assert (forgot.code, forgot.json["left"]) == (0, [])
