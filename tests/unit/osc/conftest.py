"""The real ``openstack`` shell against a cloud on loopback."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from api.setup import Services

from osc.cloud import Cloud, running


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Openstack = Callable[..., Result]


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Cloud]:
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)  # no clouds.yaml here
    monkeypatch.setattr("multisite_client.osc.progress.POLL", 0.01)
    with closing(Services()) as services, running(services) as found:
        yield found


@pytest.fixture
def openstack(cloud: Cloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Openstack:
    from openstackclient.shell import OpenStackShell
    from osc_lib import clientmanager

    def run(*words: str) -> Result:
        # osc-lib keeps clients for the life of a process; here every command is one.
        vars(clientmanager.ClientManager)["multisite"]._handle = None
        logging.getLogger().handlers.clear()  # of the shell before, on a stream that is closed
        capsys.readouterr()
        code = OpenStackShell().run([*cloud.argv(), "multisite", *words])
        shown = capsys.readouterr()
        return Result(code, shown.out, shown.err)

    return run
