"""``openstack multisite identity render`` and ``check``: without a cloud."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from openstackclient.shell import OpenStackShell

STAR = Path(__file__).parents[3] / "docs/examples/identity/star.yaml"


@pytest.fixture(autouse=True)
def _no_cloud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = OpenStackShell().run(["multisite", "identity", *map(str, words)])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_render_diff_and_refusal(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    to = tmp_path / "to"
    code, out, _ = run(capsys, "render", STAR, "--to", to, "--diff", "-f", "json")
    assert code == 1
    assert not to.exists()
    code, out, _ = run(capsys, "render", STAR, "--to", to, "-f", "json")
    assert code == 0
    assert {row["Change"] for row in json.loads(out)} == {"new"}
    code, out, _ = run(capsys, "render", STAR, "--to", to, "--diff", "-f", "json")
    assert (code, json.loads(out)) == (0, [])
    other = tmp_path / "other.yaml"
    other.write_text(STAR.read_text().replace("cache_time: 2 ", "cache_time: 5 "))
    code, out, err = run(capsys, "render", other, "--to", to, "--diff", "-f", "json")
    assert code == 1
    assert "-cache_time = 2\n+cache_time = 5\n" in err
    (to / "RUNBOOK.md").write_text("mine")
    code, _, err = run(capsys, "render", other, "--to", to)
    assert code == 1
    assert "RUNBOOK.md: was changed by hand" in err


def test_what_is_wrong_in_the_file_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(STAR.read_text().replace("follows: rome", "follows: oslo"))
    code, _, err = run(capsys, "render", wrong, "--to", tmp_path / "to")
    assert code == 1
    assert "wrong.yaml: sites[2].databases[1].follows: 'oslo' is no master site" in err


def test_check_without_anything_to_look_with_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "check", STAR, "-f", "json")
    assert code == 2
    assert {row["Severity"] for row in json.loads(out)} == {"unknown"}


def test_check_of_files(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    run(capsys, "render", STAR, "--to", tmp_path / "to")
    files = ("check", STAR, "--only", "keystone", "--only", "services", "--configs", tmp_path / "to")
    code, out, err = run(capsys, *files, "-f", "json")
    assert (code, json.loads(out)) == (0, [])
    assert "in sync" in err
    nova = tmp_path / "nova.conf"
    nova.write_text("[keystone_authtoken]\nauth_url = http://203.0.113.10:5000\n")
    code, out, _ = run(capsys, *files, "--site", "oslo", "--authtoken", f"oslo={nova}", "-f", "json")
    assert code == 1
    assert {row["What"].partition(": it is ")[0] for row in json.loads(out)} == {str(nova)}
    assert all(row["Remedy"] for row in json.loads(out))


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--site", "lima"), "'lima' is not in the topology"),
        (("--authtoken", "oslo"), "give <site>=<file>"),
        (("--configs", "nowhere"), "is not a folder"),
    ],
)
def test_wrong_options(capsys: pytest.CaptureFixture[str], option: tuple[str, str], message: str) -> None:
    code, _, err = run(capsys, "check", STAR, *option)
    assert code == 1
    assert message in err
