"""``openstack multisite identity keys``: the key service's other program, over sites that are folders."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import yaml
from openstackclient.shell import OpenStackShell

from multisite.command.keys import verbs

Run = Callable[..., tuple[int, str, str]]
KINDS = ("fernet_tokens", "fernet_receipts", "credential")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    sites = []
    for number, name in enumerate(("paris", "lyon"), start=1):
        (tmp_path / name).mkdir()
        home = {kind: str(tmp_path / name / kind) for kind in KINDS}
        home |= {"transport": "directory", "owner": "", "group": ""}
        databases = [{"address": f"127.0.2.{number}"}]
        sites.append(
            {"name": name, "region": name, "role": "master", "address": f"127.0.1.{number}", "keys": home}
            | {"databases": databases}
        )
    topology = {"version": 1, "name": "europe", "form": "cluster", "entry": "http://127.0.0.1:5000/v3"}
    (tmp_path / "identity.yaml").write_text(yaml.safe_dump(topology | {"sites": sites}))
    config = tmp_path / "multisite.conf"
    config.write_text(
        f"[DEFAULT]\nstate_path = {tmp_path}/state\n[identity_keys]\ntopology = {tmp_path}/identity.yaml\n"
    )

    def call(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        argv = ["multisite", "identity", "keys", *words, "--config-file", str(config)]
        code = OpenStackShell().run(argv)
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return call


def test_every_command_but_the_daemons_is_in_both_programs() -> None:
    points = {point.name for point in entry_points(group="openstack.multisite.v1")}
    prefix = "multisite_identity_keys_"
    mine = {name.removeprefix(prefix) for name in points if name.startswith(prefix)}
    assert mine == set(verbs.VERBS) - {"run", "pass"}


def test_adopt_rotate_hold_and_replace(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("adopt", "--create", "-f", "json")
    assert code == 0
    first = json.loads(out)["repositories"][0]["primary"]
    code, out, _ = run("rotate", "--kind", "tokens", "-f", "json")
    assert code == 0
    second = json.loads(out)["repositories"][0]["primary"]
    assert second != first
    assert sorted(p.name for p in (tmp_path / "lyon/fernet_tokens").iterdir() if p.is_file()) == [
        "0",
        "1",
        "2",
    ]

    assert run("hold", "lyon moves")[:2] == (0, "rotations are held: lyon moves\n")
    code, out, _ = run("rotate", "--kind", "tokens", "-f", "json")
    assert code in (1, 2)
    assert json.loads(out)["repositories"][0]["primary"] == second
    assert run("release")[0] == 0

    code, _, err = run("replace", "--compromised")
    assert code == 1
    assert "repeat the command with --yes-replace europe" in err
    code, out, _ = run("replace", "--compromised", "--yes-replace", "europe", "-f", "json")
    assert code == 0
    assert set(json.loads(out)["emergency"]["seconds"]) == {"paris", "lyon"}
    assert json.loads(run("status", "-f", "json")[1])["level"] == "OK"
    assert run("check")[0] == 0


def test_a_site_without_its_keys_is_an_alarm(run: Run, tmp_path: Path) -> None:
    run("adopt", "--create")
    (tmp_path / "lyon/fernet_tokens/1").unlink()
    code, out, _ = run("check", "-f", "json")
    assert code in (1, 2)
    assert {row["site"]: row["in_sync"] for row in json.loads(out)["sites"]} == {"paris": "yes", "lyon": "no"}


def test_what_is_wrong_is_one_sentence(run: Run) -> None:
    code, _, err = run("exclude", "oslo")
    assert code == 1
    assert "oslo: no such site with keys; there are paris, lyon" in err
    code, _, err = run("status", "--config-file", "/nonexistent.conf")
    assert code == 1
    assert "configuration: " in err
