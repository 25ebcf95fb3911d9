"""Routes, each declared once: who may, whose thing it is, what goes in and out, whether it is recorded.

The policy's rules (``resources.list_rules``), the audit trail, the OpenAPI document and docs/api.md follow from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Protocol, TypeVar
from urllib.parse import urlencode

from apiflask import APIBlueprint
from flask import request
from pydantic import BaseModel

from multisite.api.policy import PUBLIC, ROLES
from multisite.api.schemas.common import PageQuery
from multisite.api.state import policy
from multisite.domain.caller import Caller

HandlerT = TypeVar("HandlerT", bound=Callable[..., object])


@dataclass(frozen=True)
class Route:
    """``rule``: as in ``site:list``; ``default``: the check that applies unless a policy file has another.

    ``path``: as in ``/v1/sites/{name}``; ``recorded``: whether the audit trail has its requests.
    """

    endpoint: str
    method: str
    path: str
    rule: str
    default: str
    description: str
    recorded: bool


class HasProject(Protocol):
    @property
    def project_id(self) -> str | None: ...


@dataclass(frozen=True)
class Owned:
    """Things of projects: ``find`` gets one by the ``<id>`` of a path, NotFound when there is none.

    ``kind`` is the first half of its rules; ``title`` what it is called in errors (default: the same).
    """

    kind: str
    find: Callable[[Caller, str], HasProject]
    title: str = ""

    def get(self, rule: str, id: str) -> tuple[Caller, HasProject]:
        """Who asks, and the thing; NotFound (404) when it is of another project, 403 unless the rule allows it."""
        found = self.find(policy().check(f"{self.kind}:list"), id)
        missing = (
            f"{self.kind.replace('_', ' ')}: there is no {self.title or self.kind.replace('_', ' ')} {id!r}"
        )
        return policy().check_owned(rule, found.project_id or "", missing), found


class Resource:
    """The routes of one noun.  ``owned``: what the ``<id>`` in their paths names."""

    def __init__(self, name: str, prefix: str, *, tag: str, owned: Owned | None = None) -> None:
        self.blueprint = APIBlueprint(name, __name__, url_prefix=prefix or None, tag=tag)
        self.routes: list[Route] = []
        self._prefix, self._owned = prefix, owned

    def route(
        self,
        call: str,
        rule: str,
        default: str,
        *,
        out: type[BaseModel] | None = None,
        status: int = 200,
        body: type[BaseModel] | None = None,
        query: type[BaseModel] | None = None,
        recorded: bool = True,
        responses: dict[int, str] | None = None,
    ) -> Callable[[HandlerT], HandlerT]:
        """Declare ``"GET"`` (of the collection) or ``"POST /<id>/run"``; the docstring's first line describes it.

        The handler is called with the caller, the owned thing if its path names one, what else is in the path, and
        ``body`` or ``query``.  ``out`` None: answered with 204.  ``recorded`` False: of a POST that only reads.
        A ``query`` that is a ``PageQuery`` makes it a list in pages: ``out`` is a ``page_of`` what the handler
        returns, and the link to the next page is put beside it.
        """
        method, _, path = call.partition(" ")
        if default not in ROLES or (":" not in rule and default != PUBLIC):
            raise TypeError(
                f"{call} of {self._prefix}: give a rule as in 'site:list' and a role of policy.ROLES"
            )

        in_pages = query is not None and issubclass(query, PageQuery)
        if in_pages != (out is not None and any(name.endswith("_links") for name in out.model_fields)):
            raise TypeError(
                f"{call} of {self._prefix}: a list in pages has a PageQuery and is a page_of them"
            )

        def decorated(handler: HandlerT) -> HandlerT:
            view: Callable[..., Any] = self._guarded(_paged(handler) if in_pages else handler, rule, default)
            for schema, location, name in ((body, "json", "body"), (query, "query", "query")):
                if schema is not None:
                    view = self.blueprint.input(schema, location=location, arg_name=name)(view)
            if out is None:
                view = self.blueprint.output({}, status_code=204, description="Deleted")(view)
            else:
                view = self.blueprint.output(out, status_code=status)(view)
            if responses:
                view = self.blueprint.doc(responses=responses)(view)
            self.blueprint.route(path, methods=[method])(view)
            self.routes.append(
                Route(
                    endpoint=f"{self.blueprint.name}.{handler.__name__}",
                    method=method,
                    path=(self._prefix + path).replace("<", "{").replace(">", "}"),
                    rule=rule,
                    default=default,
                    description=(handler.__doc__ or "").partition("\n")[0].rstrip("."),
                    recorded=recorded and method != "GET",
                )
            )
            return handler

        return decorated

    def _guarded(self, handler: Callable[..., object], rule: str, default: str) -> Callable[..., object]:
        @wraps(handler)
        def view(**arguments: Any) -> object:
            if default == PUBLIC:
                return handler(**arguments)
            if self._owned is not None and "id" in arguments:
                answer = handler(*self._owned.get(rule, arguments.pop("id")), **arguments)
            else:
                answer = handler(policy().check(rule), **arguments)
            return ("", 204) if answer is None else answer

        return view


def _paged(handler: Callable[..., Any]) -> Callable[..., Any]:
    """A full page links to the next one, as in Nova; the path is the request's, whatever proxy it came through."""

    @wraps(handler)
    def view(*arguments: Any, query: PageQuery) -> dict[str, Any]:
        ((plural, items),) = handler(*arguments, query=query).items()
        links = []
        if len(items) == query.limit:
            last = items[-1]
            marker = last["id"] if isinstance(last, dict) else last.id
            asked = request.args.to_dict() | {"marker": str(marker)}
            links = [{"rel": "next", "href": f"{request.path}?{urlencode(asked)}"}]
        return {plural: items, f"{plural}_links": links}

    return view
