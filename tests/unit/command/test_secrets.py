"""Secrets planted where they belong turn up nowhere else: not in logs, not in the database, not on a terminal.

Everything is real but the cloud: the services as they are wired, a job that changes something and fails in several
ways, the API, the command line, the log at its most talkative.
"""

from __future__ import annotations

import base64
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from lab_faults.little_cloud import LittleCloud, little_cloud
from osc.cloud import running

from command.conftest import Setup
from multisite.clouds.call import call
from multisite.clouds.connect import Sites
from multisite.command import log, options, wiring
from multisite.jobs.model import JobKind, Step, StepContext
from multisite.store.models import JournalRow
from multisite.store.types import now
from multisite_lab.faults.rules import Rule
from multisite_lab.faults.thread import FaultProxy

PASSWORD = "planted-password-7f3a9c"
TOKEN = "planted-token-51be02-"
GUEST = "planted-guest-password-93d1"
SECRETS = (PASSWORD, TOKEN, GUEST, "secret-token")
"""The last is the token of the person at the command line (osc/cloud.py)."""
CLOUDS = """
clouds:
  paris:
    region_name: West
    auth: {{auth_url: "{url}/v3", username: operator, password: {password}, project_name: vnf,
            user_domain_name: Default, project_domain_name: Default}}
"""


def leaks(folder: Path, *texts: str) -> set[tuple[str, str]]:
    """(where, secret) for every secret in any file below a folder or in a text, plain or in base64."""
    places = {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}
    places |= {f"text {n}": text.encode() for n, text in enumerate(texts)}
    return {
        (where, secret)
        for where, content in places.items()
        for secret in SECRETS
        if secret.encode() in content or base64.b64encode(secret.encode())[:16] in content
    }


@dataclass
class Scene:
    services: wiring.Services
    proxy: FaultProxy
    cloud: LittleCloud
    clouds: Sites
    written: Path
    commands: tuple[tuple[str, ...], ...]
    shown: list[str] = field(default_factory=list)


@pytest.fixture(params=["json", "oslo"])
def scene(setup: Setup, request: pytest.FixtureRequest) -> Iterator[Scene]:
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    written = setup.folder / "state"
    written.mkdir()
    log.set_up("DEBUG", str(written / "multisite.log"), request.param)
    with little_cloud() as cloud:
        cloud.token_prefix = TOKEN
        paths = {"keystone": "identity", "nova": "compute"}
        with FaultProxy("paris", {k: f"{cloud.url}/{v}" for k, v in paths.items()}) as proxy:
            file = setup.folder / "clouds.yaml"
            file.write_text(CLOUDS.format(url=proxy.url("keystone"), password=PASSWORD))
            services = wiring.build(options.load([str(setup.file)]))
            clouds = Sites(config_file=file, trail=services.audit, timeout=2)
            services.jobs.register(JobKind("test", lambda _: steps(clouds), "undo"))
            services.jobs.launch()
            commands = COMMANDS if request.param == "json" else ()  # once is enough, they take long
            yield Scene(services, proxy, cloud, clouds, written, commands)
            services.close()
    for handler in root.handlers:
        handler.close()
    root.handlers[:], root.level = before
    logging.captureWarnings(capture=False)


def steps(clouds: Sites) -> list[Step]:
    def create(ctx: StepContext) -> Any:
        site = clouds.open_for_service("paris")
        body = {"server": {"name": "db", "adminPass": GUEST}}
        made = call(site, "create server db", lambda: site.compute.post("/servers", json=body)).json()
        ctx.event("made", server=made["server"]["id"])
        return made["server"]["id"]

    return [Step("create", "create server db", create)]


def work(scene: Scene) -> None:
    """A change that goes well, and the ways it can fail; each of them reads or logs other things."""
    for rule in (
        None,
        Rule("unauthorized", method="POST", path="/servers$"),
        Rule("late-success", method="POST", path="/servers$"),
        Rule("error", status=500, request_id=True, method="POST", path="/servers$"),
        Rule("unauthorized", service="keystone", method="POST"),
        Rule("unauthorized"),
    ):
        scene.clouds.drop("paris")
        scene.proxy.rules(*([rule] if rule else []))
        job = scene.services.jobs.start("test", {}, title="make db", project_id=None, requested_by="olga")
        assert scene.services.jobs.wait(job, 30).settled
    scene.proxy.rules()
    try:
        _careless_library()
    except RuntimeError:
        logging.getLogger("some.library").exception("trouble with password='%s'", PASSWORD)


def _careless_library() -> None:
    raise RuntimeError(f"login as {{'password': '{PASSWORD}'}} failed")


COMMANDS = (
    ("site", "register", "paris", "--cloud", "paris"),
    ("site", "check", "paris", "--debug"),
    ("job", "list"),
    ("site", "show", "nowhere"),
    ("audit", "list", "--site", "paris", "-f", "json"),
)


def test_planted_secrets_turn_up_nowhere(scene: Scene) -> None:
    work(scene)
    with running(scene.services) as cloud:  # type: ignore[arg-type]  # the real ones, for once
        for command in scene.commands:
            argv = [sys.executable, "-m", "openstackclient.shell", *cloud.argv(), "multisite", *command]
            done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
            assert done.returncode == (command[-1] == "nowhere"), done.stderr
            scene.shown += [done.stdout, done.stderr]
    records = json.loads(scene.shown[-2]) if scene.commands else [{"Outcome": "done"}]
    assert "done" in {r["Outcome"] for r in records}
    outcomes = {r.outcome.value for r in scene.services.audit.list() if r.site == "paris"}
    assert outcomes >= {"done", "refused", "unknown"}
    assert len(scene.cloud.servers) == 2  # the first, and the one whose answer was lost
    assert len((scene.written / "multisite.log").read_text().splitlines()) > 100
    assert {f.name for f in scene.written.iterdir()} >= {
        "multisite.sqlite",
        "multisite.log",
    }
    assert leaks(scene.written, *scene.shown) == set()


def test_the_scan_finds_what_is_there(scene: Scene) -> None:
    """The control: the same scan, with a secret let out on each way."""
    logging.getLogger("careless").info("I am using %s", TOKEN)
    with scene.services.database.session() as session:
        session.add(JournalRow(job_id=None, step=None, at=now(), who="x", message=PASSWORD, data={}))
    found = leaks(scene.written, "nothing", f"a table with {GUEST} in it")
    assert ("multisite.log", TOKEN) in found
    assert ("text 1", GUEST) in found
    assert any(where.startswith("multisite.sqlite") and secret == PASSWORD for where, secret in found)
