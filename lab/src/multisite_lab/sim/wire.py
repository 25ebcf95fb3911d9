"""What goes over the wire: a request as a handler sees it, its answer, and the way from one to the other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from multisite_lab.sim.model import Account, Row, Sim

Version = tuple[int, int]


@dataclass(frozen=True)
class Ask:
    """One request.  ``path`` is what follows the service's version; ``ids`` what its template matched.

    ``if_match``: the revision Neutron is told to expect, None without one.
    """

    method: str
    service: str
    path: str
    base: str
    account: Account
    version: Version = (0, 0)
    query: Mapping[str, list[str]] = field(default_factory=dict)
    body: Any = None
    ids: Mapping[str, str] = field(default_factory=dict)
    request_id: str = ""
    if_match: int | None = None

    def one(self, name: str) -> str | None:
        """The last value of a query parameter."""
        values = self.query.get(name)
        return values[-1] if values else None


@dataclass(frozen=True)
class Answer:
    """``seconds``: how long the service takes to give it, after the effect."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0


class ApiError(Exception):
    """An error a service answers with; ``body`` is its own shape."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"HTTP {status}: {body}")
        self.answer = Answer(status, body, headers or {})


Handler = Callable[[Sim, Ask], Answer]


@dataclass(frozen=True)
class Route:
    """``template`` has ``{names}`` where ids are: ``/servers/{id}/action``; it names the call in the log."""

    method: str
    template: str
    handle: Handler

    def match(self, method: str, path: str) -> dict[str, str] | None:
        if method != self.method:
            return None
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.template)
        found = re.fullmatch(pattern, path)
        return found.groupdict() if found else None


def ok(body: Any, status: int = 200, seconds: float = 0.0) -> Answer:
    return Answer(status, body, seconds=seconds)


def page(ask: Ask, key: str, rows: Iterable[Row], most: int, identity: str = "id") -> Answer:
    """One page of a list, with the link to the next, as Nova and Cinder give it.

    ``limit`` may ask for fewer than ``most``; ``marker`` is the id of the last one of the page before.
    """
    found = list(rows)
    if (marker := ask.one("marker")) is not None:
        ids = [row[identity] for row in found]
        found = found[ids.index(marker) + 1 :] if marker in ids else []
    limit = min(int(ask.one("limit") or most), most)
    shown, more = found[:limit], len(found) > limit
    body: Row = {key: shown}
    if more:
        rest = "&".join(f"{n}={v}" for n, values in ask.query.items() if n != "marker" for v in values)
        href = f"{ask.base}{ask.path}?{rest + '&' if rest else ''}marker={shown[-1][identity]}"
        body[f"{key}_links"] = [{"rel": "next", "href": href}]
    return ok(body)


# Error bodies.  Nova and Cinder: nova/api/openstack/wsgi.py and cinder/api/openstack/wsgi.py, Fault.
_FAULTS = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    503: "serviceUnavailable",
}


def fault(status: int, message: str) -> ApiError:
    """An error of Nova or Cinder.  413 says when to come back, and Cinder means "at once" by it."""
    said: Row = {"code": status, "message": message}
    headers = {}
    if status == 413:
        said["retryAfter"] = "0"
        headers["Retry-After"] = "0"
    return ApiError(status, {_FAULTS.get(status, "computeFault"): said}, headers)


def neutron_error(status: int, kind: str, message: str) -> ApiError:
    """An error of Neutron (neutron/api/api_common.py, convert_exception_to_http_exc)."""
    return ApiError(status, {"NeutronError": {"type": kind, "message": message, "detail": ""}})


def keystone_error(status: int, title: str, message: str) -> ApiError:
    """An error of Keystone, and of keystonemiddleware in front of every service."""
    return ApiError(status, {"error": {"code": status, "title": title, "message": message}})


UNAUTHORIZED = "The request you have made requires authentication."


def unauthorized() -> ApiError:
    return keystone_error(401, "Unauthorized", UNAUTHORIZED)


def parsed(text: str) -> Version | None:
    """A microversion, None when it is none."""
    found = re.fullmatch(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None


def refuse_keys(pairs: Any, field: str, pattern: str) -> None:
    """400 for metadata whose keys have other letters than Nova's and Cinder's schemas take."""
    for key in pairs or {}:
        if not re.fullmatch(pattern, key, re.ASCII):
            said = f"Additional properties are not allowed ('{key}' was unexpected)"
            raise fault(400, f"Invalid input for field/attribute {field}. Value: {pairs}. {said}")


def required(body: Any, name: str) -> Row:
    """The object of this name in a body; Nova's and Cinder's schema error when there is none."""
    if not isinstance(body, dict) or not isinstance(body.get(name), dict):
        raise fault(400, f"'{name}' is a required property")
    found: Row = body[name]
    return found
