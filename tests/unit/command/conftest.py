"""A configuration that works, with a Keystone and a site nobody answers at."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from multisite.command import manage

SECRET = "swordfish-in-the-configuration"
CLOUDS = """
clouds:
  paris:
    region_name: RegionOne
    auth: {auth_url: "http://127.0.0.1:9/v3", username: u, password: p, project_name: v,
           user_domain_name: Default, project_domain_name: Default}
"""


Run = Callable[..., tuple[int, str, str]]


@dataclass
class Setup:
    folder: Path
    file: Path
    port: int

    def change(self, old: str, new: str) -> None:
        text = self.file.read_text()
        assert old in text
        self.file.write_text(text.replace(old, new))


def free_port() -> int:
    """One nobody listens on, below those the kernel hands out to whoever connects meanwhile."""
    for port in random.sample(range(15_000, 30_000), 100):
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    """What most shells have; the programs change it for their process."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(program: Callable[[list[str]], int], *words: str) -> tuple[int, str, str]:
        code = program(list(words))
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return call


def ready(setup: Setup, run: Run) -> None:
    assert run(manage.main, "--config-file", str(setup.file), "store", "init")[0] == 0


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    port = free_port()
    store = tmp_path / "store"
    store.mkdir()
    clouds = tmp_path / "clouds.yaml"
    clouds.write_text(CLOUDS)
    clouds.chmod(0o600)
    file = tmp_path / "multisite.conf"
    file.write_text(
        f"""[DEFAULT]
port = {port}
state_path = {tmp_path / "state"}
graceful_timeout = 1
[backup_store]
path = {store}
[clouds]
config_file = {clouds}
[keystone_authtoken]
www_authenticate_uri = http://127.0.0.1:9
auth_url = http://127.0.0.1:9
auth_type = password
username = multisite
password = {SECRET}
project_name = service
user_domain_name = Default
project_domain_name = Default
"""
    )
    return Setup(tmp_path, file, port)
