"""The lab's one identity: its form is remembered, its files fit together, its first node is the one that is ahead."""

from __future__ import annotations

import configparser
import json
import re
from pathlib import Path

import pytest
import yaml

from multisite_lab import boot, form, golden, lifecycle, links, paths, render
from multisite_lab.form import Form, Identity
from multisite_lab.model import ALL_SITES, SITES, LabError
from multisite_lab.passwords import Passwords
from multisite_lab.services import services
from multisite_lab.star import access, cluster, galera, keys, layout

STAR = Form(Identity.STAR, only_identity=True)
SITE1, SITE2, SITE3 = ALL_SITES.values()


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    venv = tmp_path / "venv"
    (venv / "etc/nova").mkdir(parents=True)
    (venv / "etc/nova/api-paste.ini").write_text(
        "keystone = authtoken keystonecontext osapi_compute_app_v21\n"
    )
    monkeypatch.setattr(paths, "openstack_venv", lambda: venv)
    monkeypatch.setenv("MULTISITE_LAB_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


# --- the form ---


def test_a_lab_nobody_told_anything_is_two_sites_with_their_own_identities() -> None:
    assert form.current() == Form()
    assert form.sites() == SITES
    assert [task.name for task in boot.tasks(SITE1)] == [task.name for task in boot.TASKS]
    assert "keystone" in {service.name for service in services(SITE1)}
    assert not any(service.name.startswith("identity-") for service in services(SITE1))


def test_the_form_is_remembered_and_forgotten(state: Path) -> None:
    form.choose(STAR)
    assert form.current() == STAR
    assert list(form.sites()) == ["site1", "site2", "site3"]
    form.choose(Form())
    assert not (state / "form.json").exists()


def test_another_form_is_refused_while_sites_exist_and_the_refusal_says_what_to_do() -> None:
    SITE1.root.mkdir(parents=True)
    (SITE1.root / "identity").write_text("x")
    with pytest.raises(LabError, match=r"site1 exist.*down --wipe.*--identity star --only-identity"):
        form.choose(STAR)
    form.choose(Form())  # the one they have


def test_only_identity_without_one_identity_is_refused() -> None:
    with pytest.raises(LabError, match="--identity star"):
        form.choose(Form(Identity.OWN, only_identity=True))


def test_the_golden_database_is_built_with_everything() -> None:
    site = golden._BUILD_SITE
    render.render_site(site, Passwords.generate(), "id")
    assert all((site.etc / file).is_file() for file in render.FILES)
    assert (site.var / "keystone" / "fernet" / "1").is_file()


# --- files and programs ---


@pytest.mark.parametrize("only", [True, False])
@pytest.mark.parametrize("site", ALL_SITES.values(), ids=ALL_SITES)
def test_every_program_has_its_files_and_every_need_is_met(site: object, only: bool) -> None:
    assert isinstance(site, type(SITE1))
    form.choose(Form(Identity.STAR, only))
    render.render_site(site, Passwords.generate(), "00000000-0000-0000-0000-000000000000")
    nodes = {node.name for node in [*boot.tasks(site), *services(site)]}
    needed = {need for node in [*boot.tasks(site), *services(site)] for need in node.needs}
    assert needed <= nodes
    named = {
        path
        for service in services(site)
        for path in re.findall(rf"{site.etc}/identity/\S+", service.command_line)
    }
    assert all(Path(path).is_file() for path in named)
    assert all(path.stat().st_mode & 0o077 == 0 for path in site.etc.rglob("*") if path.is_file())


def test_no_password_stands_on_a_command_line_or_in_a_proxys_file() -> None:
    form.choose(STAR)
    passwords = Passwords.generate()
    for site in ALL_SITES.values():
        render.render_site(site, passwords, "id")
        texts = [site.etc / "supervisord.conf", *site.etc.glob("identity/*")]
        assert not any(secret in path.read_text() for path in texts for secret in vars(passwords).values())


def test_masters_make_equal_gtids_and_everybody_else_others() -> None:
    masters = [node for node in layout.NODES if node.follows is None]
    assert len({node.server_id for node in masters}) == 1
    copies = [node for node in layout.NODES if node.follows]
    assert {node.follows for node in copies} == set(layout.MASTERS)
    assert len({node.server_id for node in copies} | {masters[0].server_id}) == len(copies) + 1
    assert len({node.domain for node in layout.NODES}) == len(layout.NODES)


def test_services_validate_in_their_region_and_log_in_at_the_entry() -> None:
    form.choose(Form(Identity.STAR))
    render.render_site(SITE2, Passwords.generate(), "id")
    parser = configparser.RawConfigParser(strict=False)
    parser.read(SITE2.etc / "nova" / "nova.conf")
    told = dict(parser["keystone_authtoken"])
    assert told["auth_url"] == layout.ENTRY_URL
    assert (told["region_name"], told["interface"], told["token_cache_time"]) == (
        "RegionTwo",
        "internal",
        "2",
    )


def test_sites_with_their_own_identities_are_configured_as_before() -> None:
    render.render_site(SITE2, Passwords.generate(), "id")
    parser = configparser.RawConfigParser(strict=False)
    parser.read(SITE2.etc / "nova" / "nova.conf")
    told = dict(parser["keystone_authtoken"])
    assert told["auth_url"] == SITE2.url("keystone")
    assert not {"interface", "token_cache_time"} & set(told)


def test_clouds_have_one_authentication_url_and_a_region_each(state: Path) -> None:
    form.choose(STAR)
    render.render_clouds(dict.fromkeys(ALL_SITES.values(), Passwords.generate()))
    clouds = yaml.safe_load((state / "clouds.yaml").read_text())["clouds"]
    assert {cloud["auth"]["auth_url"] for cloud in clouds.values()} == {layout.ENTRY_URL}
    assert clouds["site3"]["region_name"] == "RegionThree"


def test_keys_are_equal_at_the_beginning_and_each_sites_own_afterwards() -> None:
    for site in ALL_SITES.values():
        keys.ensure(site)
    for repository in keys.REPOSITORIES:
        found = [
            {p.name: p.read_text() for p in keys.folder(s, repository).iterdir()} for s in ALL_SITES.values()
        ]
        assert found[0] == found[1] == found[2]
    assert (
        keys.folder(SITE1, "fernet-tokens").joinpath("0").read_text()
        != keys.folder(SITE1, "credential").joinpath("0").read_text()
    )
    (keys.folder(SITE2, "fernet-tokens") / "2").write_text("rotated")
    keys.ensure(SITE2)
    assert (keys.folder(SITE2, "fernet-tokens") / "2").exists()


# --- who begins the cluster ---


@pytest.fixture
def dead(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """All sites down; how far each master came."""
    reached = {"site1": 7, "site2": 9}
    monkeypatch.setattr(lifecycle, "is_alive", lambda _site: False)
    monkeypatch.setattr(galera, "recovered", lambda node: f"some-uuid:{reached[node.site.name]},10-1-5")
    for site in layout.MASTERS:
        layout.node_of_master(site).data.mkdir(parents=True)
    return reached


def test_the_node_that_is_ahead_begins(dead: dict[str, int]) -> None:
    cluster.before_start(layout.MASTERS, lambda _text: None)
    marks = {
        site.name: galera.bootstrap_mark(layout.node_of_master(site)).exists() for site in layout.MASTERS
    }
    assert marks == {"site1": False, "site2": True}


def test_a_node_that_is_behind_does_not_begin_alone(dead: dict[str, int]) -> None:
    with pytest.raises(
        LabError, match=r"site2 has changes up to 9 that site1 \(7\) lacks: start site2 first"
    ):
        cluster.before_start([SITE1], lambda _text: None)
    dead["site1"] = 9
    cluster.before_start([SITE1], lambda _text: None)
    assert galera.bootstrap_mark(layout.node_of_master(SITE1)).exists()


def test_an_old_mark_never_makes_a_second_cluster(dead: dict[str, int]) -> None:
    mark = galera.bootstrap_mark(layout.node_of_master(SITE1))
    mark.write_text("7")
    cluster.before_start(layout.MASTERS, lambda _text: None)
    assert not mark.exists()


def test_a_crashed_node_is_started_from_where_it_was(dead: dict[str, int]) -> None:
    command = galera.command(layout.node_of_master(SITE1))
    assert "--wsrep_start_position=some-uuid:7,10-1-5" in command
    assert "--wsrep-new-cluster" not in command


def test_the_mark_is_used_once(dead: dict[str, int]) -> None:
    node = layout.node_of_master(SITE1)
    (node.data / "grastate.dat").write_text("uuid: u\nseqno: -1\nsafe_to_bootstrap: 0\n")
    galera.bootstrap_mark(node).write_text("7")
    assert "--wsrep-new-cluster" in galera.command(node)
    assert "safe_to_bootstrap: 1" in (node.data / "grastate.dat").read_text()
    assert "--wsrep-new-cluster" not in galera.command(node)


# --- links, access logs ---


def test_a_link_is_remembered_while_the_site_is_down() -> None:
    links.cut(SITE1)
    links.delay(SITE1, 40)
    assert links.state(SITE1) == links.Link(is_cut=True, delay=40)
    links.reconnect(SITE1)
    assert links.state(SITE1) == links.Link()


@pytest.mark.parametrize("milliseconds", [-1, 2001, float("nan")])
def test_an_impossible_delay_is_refused(milliseconds: float) -> None:
    with pytest.raises(LabError, match="between 0 and 2000 ms"):
        links.delay(SITE1, milliseconds)


def test_an_access_log_tells_who_asked_in_front_of_all_proxies() -> None:
    row = {
        "at": 1,
        "peer": SITE3.management,
        "method": "GET",
        "path": "/v3/auth/tokens?nocatalog",
        "status": 200,
    }
    rows = [
        row | {"for": "-", "agent": "a"},
        row | {"for": f"{SITE2.management}, 192.168.251.5", "agent": "b"},
    ]
    SITE3.log.mkdir(parents=True)
    mark = access.mark(SITE3)
    access.log_file(SITE3).write_text(
        "starting\n" + "".join(json.dumps(r) + "\n" for r in rows) + '{"at": 1, "pe'
    )
    assert [(r.client_site, r.is_validation) for r in access.since(SITE3, mark)] == [
        ("site3", True),
        ("site2", True),
    ]
