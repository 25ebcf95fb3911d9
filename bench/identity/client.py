"""Users and services of a site: a process in its namespace, told what to do line by line.

Services validate with the real keystonemiddleware (its cache off), users log in with the real keystoneauth as the
command line does (a new connection, discovery, then the login), administrators keep their connection.  One JSON
object per line in and out.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from bench.identity.site_networks import SetupError, SiteNetworks


class Inside:
    """What runs in the site."""

    def __init__(self) -> None:
        self._services: dict[bool, Any] = {}
        self._admin: Any = None
        self._memory: dict[str, Any] = {}
        self._url = self._password = ""
        self.tokens: list[str] = []

    def begin(self, url: str, password: str) -> dict[str, Any]:
        """Log in as the administrator and as the services, so that this is in no figure later."""
        from keystonemiddleware import auth_token

        self._url, self._password = url, password
        self._admin = self._session("admin", "admin")
        self._admin.get_token()
        common = {
            "auth_type": "password", "auth_url": url, "username": "admin", "password": password,
            "project_name": "admin", "user_domain_name": "Default", "project_domain_name": "Default",
            "region_name": "Region001", "token_cache_time": -1, "service_token_roles_required": True,
            "www_authenticate_uri": url, "interface": "internal",
        }  # fmt: skip
        for catalog in (True, False):
            # without a catalog the middleware does not ask for the interface of the catalog's endpoint either
            self._services[catalog] = auth_token.AuthProtocol(
                _accept, common | {"include_service_catalog": catalog}
            )
            self._validate_once(self._admin.get_token(), catalog)
        return {"token_bytes": len(self._admin.get_token())}

    def people(self, prefix: str, count: int) -> dict[str, Any]:
        """Make users who may work in the project of the administrator; remember none of it."""
        role, project = self._role("member"), self._project("admin")
        for number in range(count):
            user = self._make(
                "users", "user", name=f"{prefix}{number}", domain_id="default", password=self._password
            )
            self._admin.put(f"{self._url}/projects/{project}/users/{user}/roles/{role}")
        return {}

    def regions(self, wanted: int, services: int) -> dict[str, Any]:
        """Grow the catalog to ``wanted`` regions with three endpoints of each of ``services`` services."""
        known = {region["id"] for region in self._list("regions")}
        ids = [service["id"] for service in self._list("services")]
        for number in range(len(ids), services):
            name = ("compute", "network", "image", "volumev3", "placement", "object-store")[number - 1]
            ids.append(self._make("services", "service", type=name, name=name))
        have = {(e["region_id"], e["service_id"]) for e in self._list("endpoints")}
        for number in range(1, wanted + 1):
            region = f"Region{number:03d}"
            if region not in known:
                self._make("regions", "region", id=region)
            for service in ids:
                if (region, service) not in have:
                    for interface in ("public", "internal", "admin"):
                        url = f"http://10.77.{number:02d}.1:9000/"
                        self._make(
                            "endpoints",
                            "endpoint",
                            service_id=service,
                            region_id=region,
                            interface=interface,
                            url=url,
                        )
        self._services.clear()
        return self.begin(self._url, self._password)

    def login(self, prefix: str, first: int, count: int, pause: float = 0.0) -> dict[str, Any]:
        """Users ``<prefix><first>`` and on log in; bytes of the last answer's body."""
        for number in range(first, first + count):
            session = self._session(f"{prefix}{number}", "admin")
            self.tokens.append(session.get_token())
            session.session.close()
            time.sleep(pause)
        return {"tokens": len(self.tokens)}

    def validate(self, count: int, catalog: bool = True, pause: float = 0.0) -> dict[str, Any]:
        """A service asks ``count`` times, over the tokens of those logged in."""
        tokens = self.tokens or [self._admin.get_token()]
        for number in range(count):
            self._validate_once(tokens[number % len(tokens)], catalog)
            time.sleep(pause)
        return {}

    def body(self, catalog: bool = True) -> dict[str, Any]:
        """The answer to a validation: bytes, and the token's own bytes."""
        token = self._admin.get_token()
        query = "" if catalog else "?nocatalog"
        answer = self._admin.get(f"{self._url}/auth/tokens{query}", headers={"X-Subject-Token": token})
        services = answer.json()["token"].get("catalog", [])
        urls = [endpoint["url"] for service in services for endpoint in service["endpoints"]]
        mean = sum(map(len, urls)) / len(urls) if urls else 0.0
        return {"body_bytes": len(answer.content), "token_bytes": len(token), "url_bytes": mean}

    def role(self, count: int, pause: float = 0.0) -> dict[str, Any]:
        """``count`` changes: a role is given, then taken, and so on, of one user after the other."""
        role, project = self._role("reader"), self._project("admin")
        users = [user["id"] for user in self._list("users") if user["name"] != "admin"]
        for number in range(count):
            url = f"{self._url}/projects/{project}/users/{users[number // 2 % len(users)]}/roles/{role}"
            (self._admin.delete if number % 2 else self._admin.put)(url)
            time.sleep(pause)
        return {}

    def revoke(self, count: int, pause: float = 0.0) -> dict[str, Any]:
        """Revoke the tokens that were given first."""
        for _ in range(count):
            token = self.tokens.pop(0)
            self._admin.delete(f"{self._url}/auth/tokens", headers={"X-Subject-Token": token})
            time.sleep(pause)
        return {}

    def prepare(self) -> dict[str, Any]:
        """Ask for the ids that ``role`` needs, so that this is in no figure."""
        self._role("reader"), self._project("admin"), self._list("users")
        return {}

    # -- how it talks -------------------------------------------------------------------------------------------

    @property
    def _known(self) -> dict[str, Any]:
        return self._memory

    def _session(self, user: str, project: str) -> Any:
        from keystoneauth1 import session
        from keystoneauth1.identity import Password

        auth = Password(
            auth_url=self._url, username=user, password=self._password, project_name=project,
            user_domain_name="Default", project_domain_name="Default",
        )  # fmt: skip
        return session.Session(auth=auth, timeout=120)

    def _validate_once(self, token: str, catalog: bool) -> None:
        said: list[str] = []
        environ = {
            "REQUEST_METHOD": "GET", "PATH_INFO": "/", "SERVER_NAME": "s", "SERVER_PORT": "80",
            "wsgi.url_scheme": "http", "HTTP_X_AUTH_TOKEN": token, "wsgi.input": sys.stdin,
        }  # fmt: skip
        self._services[catalog](environ, lambda status, *_: said.append(status))
        if said != ["204 No Content"]:
            raise RuntimeError(f"a valid token was refused: {said}")

    def _list(self, what: str) -> list[dict[str, Any]]:
        if what not in self._known:
            self._known[what] = self._admin.get(f"{self._url}/{what}").json()[what]
        found: list[dict[str, Any]] = self._known[what]
        return found

    def _role(self, name: str) -> str:
        return next(str(r["id"]) for r in self._list("roles") if r["name"] == name)

    def _project(self, name: str) -> str:
        return next(str(p["id"]) for p in self._list("projects") if p["name"] == name)

    def _make(self, plural: str, singular: str, **fields: Any) -> str:
        self._known.pop(plural, None)
        made = self._admin.post(f"{self._url}/{plural}", json={singular: fields})
        return str(made.json()[singular]["id"])


def _accept(_environ: Any, start: Any) -> list[bytes]:
    start("204 No Content", [])
    return []


class Client:
    """Talks to an ``Inside``; its methods are called by name: ``client("login", prefix="a", first=0, count=3)``."""

    def __init__(self, process: subprocess.Popen[str], stdin: IO[str], stdout: IO[str]) -> None:
        self._process, self._stdin, self._stdout = process, stdin, stdout

    def __call__(self, verb: str, **arguments: Any) -> dict[str, Any]:
        self._stdin.write(json.dumps({"verb": verb, "arguments": arguments}) + "\n")
        self._stdin.flush()
        answer: dict[str, Any] = json.loads(self._stdout.readline() or '{"error": "the client died"}')
        if "error" in answer:
            raise SetupError(f"{verb}: {answer['error']}")
        return answer


@contextmanager
def client(networks: SiteNetworks, site: str, url: str, password: str) -> Iterator[Client]:
    """A client in a site, logged in."""
    command = [*networks.inside(site), sys.executable, "-W", "ignore", "-m", "bench.identity.client"]
    with (networks.folder / f"client-{site}.err").open("a") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    if process.stdin is None or process.stdout is None:
        raise SetupError("a client without pipes")
    try:
        talk = Client(process, process.stdin, process.stdout)
        talk("begin", url=url, password=password)
        yield talk
    finally:
        process.stdin.close()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main() -> None:
    inside = Inside()
    for line in sys.stdin:
        told = json.loads(line)
        try:
            answer = getattr(inside, told["verb"])(**told["arguments"])
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
