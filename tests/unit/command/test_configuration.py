"""What is wrong is said in one line that names the option."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from oslo_config import cfg

from command.conftest import SECRET, Run, Setup, ready
from multisite.command import arguments, main, manage, options

POLICY = "[oslo_policy] policy_file"


def test_a_good_configuration(setup: Setup, run: Run) -> None:
    ready(setup, run)
    code, out, _ = run(main.main, "check", "--offline", "--config-file", str(setup.file))
    assert code == 0, out
    assert "0 errors" in out
    assert not (setup.folder / "state").exists(), "checking makes nothing"


@pytest.mark.parametrize(
    ("old", "new", "option"),
    [
        ("auth_type = password", "", "[keystone_authtoken] auth_type"),
        ("www_authenticate_uri = http://127.0.0.1:9", "", "[keystone_authtoken] www_authenticate_uri"),
        ("clouds.yaml", "nothing.yaml", "[clouds] config_file"),
        ("/store", "/elsewhere", "[backup_store] path"),
        ("/state", "/multisite.conf", "[DEFAULT] state_path"),
        ("[backup_store]", "[oslo_policy]\npolicy_file = {folder}/bad.yaml\n[backup_store]", POLICY),
    ],
)
def test_what_is_wrong_is_named(setup: Setup, run: Run, old: str, new: str, option: str) -> None:
    ready(setup, run)
    (setup.folder / "bad.yaml").write_text("a: [")
    setup.change(old, new.format(folder=setup.folder))
    code, out, _ = run(main.main, "check", "--offline", "--config-file", str(setup.file))
    assert code == 1
    assert f"error: {option}: " in out
    code, _, err = run(main.main, "serve", "--config-file", str(setup.file))
    assert code == arguments.EXIT_CONFIGURATION
    assert option in err
    assert err.count("\n") == 1


def test_a_key_of_a_zone_that_is_missing_is_told(setup: Setup, run: Run) -> None:
    ready(setup, run)
    keys = setup.folder / "dns-keys.conf"
    line = "dns_zones = vnf.example.org server=192.0.2.53 key=vnf projects=*"
    setup.change("[backup_store]", f"[recovery_plans]\n{line}\ndns_keys = {keys}\n[backup_store]")
    argv = ("check", "--offline", "--config-file", str(setup.file))
    code, out, _ = run(main.main, *argv)
    assert (code, f"warning: [recovery_plans] dns_keys: {keys}: No such file or directory" in out) == (
        0,
        True,
    ), out
    assert "no recovery updates zone vnf.example.org until then" in out
    keys.write_text('key "vnf" { algorithm hmac-sha256; secret "c2VjcmV0"; };')
    keys.chmod(0o644)
    assert "is open to others, with mode 644" in run(main.main, *argv)[1]
    keys.chmod(0o640)
    code, out, _ = run(main.main, *argv)
    assert (code, "dns_keys" in out, "c2VjcmV0" in out) == (0, False, False)
    setup.change("projects=*", "")
    code, out, _ = run(main.main, *argv)
    assert (code, "error: [recovery_plans] dns_zones: " in out) == (1, True)


@pytest.mark.parametrize(
    ("command", "new", "option", "words"),
    [
        ("worker", "", "[database] connection", "postgresql+psycopg://"),
        (
            "worker",
            "[database]\nconnection = postgresql://u:{secret}@h/d",
            "[database] connection",
            "'postgresql'",
        ),
        ("serve", "[database]\nconnection = mysql://u:{secret}@h/d", "[database] connection", "'mysql'"),
        ("serve", "[database]\nconnection = {secret}", "[database] connection", "not a URL"),
        ("serve", "[jobs]\ncarry_out = false", "[jobs] carry_out", "nobody else can"),
    ],
)
def test_who_carries_out_jobs(
    setup: Setup, run: Run, command: str, new: str, option: str, words: str
) -> None:
    ready(setup, run)
    setup.change("[backup_store]", f"{new.format(secret=SECRET)}\n[backup_store]")
    code, _, err = run(main.main, command, "--config-file", str(setup.file))
    assert code == arguments.EXIT_CONFIGURATION
    assert option in err
    assert words in err
    assert SECRET not in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("port = ", "port = x", "port"),
        ("[DEFAULT]", "[DEFAULT", "multisite.conf"),
        ("graceful_timeout = 1", "threads = 1", "threads"),
        ("[backup_store]", "[retention]\naudit_days = 29\n[backup_store]", "audit_days"),
        ("[backup_store]", "[retention]\njob_days = 0\n[backup_store]", "job_days"),
    ],
)
def test_values_that_cannot_be_read(setup: Setup, run: Run, old: str, new: str, words: str) -> None:
    setup.change(old, new)
    code, _, err = run(main.main, "serve", "--config-file", str(setup.file))
    assert code == arguments.EXIT_CONFIGURATION
    assert words in err
    assert err.count("\n") == 1


def test_a_file_that_is_not_there(run: Run) -> None:
    code, _, err = run(main.main, "check", "--config-file", "/nowhere.conf")
    assert code == arguments.EXIT_CONFIGURATION
    assert "/nowhere.conf" in err


def test_the_login_may_be_in_another_section(setup: Setup, run: Run) -> None:
    """``auth_section``: as keystonemiddleware and keystoneauth read it."""
    ready(setup, run)
    setup.change("auth_type = password", "auth_section = service_user")
    login = "auth_type = password\nauth_url = http://127.0.0.1:9/v3\nusername = u\npassword = p\n"
    setup.change("[backup_store]", f"[service_user]\n{login}\n[backup_store]")
    code, out, _ = run(main.main, "check", "--offline", "--config-file", str(setup.file))
    assert code == 0, out
    code, out, _ = run(main.main, "check", "--config-file", str(setup.file))
    assert "error: [service_user]: logging in to Keystone as the service failed" in out
    assert "Unable to establish connection" in out, "it was tried, with what is there"
    setup.change("auth_type = password", "")
    code, out, _ = run(main.main, "check", "--offline", "--config-file", str(setup.file))
    assert "error: [service_user] auth_type: not set" in out


def test_asking_keystone_too(setup: Setup, run: Run) -> None:
    ready(setup, run)
    code, out, _ = run(main.main, "check", "--config-file", str(setup.file))
    assert code == 1
    assert "error: [keystone_authtoken]: logging in to Keystone as the service failed" in out
    assert "empty: run `multisite-manage db upgrade`" in out
    assert SECRET not in out


def test_clouds_open_to_everybody_are_a_warning(setup: Setup, run: Run) -> None:
    ready(setup, run)
    (setup.folder / "clouds.yaml").chmod(0o644)
    code, out, _ = run(main.main, "check", "--offline", "--config-file", str(setup.file))
    assert code == 0
    assert "warning: [clouds] config_file" in out


def test_an_older_installation_open_to_everybody_is_a_warning(setup: Setup, run: Run) -> None:
    ready(setup, run)
    setup.change("[DEFAULT]", f"[DEFAULT]\nlog_file = {setup.folder / 'log'}")
    state = setup.folder / "state"
    state.mkdir(exist_ok=True)
    state.chmod(0o755)
    for file in (state / "multisite.sqlite", setup.folder / "log"):
        file.touch()
        file.chmod(0o644)
    argv = ("check", "--offline", "--config-file", str(setup.file))
    _, out, _ = run(main.main, *argv)
    for remedy in (
        f"chmod 750 {state}",
        f"chmod 640 {state}/multisite.sqlite",
        f"chmod 640 {setup.folder}/log",
    ):
        assert remedy in out
        subprocess.run(remedy.split(), check=True)
    assert "open to everybody" not in run(main.main, *argv)[1]


def test_database(setup: Setup, run: Run) -> None:
    file = str(setup.file)
    (setup.folder / "state").mkdir()
    assert run(manage.main, "db", "version", "--config-file", file)[1] == "empty\n"
    upgraded = run(manage.main, "--config-file", file, "db", "upgrade")
    assert upgraded[0] == 0
    assert run(manage.main, "--config-file", file, "db", "version")[1] == upgraded[1]
    assert (setup.folder / "state" / "multisite.sqlite").exists()


def test_backup_store(setup: Setup, run: Run) -> None:
    file = str(setup.file)
    code, _, err = run(manage.main, "store", "check", "--config-file", file)
    assert code == 1
    assert "not initialized" in err
    ready(setup, run)
    ready(setup, run)
    code, out, _ = run(manage.main, "store", "check", "--config-file", file)
    assert (code, out) == (0, f"{setup.folder / 'store'}: 0 restore points, 0 damaged\n")
    broken = setup.folder / "store" / "multisite" / "restore-points" / "rp-1"
    broken.mkdir(parents=True)
    (broken / "manifest.json").write_text("{}")
    code, out, _ = run(manage.main, "store", "check", "--config-file", file)
    assert code == 1
    assert "rp-1  DAMAGED" in out


def test_a_store_that_is_not_configured(setup: Setup, run: Run) -> None:
    setup.change(f"path = {setup.folder / 'store'}", "")
    code, _, err = run(manage.main, "store", "init", "--config-file", str(setup.file))
    assert code == arguments.EXIT_CONFIGURATION
    assert "[backup_store] path" in err


S3 = "kind = s3\ns3_bucket = b\ns3_endpoint = http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("lines", "option"),
    [
        ("kind = s3", "s3_bucket: not set"),
        ("kind = swift", "swift_cloud: not set"),
        ("kind = swift\nswift_cloud = paris", "swift_container: not set"),
        ("kind = s3\ns3_bucket = b\ns3_endpoint = s3.example.org", "s3_endpoint: 's3.example.org' is no URL"),
        (f"{S3}\ns3_lock_mode = compliance", "s3_lock_days: not set"),
        (f"{S3}\ns3_lock_days = 7", "s3_lock_mode: not set"),
        (f"{S3}\ns3_kms_key = k", "s3_kms_key: set without s3_encryption"),
        (f"{S3}\ns3_credentials_file = /nowhere", "s3_credentials_file: /nowhere is not there"),
        ("kind = tape", "kind"),
    ],
)
def test_a_store_that_is_half_configured(setup: Setup, run: Run, lines: str, option: str) -> None:
    ready(setup, run)
    setup.change(f"path = {setup.folder / 'store'}", lines)
    code, out, err = run(main.main, "check", "--offline", "--config-file", str(setup.file))
    assert code == (arguments.EXIT_CONFIGURATION if "tape" in lines else 1)
    assert option in out + err


def test_a_store_that_is_away_is_told_and_the_service_starts(
    setup: Setup, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready(setup, run)
    secret = "s3cret-of-the-account"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "known")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    setup.change(f"path = {setup.folder / 'store'}", S3)
    code, out, err = run(main.main, "check", "--offline", "--config-file", str(setup.file))
    assert code == 0, out
    assert "warning: [backup_store] s3_bucket: backup store s3://b/ at http://127.0.0.1:9: " in out
    assert secret not in out + err
    code, _, err = run(manage.main, "store", "check", "--config-file", str(setup.file))
    assert code == 1
    assert "is it there, and the network to it?" in err


def test_the_sample_has_every_option(run: Run, tmp_path: Path) -> None:
    code, out, _ = run(manage.main, "config", "sample")
    assert code == 0
    for group, opts in options.GROUPS.items():
        assert f"[{group or 'DEFAULT'}]" in out
        assert all(f"#{opt.name} = " in out for opt in opts)
    assert "[keystone_authtoken]" in out
    file = tmp_path / "sample.conf"
    file.write_text(out)
    assert options.load([str(file)]).port == 8788


def test_the_shipped_sample_is_read_without_complaint() -> None:
    conf = options.load([str(Path(__file__).parents[3] / "docs" / "multisite.conf.sample")])
    assert conf.backup_store.path
    assert conf.limits.backups_per_site == 4


def test_the_document_can_be_printed(run: Run) -> None:
    code, out, _ = run(main.main, "openapi")
    assert code == 0
    assert json.loads(out)["openapi"].startswith("3.1")


def test_the_database_defaults_to_a_file_in_state_path(setup: Setup) -> None:
    conf = options.load([str(setup.file)])
    assert options.database_url(conf) == f"sqlite:///{setup.folder / 'state' / 'multisite.sqlite'}"
    conf.set_override("connection", "postgresql+psycopg://db/multisite", group="database")
    assert options.database_url(conf) == "postgresql+psycopg://db/multisite"


def test_configurations_do_not_share_state() -> None:
    assert options.load() is not options.load()
    assert not isinstance(options.load(), type(None))
    assert cfg.CONF is not options.load()


def test_a_reader_that_has_seen_enough() -> None:
    program = "import sys; from multisite.command.main import main; sys.exit(main(['openapi']))"
    words = ["bash", "-c", f'"{sys.executable}" -c "{program}" | head -1']
    shown = subprocess.run(words, capture_output=True, text=True, check=False)
    assert shown.stdout == "{\n"
    assert shown.stderr == ""
