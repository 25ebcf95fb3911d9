"""One simulated site: from a request to its answer, through the faults, with everything logged."""

from __future__ import annotations

import copy
import itertools
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from multisite_lab.sim import designate, glance, keystone, placement, quotas, roles
from multisite_lab.sim.cinder import backups, groups, managed, snapshots, volumes
from multisite_lab.sim.faults import Rule, Script, Seen
from multisite_lab.sim.model import Account, Sim, State
from multisite_lab.sim.neutron import floating_ips, networks, ports, qos, routers, subnet_pools, trunks
from multisite_lab.sim.nova import actions, quiesce, resources, servers
from multisite_lab.sim.wire import Answer, ApiError, Ask, Route, Version, fault, ok, parsed

NOBODY = Account("", "", "", "", "", ())


@dataclass(frozen=True)
class Service:
    """``root`` is where it lives, ``version`` the path of its API below that; ``low`` and ``high`` its
    microversions, None where it has none.
    """

    name: str
    root: str
    version: str
    routes: tuple[Route, ...]
    low: Version | None = None
    high: Version | None = None


SERVICES = (
    Service("identity", "/identity", "", keystone.ROUTES),
    Service(
        "compute",
        "/compute",
        "v2.1",
        (
            *servers.ROUTES,
            *actions.ROUTES,
            *quiesce.ROUTES,
            *resources.ROUTES,
            *quotas.NOVA_ROUTES,
            *placement.NOVA_ROUTES,
        ),
        (2, 1),
        (2, 96),
    ),
    Service(
        "volume",
        "/volume",
        "v3",
        (
            *volumes.ROUTES,
            *managed.ROUTES,
            *snapshots.ROUTES,
            *backups.ROUTES,
            *groups.ROUTES,
            *quotas.CINDER_ROUTES,
        ),
        (3, 0),
        (3, 71),
    ),
    Service(
        "network",
        "/network",
        "v2.0",
        (
            *networks.ROUTES,
            *subnet_pools.ROUTES,
            *qos.ROUTES,
            *ports.ROUTES,
            *routers.ROUTES,
            *trunks.ROUTES,
            *floating_ips.ROUTES,
            *quotas.NEUTRON_ROUTES,
        ),
    ),
    Service("image", "/image", "", glance.ROUTES),
    Service("dns", "/dns", "v2", designate.ROUTES),
    Service("placement", "/placement", "", placement.ROUTES, (1, 0), (1, 39)),
)


@dataclass(frozen=True)
class Wire:
    """A request as it came in."""

    method: str
    path: str
    query: Mapping[str, list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""


@dataclass(frozen=True)
class Reply:
    """What goes back.  ``status`` None: nothing, the connection is cut.  ``seconds``: not before.  ``rows``: of
    a list.
    """

    status: int | None
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    rows: int | None = None


@dataclass
class SimSite:
    """``address`` is set by whoever serves it (``http://127.0.0.1:port``)."""

    sim: Sim
    script: Script = field(default_factory=Script)
    address: str = ""
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _before: State | None = None
    _requests: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def name(self) -> str:
        return self.sim.name

    def settle(self) -> Sim:
        """The site as it is now: what was due has happened."""
        with self._lock:
            self.sim.catch_up()
            return self.sim

    def bring_forward(self) -> None:
        """What was to happen later, as the effect of a late request, happens now."""
        with self._lock:
            self.sim.catch_up()
            self.sim.bring_forward()

    def save(self) -> State:
        """A copy of what is there, to go back to.  ValueError while something is still to happen."""
        with self._lock:
            self.sim.catch_up()
            if self.sim.busy:
                raise ValueError(f"{self.name}: something is still to happen there")
            return copy.deepcopy(self.sim.state)

    def go_back(self, saved: State) -> None:
        """To what was saved; rules and log are forgotten, and so is what was still to happen."""
        with self._lock:
            self.sim.forget_the_future()
            self.sim.state = copy.deepcopy(saved)
            self._before = None
        self.script.forget()

    def strike(self, rule: Rule) -> Rule:
        """Add a fault."""
        return self.script.add(rule)

    def reply(self, wire: Wire) -> Reply:
        """Answer one request; it is in the log afterwards."""
        service, path = _service(wire.path)
        if service is None:
            return Reply(404, b"Not Found", {"Content-Type": "text/plain"})
        route, ids = _route(service, wire.method, path)
        request_id = f"req-{self.name}-{next(self._requests)}"
        what = _action(wire)
        template = (route.template if route else path) + what
        rule = self.script.struck_by(service.name, wire.method, path + what, template)
        ask = Ask(
            wire.method,
            service.name,
            path,
            f"{self.address}{service.root}" + (f"/{service.version}" if service.version else ""),
            NOBODY,
            query=wire.query,
            ids=ids,
            request_id=request_id,
            if_match=_if_match(wire),
        )
        with self._lock:
            self.sim.catch_up()
            reply = self._struck(rule, service, route, wire, ask)
        kind, known = rule.kind if rule else None, route is not None or path == "/"
        seen = Seen(
            service.name, wire.method, template, reply.status, self.sim.clock.now(), kind, known, reply.rows,
            ids.get("id", ""),
        )  # fmt: skip
        self.script.note(seen)
        return reply

    def _struck(
        self, rule: Rule | None, service: Service, route: Route | None, wire: Wire, ask: Ask
    ) -> Reply:
        if rule is None:
            return _written(ask, self._normal(service, route, wire, ask))
        if rule.kind == "stale":
            return _written(ask, self._stale(service, route, wire, ask))
        if rule.kind == "partial":
            return _written(ask, _partial(self._normal(service, route, wire, ask), rule.keep))
        if rule.kind == "delay":
            reply = _written(ask, self._normal(service, route, wire, ask))
            return replace(reply, seconds=reply.seconds + rule.seconds)
        if rule.kind == "token":
            self.sim.state.tokens.pop(_token(wire) or "", None)
            return _written(ask, self._normal(service, route, wire, ask))
        if rule.kind == "lost":
            self._normal(service, route, wire, ask)
        elif rule.kind == "late":
            self.sim.after(rule.seconds, lambda: self._normal(service, route, wire, ask))
        return _broken(ask, rule.status, began=rule.kind != "error")

    def _stale(self, service: Service, route: Route | None, wire: Wire, ask: Ask) -> Answer:
        now = self.sim.state
        try:
            if self._before is not None and wire.method == "GET":
                tokens = now.tokens
                self.sim.state = self._before
                self.sim.state.tokens = tokens
            return self._normal(service, route, wire, ask)
        finally:
            self.sim.state = now

    def _normal(self, service: Service, route: Route | None, wire: Wire, ask: Ask) -> Answer:
        try:
            return self._handled(service, route, wire, ask)
        except ApiError as error:
            return error.answer

    def _handled(self, service: Service, route: Route | None, wire: Wire, ask: Ask) -> Answer:
        if service.name != "identity" and ask.path == "/":
            return _versions(service, self.address, one=wire.path.rstrip("/") != service.root)
        if route is None and service.name == "identity":
            raise ApiError(404, {"error": {"code": 404, "title": "Not Found", "message": "Not found."}})
        nobody = service.name == "identity" and ask.path in keystone.WITHOUT_TOKEN
        account = NOBODY if nobody else keystone.who(self.sim, _token(wire))
        if route is None:
            raise ApiError(
                404, {"itemNotFound": {"code": 404, "message": "The resource could not be found."}}
            )
        ask = replace(ask, account=account, version=_version(service, wire), body=_body(wire))
        if (
            wire.method != "GET"
            and service.name != "identity"
            and any(r.kind == "stale" for r in self.script.rules)
        ):
            self._before = copy.deepcopy(self.sim.state)
        roles.refuse_readers(ask, route.template)
        return route.handle(self.sim, ask)


def _if_match(wire: Wire) -> int | None:
    """``If-Match: revision_number=<n>`` (Neutron, extension revision-if-match)."""
    name, _, number = wire.headers.get("if-match", "").partition("=")
    return int(number) if name.strip() == "revision_number" and number.strip().isdigit() else None


def _action(wire: Wire) -> str:
    """``#quiesce`` for ``POST .../action {"quiesce": ...}``: one path, many calls."""
    if wire.method != "POST" or not wire.path.endswith("/action"):
        return ""
    try:
        body = json.loads(wire.content)
    except ValueError:
        return ""
    return f"#{next(iter(body))}" if isinstance(body, dict) and body else ""


def _service(path: str) -> tuple[Service | None, str]:
    """The service, and the path below its version."""
    for service in SERVICES:
        if path == service.root or path.startswith(f"{service.root}/"):
            rest = path[len(service.root) :]
            if service.version and rest.startswith(f"/{service.version}"):
                rest = rest[len(service.version) + 1 :]
            return service, rest.rstrip("/") or "/"
    return None, path


def _route(service: Service, method: str, path: str) -> tuple[Route | None, dict[str, str]]:
    for route in service.routes:
        if (ids := route.match(method, path)) is not None:
            return route, ids
    return None, {}


def _versions(service: Service, address: str, *, one: bool) -> Answer:
    """The version documents; no token is needed for them."""
    version = service.version or {"image": "v2"}.get(service.name, "")
    document = {
        "id": {"volume": "v3.0", "placement": "v1.0"}.get(service.name, version),
        "status": "CURRENT",
        "min_version": _text(service.low),
        "version": _text(service.high),
        "links": [{"rel": "self", "href": f"{address}{service.root}/{version}".rstrip("/") + "/"}],
    }
    return ok({"version": document} if one else {"versions": [document]})


def _text(version: Version | None) -> str:
    return f"{version[0]}.{version[1]}" if version else ""


def _version(service: Service, wire: Wire) -> Version:
    """The microversion asked for; 406 when the service has not come so far (microversion-parse)."""
    if service.low is None or service.high is None:
        return (0, 0)
    named = wire.headers.get("openstack-api-version", "")
    kind = service.name
    text = next((p.split()[1] for p in named.split(",") if p.split()[:1] == [kind]), None)
    text = text or wire.headers.get("x-openstack-nova-api-version") if kind == "compute" else text
    if text is None:
        return service.low
    if text == "latest":
        return service.high
    version = parsed(text)
    if version is None:
        raise fault(
            400, f"API Version String {text} is of invalid format. Must be of format MajorNum.MinorNum."
        )
    if not service.low <= version <= service.high:
        said = f"Version {text} is not supported by the API. Minimum is {_text(service.low)} and maximum is"
        raise fault(406, f"{said} {_text(service.high)}.")
    return version


def _token(wire: Wire) -> str | None:
    return wire.headers.get("x-auth-token")


def _body(wire: Wire) -> Any:
    if "octet-stream" in wire.headers.get("content-type", ""):
        return wire.content
    if not wire.content:
        return None
    try:
        return json.loads(wire.content)
    except ValueError:
        raise fault(400, "Malformed request body") from None


def _written(ask: Ask, answer: Answer) -> Reply:
    header = "x-openstack-request-id"
    headers = {header: ask.request_id, **answer.headers}
    if answer.status == 401:
        headers["WWW-Authenticate"] = f"Keystone uri={ask.base}"
    if answer.body is None:
        return Reply(answer.status, b"", headers, answer.seconds)
    if isinstance(answer.body, bytes):
        headers["Content-Type"] = "application/octet-stream"
        return Reply(answer.status, answer.body, headers, answer.seconds)
    if isinstance(answer.body, str):
        headers["Content-Type"] = "text/html; charset=UTF-8"
        return Reply(answer.status, answer.body.encode(), headers, answer.seconds)
    headers["Content-Type"] = "application/json"
    lists = [value for value in answer.body.values() if isinstance(value, list)]
    rows = len(lists[0]) if len(lists) == 1 and ask.method == "GET" else None
    return Reply(answer.status, json.dumps(answer.body).encode(), headers, answer.seconds, rows)


def _broken(ask: Ask, status: int | None, *, began: bool) -> Reply:
    """A service's 500, or a proxy's 50x: the proxy gives no request id, unless a service was at work."""
    if status is None:
        return Reply(None)
    words = {502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Time-out"}
    if status in words and not began:
        html = f"<html><body><h1>{status} {words[status]}</h1></body></html>"
        return Reply(status, html.encode(), {"Content-Type": "text/html"})
    said = "Unexpected API Error. Please report this at http://bugs.launchpad.net/nova/ and attach the log."
    key = "NeutronError" if ask.service == "network" else "computeFault"
    return _written(ask, Answer(status, {key: {"code": status, "message": words.get(status, said)}}))


def _partial(answer: Answer, keep: int) -> Answer:
    """A list that lost its end, and does not say so."""
    if not isinstance(answer.body, dict):
        return answer
    shown = {k: v[:keep] if isinstance(v, list) else v for k, v in answer.body.items()}
    return replace(answer, body={k: v for k, v in shown.items() if not k.endswith("_links")})
