"""Two whole Keystones with one database and key repositories of their own, kept by the service over SSH."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from identity_keys.key_setup import KeySetup, until
from identity_keys.secrets_scan import Secrets

from multisite_lab import paths, uwsgi

CONFIG = """\
[DEFAULT]
log_file = {log}
use_stderr = false
[database]
connection = sqlite:///{database}?timeout=60
[token]
provider = fernet
cache_time = 1
[fernet_tokens]
key_repository = {at}/fernet_tokens
max_active_keys = 5
[fernet_receipts]
key_repository = {at}/fernet_receipts
[credential]
key_repository = {at}/credential
[identity]
password_hash_rounds = 4
[cache]
enabled = true
backend = oslo_cache.dict
"""
NAMES = ("paris", "lyon")
SECONDS = 120.0


class Cloud:
    """The Keystones' addresses by site, and what a client does there."""

    def __init__(self, setup: KeySetup) -> None:
        self.setup = setup
        self.urls: dict[str, str] = {}
        self._servers: list[subprocess.Popen[bytes]] = []
        self.bin = paths.openstack_venv() / "bin"

    def start(self) -> None:
        folder = self.setup.folder
        for name in NAMES:
            (folder / "etc" / name).mkdir(parents=True)
            config = CONFIG.format(
                log=folder / f"logs/keystone-{name}.log",
                database=folder / "keystone.sqlite",
                at=folder / "sites" / name,
            )
            (folder / "etc" / name / "keystone.conf").write_text(config)
        self._manage("db_sync")
        self._manage(
            "bootstrap", "--bootstrap-region-id", "paris", secret={"OS_BOOTSTRAP_PASSWORD": "a-password"}
        )
        for name in NAMES:
            address = f"127.0.0.1:{_free_port()}"
            self.urls[name] = f"http://{address}/v3"
            with (folder / f"logs/uwsgi-{name}.log").open("ab") as log:
                self._servers.append(
                    subprocess.Popen(
                        uwsgi.command("keystone", "keystone.wsgi.api", address),
                        env=_environment() | {"OS_KEYSTONE_CONFIG_DIR": str(folder / "etc" / name)},
                        stdout=log, stderr=log,
                    )
                )  # fmt: skip
        for name in NAMES:
            until(lambda name=name: self._answers(name), SECONDS, f"Keystone of {name}")

    def _manage(self, *arguments: str, secret: dict[str, str] | None = None) -> None:
        config = self.setup.folder / "etc/paris/keystone.conf"
        command = [self.bin / "keystone-manage", "--config-file", config, *arguments]
        done = subprocess.run(command, env=_environment() | (secret or {}), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]

    def _answers(self, name: str) -> bool:
        try:
            return requests.get(self.urls[name], timeout=SECONDS).ok
        except requests.ConnectionError:
            return False

    def issue(self, name: str) -> str:
        domain = {"id": "default"}
        user = {"name": "admin", "domain": domain, "password": "a-password"}
        body = {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": {"name": "admin", "domain": domain}},
            }
        }
        answer = requests.post(f"{self.urls[name]}/auth/tokens", json=body, timeout=SECONDS)
        assert answer.status_code == 201, f"{name} issues: {answer.status_code} {answer.text[:200]}"
        return answer.headers["X-Subject-Token"]

    def validate(self, name: str, token: str) -> int:
        headers = {"X-Auth-Token": token, "X-Subject-Token": token}
        return requests.get(f"{self.urls[name]}/auth/tokens", headers=headers, timeout=SECONDS).status_code

    def stop(self) -> None:
        for server in self._servers:
            server.kill()
            server.wait()


@pytest.fixture
def cloud(make: Callable[..., KeySetup]) -> Iterator[Cloud]:
    setup = make(names=NAMES)
    assert setup.keys("adopt", "--create").returncode == 0
    made = Cloud(setup)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def test_five_rotations_between_two_keystones(cloud: Cloud) -> None:
    setup = cloud.setup
    secrets = Secrets([setup.folder / "sites", setup.folder / "state"])
    tokens, failures, counts = [cloud.issue("paris"), cloud.issue("lyon")], list[str](), {"ok": 0}
    stop = threading.Event()

    def load(issuer: str, taker: str) -> None:
        while not stop.is_set():
            tokens.append(cloud.issue(issuer))
            for token in (tokens[-1], tokens[0], tokens[1]):
                status = cloud.validate(taker, token)
                counts["ok"] += status == 200
                if status != 200:
                    failures.append(f"{taker}: {status}")

    threads = [threading.Thread(target=load, args=pair) for pair in (("paris", "lyon"), ("lyon", "paris"))]
    for thread in threads:
        thread.start()
    for _ in range(5):
        assert setup.keys("rotate", "--kind", "tokens", "--kind", "receipts").returncode == 0
        time.sleep(1)
    stop.set()
    for thread in threads:
        thread.join(SECONDS)
    secrets.stop()
    print(
        f"\ntwo Keystones, 5 rotations: {len(tokens)} tokens, {counts['ok']} validations, {len(failures)} failures"
    )
    assert failures == []
    assert counts["ok"] > 20
    assert len(secrets.keys) >= 16
    where = [setup.folder / f for f in ("logs", "keystone.sqlite", "state/keys/state.json")]
    assert secrets.in_files(where) == [], "no key in the logs or the database"
    assert secrets.in_processes() == []
    _alone(setup.folder / "sites/paris/fernet_tokens")
    _alone(setup.folder / "sites/paris/fernet_tokens")
    assert cloud.validate("lyon", cloud.issue("paris")) == 401, "the control: a site that rotates by itself"


def _alone(folder: Path) -> None:
    from cryptography.fernet import Fernet

    top = max(int(p.name) for p in folder.iterdir() if p.name.isdigit())
    (folder / "0").rename(folder / str(top + 1))
    (folder / "0").write_bytes(Fernet.generate_key())


def _environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "OS_"))} | {
        "PYTHONWARNINGS": "ignore"
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
