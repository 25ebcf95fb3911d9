"""The program ``multisite worker``, as an operator starts it."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from workers.conftest import until

from multisite.command import manage
from multisite_lab.postgres import Postgres

CLOUDS = """
clouds:
  paris:
    region_name: RegionOne
    auth: {auth_url: "http://127.0.0.1:9/v3", username: u, password: p, project_name: v,
           user_domain_name: Default, project_domain_name: Default}
"""


@pytest.fixture
def command(empty: Postgres, tmp_path: Path) -> list[str]:
    clouds = tmp_path / "clouds.yaml"
    clouds.write_text(CLOUDS)
    clouds.chmod(0o600)
    store = tmp_path / "store"
    store.mkdir()
    (store / ".multisite-store").touch()
    conf = tmp_path / "multisite.conf"
    conf.write_text(
        f"[DEFAULT]\nstate_path = {tmp_path}/state\n[database]\nconnection = {empty.url}\n"
        f"[backup_store]\npath = {store}\n[clouds]\nconfig_file = {clouds}\n[jobs]\nworker_name = lyon\n"
    )
    assert manage.main(["--config-file", str(conf), "store", "keys", "create"]) == 0
    return [str(Path(sys.executable).with_name("multisite")), "worker", "--config-file", str(conf)]


def test_workers_come_and_go(empty: Postgres, command: list[str], tmp_path: Path) -> None:
    """Two start at once on an empty database; told to stop, they leave nothing behind."""
    with (tmp_path / "log").open("wb") as log:
        started = [subprocess.Popen(command, stdout=log, stderr=log) for _ in range(2)]
    try:
        until(lambda: _workers(empty) == 2, 60, "both are enrolled")
        assert [resource.prlimit(process.pid, resource.RLIMIT_CORE) for process in started] == [(0, 0)] * 2
        for process in started:
            process.send_signal(signal.SIGTERM)
        assert [process.wait(30) for process in started] == [0, 0]
    finally:
        for process in started:
            process.kill()
    assert _workers(empty) == 0, (tmp_path / "log").read_text()


def test_a_worker_waits_for_its_database(empty: Postgres, command: list[str], tmp_path: Path) -> None:
    empty.stop()
    log = tmp_path / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream)
    try:
        until(lambda: b"does not answer yet" in log.read_bytes(), 60, "it says what it waits for")
        empty.start()
        until(lambda: _workers(empty) == 1, 30, "it is enrolled")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()


def _workers(server: Postgres) -> int:
    if server.sql("SELECT to_regclass('worker') IS NOT NULL") != "t":
        return 0
    return int(server.sql("SELECT count(*) FROM worker WHERE id LIKE 'lyon-%'"))
