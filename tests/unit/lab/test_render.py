"""Templates, the table of services and the boot graph fit together."""

from __future__ import annotations

import configparser
from pathlib import Path

import jinja2
import pytest
import yaml

from multisite_lab import boot, database, paths, plugins, render
from multisite_lab.model import SITES, site_named
from multisite_lab.passwords import Passwords
from multisite_lab.services import services


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    venv = tmp_path / "venv"
    (venv / "etc/nova").mkdir(parents=True)
    paste = "keystone = authtoken keystonecontext osapi_compute_app_v21\n"
    (venv / "etc/nova/api-paste.ini").write_text(paste)
    monkeypatch.setenv("MULTISITE_LAB_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(paths, "openstack_venv", lambda: venv)
    return tmp_path / "state" / "site1"


def test_every_file_is_rendered_private_and_only_rewritten_when_it_changes(root: Path) -> None:
    passwords = Passwords.generate()
    assert render.render_site(site_named("site1"), passwords, "id")
    assert not render.render_site(site_named("site1"), passwords, "id")
    files = [root / "etc" / name for name in render.FILES]
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)
    parser = configparser.RawConfigParser(strict=True, allow_no_value=True)
    for file in files:
        if file.suffix == ".conf" and file.parent.name in (
            "nova",
            "cinder",
            "neutron",
            "keystone",
            "placement",
        ):
            parser.read_string("[DEFAULT]\n" if file.name == "dnsmasq.conf" else file.read_text(), str(file))
    assert "[database]" not in (root / "etc/nova/nova-compute.conf").read_text()


def test_no_password_stands_on_a_command_line(root: Path) -> None:
    passwords = Passwords.generate()
    render.render_site(site_named("site1"), passwords, "id")
    text = (root / "etc/supervisord.conf").read_text()
    assert not any(password in text for password in vars(passwords).values())


def test_the_quiesce_filter_is_named_only_when_the_plugin_offers_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, passwords = site_named("site1"), Passwords.generate()
    render.render_site(site, passwords, "id")
    assert "quiesce" not in (root / "etc/nova/api-paste.ini").read_text()
    monkeypatch.setattr(plugins, "filter_available", lambda: True)
    render.render_site(site, passwords, "id")
    text = (root / "etc/nova/api-paste.ini").read_text()
    assert "keystonecontext quiesce osapi_compute_app_v21" in text
    assert "use = egg:multisite-nova#quiesce" in text


def test_clouds_name_every_account_of_every_site(root: Path) -> None:
    root.parent.mkdir(parents=True)
    render.render_clouds({site: Passwords.generate() for site in SITES.values()})
    clouds = yaml.safe_load((root.parent / "clouds.yaml").read_text())["clouds"]
    assert set(clouds) == {f"{site}{suffix}" for site in SITES for suffix, _, _ in render.ACCOUNTS}
    assert clouds["site2"]["region_name"] == "RegionTwo"
    assert clouds["site2"]["auth"]["auth_url"] == "http://192.168.251.12:5000/v3"


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        render.template_text("libvirtd.conf", {})


def test_needs_name_something_and_never_go_round(root: Path) -> None:
    waiting = {node.name: set(node.needs) for node in [*boot.TASKS, *services(site_named("site1"))]}
    done: set[str] = set()
    while waiting:
        able = {name for name, needs in waiting.items() if needs <= done}
        assert able, f"these wait for ever: {waiting}"
        done |= able
        for name in able:
            del waiting[name]


def test_each_site_gets_identifiers_of_its_own() -> None:
    statements = database._statements(site_named("site2"), "seed")
    assert any("'RegionTwo'" in statement for statement in statements)
    assert any("192.168.251.12" in statement for statement in statements)
    assert sum("MD5(CONCAT(" in statement for statement in statements) >= 7


def test_nothing_answers_where_nobody_listens(tmp_path: Path) -> None:
    assert boot.answers("")
    assert not boot.answers(f"unix:{tmp_path}/no.sock")
    assert not boot.answers("tcp:127.0.0.1:1")
