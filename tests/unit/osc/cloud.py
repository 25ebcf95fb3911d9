"""A cloud of two services on loopback: a Keystone that knows one password, and Multisite's API over simulated sites."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import openstack
from api.setup import MINE, Services
from flask import Flask, Response, request
from oslo_config import cfg
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import WSGIRequestHandler, make_server

import multisite_client
from multisite.api.app import create_app
from multisite.jobs.view import Job


@dataclass
class Cloud:
    services: Services
    port: int = 0
    registered: bool = True
    """Whether the catalog holds the service."""
    requests: list[str] = field(default_factory=list)
    """``METHOD path status`` of everything Multisite was asked."""
    script: list[Job] = field(default_factory=list)
    """How the job is by the time it is asked for, one after the other."""
    ending: Job | None = None
    """How the job ends that is resumed, undone or cancelled next; others are carried out when they are accepted."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def argv(self) -> list[str]:
        """Options that log in."""
        return [
            "--os-auth-type", "password", "--os-auth-url", f"{self.url}/identity/v3", "--os-username", "olga",
            "--os-password", "pw", "--os-project-name", "vnf", "--os-user-domain-name", "Default",
            "--os-project-domain-name", "Default", "--os-region-name", "RegionOne",
        ]  # fmt: skip


def keystone(cloud: Cloud) -> Flask:
    app = Flask("keystone")

    @app.get("/v3")
    def version() -> dict[str, Any]:
        links = [{"rel": "self", "href": f"{cloud.url}/identity/v3/"}]
        return {"version": {"id": "v3.14", "status": "stable", "links": links}}

    @app.post("/v3/auth/tokens")
    def token() -> Any:
        end = datetime.now(UTC) + timedelta(hours=1)
        endpoint = {"interface": "public", "region": "RegionOne", "region_id": "RegionOne", "id": "e"}
        service = {"type": "multisite", "name": "multisite", "id": "s"}
        catalog = [service | {"endpoints": [endpoint | {"url": f"{cloud.url}/multisite/v1"}]}]
        body = {
            "methods": ["password"], "issued_at": end.isoformat(), "expires_at": end.isoformat(),
            "user": {"id": "u-1", "name": "olga", "domain": {"id": "default", "name": "Default"}},
            "project": {"id": MINE, "name": "vnf", "domain": {"id": "default", "name": "Default"}},
            "roles": [{"id": "r", "name": "admin"}], "catalog": catalog if cloud.registered else [],
        }  # fmt: skip
        return {"token": body}, 201, {"X-Subject-Token": "secret-token"}

    return app


def multisite(cloud: Cloud) -> Any:
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[])
    app = create_app(cloud.services, conf, auth=False)

    @app.before_request
    def go_on() -> None:
        if cloud.script and request.method == "GET" and request.path.startswith("/v1/jobs/"):
            cloud.services.put_job(cloud.script.pop(0))

    @app.after_request
    def note(response: Response) -> Response:
        job_id = response.json.get("job_id") if response.status_code == 202 else None
        if job_id and cloud.ending:
            cloud.services.put_job(cloud.ending)
        elif job_id and not cloud.services.jobs.get(job_id).settled:
            cloud.services.carry_out(job_id)
        cloud.requests.append(f"{request.method} {request.path} {response.status_code}")
        return response

    def authenticated(environ: dict[str, Any], start_response: Any) -> Any:
        if environ.get("HTTP_X_AUTH_TOKEN") == "secret-token":
            environ |= {
                "HTTP_X_USER_ID": "u-1", "HTTP_X_USER_NAME": "olga", "HTTP_X_PROJECT_ID": MINE,
                "HTTP_X_PROJECT_NAME": "vnf", "HTTP_X_PROJECT_DOMAIN_NAME": "Default", "HTTP_X_ROLES": "admin",
            }  # fmt: skip
        return app(environ, start_response)

    return authenticated


class Silent(WSGIRequestHandler):
    """Standard error belongs to the command that is tested."""

    def log(self, type: str, message: str, *args: object) -> None:
        pass


@contextmanager
def running(services: Services) -> Iterator[Cloud]:
    cloud = Cloud(services)
    application = DispatcherMiddleware(
        Flask("nothing"), {"/identity": keystone(cloud), "/multisite": multisite(cloud)}
    )
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Silent)
    cloud.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield cloud
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def sdk(cloud: Cloud) -> Any:
    """``conn.multisite`` of openstacksdk, logged in."""
    options = dict(zip(cloud.argv()[::2], cloud.argv()[1::2], strict=True))
    connection = openstack.connect(
        auth={
            name.removeprefix("--os-").replace("-", "_"): value
            for name, value in options.items()
            if name not in ("--os-auth-type", "--os-region-name")
        },
        region_name="RegionOne",
        load_yaml_config=False,
        load_envvars=False,
    )
    connection.add_service(multisite_client.service())
    return connection.multisite
