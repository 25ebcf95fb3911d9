"""Secrets of accounts and guests, planted where they belong, turn up nowhere else during a whole flow at DEBUG.

Searched: all files below state_path (log, database with its journal and trail), every answer of the API, and the
arguments of every process.  The manifests of the backup store hold what guests are made of, and are 0600; encrypted
they show nothing.  What is in a process's memory nobody else can read: ``tests/unit/command/test_memory.py``.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask.testing import FlaskClient
from oslo_config import cfg

from multisite.api.app import create_app
from multisite.command import log, options, wiring
from multisite.domain.errors import MultisiteError
from multisite.recovery.encryption import Encryption
from multisite.store.database import Database
from multisite_lab.guest.console import FREEZE_MARK
from multisite_lab.sim.faults import Rule
from multisite_lab.sim.model import Settings
from multisite_lab.sim.world import World, make_world
from tests.sim import deploy

ACCOUNT, CREDENTIAL, DATABASE = "planted-account-4e81", "planted-credential-a07c", "planted-database-9b35"
USER_DATA, CONSOLE, BODY = "planted-user-data-c2f9", "planted-console-71de", "planted-in-a-body-5d60"
METADATA, VOLUME = "planted-metadata-e813", "planted-volume-30b6"
KEPT = {(METADATA, "multisite.sqlite"), (VOLUME, "multisite.sqlite")}
"""A recovery's plan is the parameter of its job: with metadata of servers and volumes, never with user data.  The
database is in state_path, which others on the host cannot enter (0750) nor read (0640)."""
SIGNING_KEY = "manifest-signing-key.pem"
ADMIN = {
    "X-User-Id": "u-1", "X-User-Name": "olga", "X-Roles": "admin,member", "X-Project-Id": "p-mine",
    "X-Project-Name": "vnf", "X-Project-Domain-Name": "Default",
}  # fmt: skip
MAPPING = {
    "source_is_fenced": True, "create_missing_flavors": True, "ready_console": "GUEST-READY", "ready_timeout": 30,
}  # fmt: skip


@dataclass
class Flow:
    """``told``: everything the API answered."""

    world: World
    services: wiring.Services
    client: FlaskClient
    folder: Path
    told: list[bytes] = field(default_factory=list)

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.client.open(f"/v1{path}", method=method, json=body, headers=ADMIN)
        self.told.append(answer.data)
        assert answer.status_code != 500, answer.text
        return answer.json

    def rest(self, answer: dict[str, Any]) -> str:
        """The state its job came to."""
        state = self.services.jobs.wait(answer["job_id"], 300).state
        self.ask("GET", f"/jobs/{answer['job_id']}")
        return str(state)

    def found(self) -> set[tuple[str, str]]:
        """(secret, where) of all that is where nobody may find it; files of the database are one place."""
        key = self.state / SIGNING_KEY
        secrets = (*SECRETS, key.read_text().splitlines()[1])
        files = [file for file in self.state.rglob("*") if file.is_file() and file != key]
        places = [(file.name.partition("-")[0], file.read_bytes()) for file in files]
        places += [("answer", data) for data in self.told]
        places += [("arguments", data) for data in _arguments()]
        return {(secret, where) for where, data in places for secret in secrets if _holds(data, secret)}


SECRETS = (ACCOUNT, CREDENTIAL, DATABASE, USER_DATA, CONSOLE, BODY, METADATA, VOLUME)


def _holds(data: bytes, secret: str) -> bool:
    """Plain, or in base64 at whatever offset."""
    encoded = [base64.b64encode(b" " * n + secret.encode())[4:-4] for n in range(3)]
    return any(form in data for form in (secret.encode(), *encoded))


def _arguments() -> Iterator[bytes]:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            yield (process / "cmdline").read_bytes()
        except OSError:  # it has ended
            continue


def _clouds(world: World, folder: Path) -> Path:
    """With the planted password, and an entry ``keyed`` with an application credential."""
    for site in world.sites.values():
        site.sim.accounts = tuple(replace(one, password=ACCOUNT) for one in site.sim.accounts)
    file = world.write_clouds(folder / "clouds.yaml")
    clouds = yaml.safe_load(file.read_text())["clouds"]
    auth = {"application_credential_id": "x", "application_credential_secret": CREDENTIAL}
    keyed = {"auth_type": "v3applicationcredential", "region_name": "RegionOne"}
    clouds["keyed"] = keyed | {"auth": auth | {"auth_url": clouds["site1"]["auth"]["auth_url"]}}
    file.write_text(yaml.safe_dump({"clouds": clouds}))
    return file


@pytest.fixture(params=["0600"])
def flow(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Flow]:
    """``encrypted``: so are the manifests."""
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    (tmp_path / "multisite.conf").write_text("[DEFAULT]\n")
    for name in ("state", "store"):
        (tmp_path / name).mkdir()
    log.set_up("DEBUG", str(tmp_path / "state" / "multisite.log"))
    with make_world(settings=Settings()) as world:
        overrides = {
            ("DEFAULT", "state_path"): str(tmp_path / "state"),
            ("clouds", "config_file"): str(_clouds(world, tmp_path)),
            ("backup_store", "path"): str(tmp_path / "store"),
        }
        if request.param == "encrypted":
            overrides["backup_store", "encryption_keys"] = str(tmp_path / "keys")
            Encryption(tmp_path / "keys").make_key(replace=False)
        conf = options.load([str(tmp_path / "multisite.conf")], overrides)
        with closing(wiring.build(conf)) as services:
            services.protections._manifests.initialize()
            services.jobs.launch()
            plain = cfg.ConfigOpts()
            plain([], default_config_files=[])
            yield Flow(world, services, create_app(services, plain, auth=False).test_client(), tmp_path)
    for handler in root.handlers:
        handler.close()
    root.handlers[:], root.level = before
    logging.captureWarnings(capture=False)


def prepare(flow: Flow) -> None:
    """Both sites, and the application ``mme``, whose guests hold secrets."""
    for name in ("site1", "site2"):
        flow.ask("POST", "/sites", {"name": name, "cloud": name})
        project = flow.services.paths._clouds.open_for_service(name).project_id
        flow.ask(
            "POST", "/project-grants", {"project_id": "p-mine", "site": name, "site_project_id": project}
        )
    made = deploy.deploy(flow.services.paths._clouds.open_for_service("site1"), "mme")
    state = flow.world.sites["site1"].sim.state
    for id in made.servers:
        server = state.servers[id]
        server.user_data = base64.b64encode(f"#cloud-config\npassword: {USER_DATA}\n".encode()).decode()
        server.metadata["hint"] = METADATA
        server.console.append(f"the root password is {CONSOLE}")
    for id in made.volumes:
        state.volumes[id].metadata["hint"] = VOLUME
    servers = [{"id": id} for id in made.servers]
    flow.ask("POST", "/applications", {"name": "mme", "site": "site1", "servers": servers})


def protect(flow: Flow) -> str:
    """Runs that fail and one that does not; its restore point."""
    wanted = {"freeze_timeout": 30, "console_mark": FREEZE_MARK}
    body = {"application": "mme", "target_site": "site2", "options": wanted}
    protection = flow.ask("POST", "/protections", body)["id"]
    for rule in (
        Rule("error", "volume", "POST", "^/backups$", nth=2, times=9, status=500),
        Rule("error", "compute", "GET", "/servers", times=9, status=500),
        None,
    ):
        if rule is not None:
            flow.world.sites["site1"].strike(rule)
        answer = flow.ask("POST", f"/protections/{protection}/run", {})
        state = flow.rest(answer) if "job_id" in answer else "refused"
        assert (state == "done") == (rule is None), answer
        flow.world.sites["site1"].script.clear()
    flow.ask("POST", "/restore-points/rescan")
    points = flow.ask("GET", "/restore-points")["restore_points"]
    return next(str(point["id"]) for point in points if point["state"] == "available")


def recover(flow: Flow, point: str) -> None:
    """One that is refused by the target and undone, one whose guests are never ready, one that is done and undone."""
    order = {"restore_point": point, "target_site": "site2", "mapping": MAPPING}
    flow.world.lose("site1")
    flow.ask("POST", "/recoveries/preview", order)
    never = order | {"mapping": MAPPING | {"ready_console": "NEVER-SAID", "ready_timeout": 1}}
    for body, rule, expected in (
        (order, Rule("error", "compute", "POST", "^/servers$", nth=2, status=403), "paused"),
        (never, None, "paused"),
        (order, None, "done"),
    ):
        if rule is not None:
            flow.world.sites["site2"].strike(rule)
        answer = flow.ask("POST", "/recoveries", body | {"confirm": "mme"})
        assert flow.rest(answer) == expected, answer
        flow.world.sites["site2"].script.clear()
        assert flow.rest(flow.ask("POST", f"/recoveries/{answer['recovery']['id']}/undo")) == "undone"


def ask_amiss(flow: Flow) -> None:
    """Requests and settings that are refused, each with a secret in it."""
    flow.ask("POST", "/sites", {"name": "keyed", "cloud": "keyed"})
    flow.ask("POST", "/sites/keyed/check")
    flow.ask("POST", "/sites", {"name": "x", "cloud": "site1", "password": BODY})
    flow.ask(
        "POST", "/applications", {"name": "x", "site": "site1", "servers": [{"id": "s", "adminPass": BODY}]}
    )
    flow.ask("POST", "/protections", {"application": "mme", "options": {"password": BODY}})
    with pytest.raises((MultisiteError, OSError)) as refused:
        Database(f"postgresql+psycopg://multisite:{DATABASE}@127.0.0.1:9/multisite").upgrade()
    logging.getLogger("multisite").error("no database", exc_info=refused.value)
    flow.told.append(str(refused.value).encode())


@pytest.mark.parametrize("flow", ["0600", "encrypted"], indirect=True)
def test_planted_secrets_turn_up_nowhere(flow: Flow) -> None:
    prepare(flow)
    point = protect(flow)
    recover(flow, point)
    ask_amiss(flow)
    for path in ("applications", "protections", "restore-points", "recoveries", "jobs", "audit", "sites"):
        flow.ask("GET", f"/{path}")
    flow.services.audit.flush()
    assert (flow.state / "multisite.log").stat().st_size > 100_000
    assert flow.found() - KEPT == set()
    manifests = list((flow.folder / "store").rglob("manifest.json"))
    assert USER_DATA in "".join(
        base64.b64decode(server.user_data or "").decode()
        for server in flow.services.protections._manifests.read(point).servers
    ), "it is recovered with its user data"
    stored = [file.read_bytes() for file in (flow.folder / "store").rglob("*") if file.is_file()]
    shown = {secret for secret in SECRETS for data in stored if _holds(data, secret)}
    assert shown == (set() if (flow.folder / "keys").exists() else {USER_DATA, METADATA, VOLUME})
    assert {file.stat().st_mode & 0o777 for file in (*manifests, flow.state / SIGNING_KEY)} == {0o600}


@pytest.mark.parametrize("secret", SECRETS)
def test_the_scan_finds_what_is_there(flow: Flow, secret: str) -> None:
    """The control: the same scan, with a secret let out on each way."""
    logging.getLogger("careless").debug("it is %s", base64.b64encode(f"x{secret}y".encode()).decode())
    flow.told.append(f"a table with {secret} in it".encode())
    (flow.state / "multisite.sqlite-wal").write_bytes(secret.encode())
    assert flow.found() == {(secret, place) for place in ("multisite.log", "answer", "multisite.sqlite")}
