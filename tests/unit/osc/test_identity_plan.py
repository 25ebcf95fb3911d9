"""``openstack multisite identity plan`` through the real shell: no cloud, no credentials."""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PLAN = """
version: 1
sites:
  - {name: paris, owner: acme, users: 5000, logins_per_second: 2, requests_per_second: 50}
  - {name: lyon, owner: acme, users: 1000, logins_per_second: 1, requests_per_second: 20}
  - {name: rome, owner: zeta, users: 100, logins_per_second: 1, requests_per_second: 5}
"""
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    from openstackclient.shell import OpenStackShell

    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)  # no clouds.yaml here

    def call(*words: str, columns: int = 120) -> tuple[int, str, str]:
        monkeypatch.setenv("COLUMNS", str(columns))
        logging.getLogger().handlers.clear()
        capsys.readouterr()
        code = OpenStackShell().run(["multisite", "identity", "plan", *words])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return call


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("sites", [1, 2, 5, 30])
def test_the_table_fits(run: Run, columns: int, sites: int) -> None:
    code, out, _ = run("--sites", str(sites), "--users", "10000", columns=columns)
    assert code == 0
    assert max(len(line) for line in out.splitlines()) <= columns
    assert "recommended" in out


def test_everything_for_machines(run: Run, tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(PLAN)
    code, out, _ = run("plan.yaml", "-f", "json")
    assert code == 0
    found: dict[str, Any] = json.loads(out)
    assert found["recommendation"].startswith("federation between 2 owners")
    assert found["mappings_between_owners"] == 2
    assert len(found["candidates"]) == 12
    star = next(c for c in found["candidates"] if c["name"] == "star-fernet")
    assert star["traffic"]["per_day"] == pytest.approx(star["traffic"]["per_second"] * 86400)
    assert sum(star["traffic"]["by_cause"].values()) == pytest.approx(star["traffic"]["per_second"])
    cut = {one["site"]: one for one in star["cuts"]}
    # paris and lyon are the busiest: masters; rome keeps copies
    assert cut["rome"]["there"] == {"issue": "partly", "validate": "yes", "write": "no"}
    assert cut["rome"]["elsewhere"] == {"issue": "yes", "validate": "yes", "write": "yes"}
    assert found["constants"]["TOKEN_FERNET"]["kind"] == "measured"


def test_a_plan_from_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(PLAN))
    code, out, _ = run("-", "-f", "json")
    assert (code, len(json.loads(out)["per_owner"])) == (0, 2)


def test_two_owners_for_people(run: Run, tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(PLAN)
    _, out, _ = run("plan.yaml")
    assert "federation between 2 owners" in out
    assert "acme, 2 sites: cluster-fernet" in out
    assert "zeta, 1 sites: centralized-fernet" in out


def test_secrets_that_may_not_travel(run: Run) -> None:
    _, out, _ = run("--sites", "5", "--no-secrets-travel", "-f", "value", "-c", "recommendation")
    assert out.strip() == "cluster-jws"


def test_the_picture(run: Run, tmp_path: Path) -> None:
    code, _, _ = run("--sites", "5", "--plot", "traffic.svg")
    assert code == 0
    assert (tmp_path / "traffic.svg").read_text().lstrip().startswith("<?xml")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give a plan file, or --sites"),
        (("plan.yaml", "--sites", "5"), ", not both"),
        (("plan.yaml", "--users", "5"), "--users goes with --sites"),
        (("none.yaml",), "cannot read none.yaml"),
        (
            ("bad.yaml",),
            "sites[0] (paris).users: Input should be greater than or equal to 0, not -1; correct it",
        ),
        (("--sites", "0"), "sites: 0 is not between 1 and 500"),
        (("--sites", "5", "--users", "-1"), "users: "),
        (("--sites", "5", "--round-trip", "-1"), "links.default.round_trip_ms: "),
        (("--sites", "5", "--plot", "traffic.png"), "does not end in .svg"),
        (("--sites", "5", "--plot", "nowhere/traffic.svg"), "cannot write nowhere/traffic.svg"),
    ],
)
def test_what_is_wrong_is_said(run: Run, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    (tmp_path / "plan.yaml").write_text(PLAN)
    (tmp_path / "bad.yaml").write_text("version: 1\nsites: [{name: paris, users: -1}, {name: lyon}]")
    code, _, err = run(*words)
    assert code != 0
    assert said in " ".join(err.split())
