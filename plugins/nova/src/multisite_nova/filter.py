# SPDX-License-Identifier: Apache-2.0
"""The paste filter: server actions quiesce and unquiesce in front of nova-api; all else passes untouched."""

import contextlib
import datetime
import json
import re
from collections.abc import Callable, Iterable
from typing import Any

import webob
from nova import exception
from nova.api.openstack import common, wsgi
from oslo_log import log as logging
from webob import exc

LOG = logging.getLogger(__name__)

API_VERSION = "1.0"
ALIAS = "os-multisite-quiesce"
PATH = re.compile(
    rf"^(?:/(?P<project>[0-9a-f-]+))?/(?:servers/(?P<server>[^/]+)/(?P<leaf>action|{ALIAS})|{ALIAS})/?$"
)

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Response = Any  # webob has no types


def iso(seconds: float) -> str | None:
    """Write a time as ISO 8601 in UTC; nothing for one that is not known."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z") if seconds else None


def reply(server: str, name: str, **values: Any) -> Response:
    """Put values into the body of an answer, times in words."""
    readable = {key: iso(value) if key.endswith("_at") else value for key, value in values.items()}
    return webob.Response(json_body={name: {"server_id": server, **readable}})


def invalid(field: str, rule: str) -> exc.HTTPBadRequest:
    """Say which field of a body is wrong, much as Nova does."""
    return exc.HTTPBadRequest(explanation=f"Invalid input for field '{field}': {rule}")


class Actions:
    """What the filter can do, made once per process; making it starts the watcher."""

    def __init__(self) -> None:
        from nova import monkey_patch
        from nova.compute import api as compute_api
        from oslo_config import cfg

        from multisite_nova import guest, options, policy, records, thaw

        if monkey_patch.is_patched():
            raise RuntimeError("nova-api runs under eventlet, where nothing keeps time while it is idle")
        options.register(cfg.CONF)
        self.limits = cfg.CONF.multisite_quiesce
        self.guest, self.policy, self.records, self.thaw = guest, policy, records, thaw
        self.servers = compute_api.API()
        self.watcher = thaw.Watcher()
        thaw.launch(self.watcher)

    def quiesce(self, context: Any, uuid: str, argument: Any) -> Response:
        """Freeze a server."""
        timeout = self._timeout(argument)
        server = self._server(context, uuid, "quiesce")
        if not self.watcher.healthy():
            raise exc.HTTPServiceUnavailable(explanation="This nova-api cannot limit a freeze.")
        if server.vm_state != "active" or server.task_state or not server.host:
            state = ", ".join(filter(None, (server.vm_state, server.task_state)))
            raise exc.HTTPConflict(explanation=f"Cannot 'quiesce' server {uuid} while it is {state}")
        try:
            record = self.watcher.freeze(server, timeout, context.request_id)
        except self.thaw.Conflict as conflict:
            raise exc.HTTPConflict(explanation=str(conflict)) from conflict
        return reply(uuid, "quiesce", frozen_at=record.frozen_at, thaw_at=record.thaw_at, timeout=timeout)

    def unquiesce(self, context: Any, uuid: str, argument: Any) -> Response:
        """Thaw a server, frozen or not."""
        if argument not in (None, {}):
            raise invalid("unquiesce", "must be null")
        self._server(context, uuid, "unquiesce")
        record, error = self.watcher.thaw(uuid, context.request_id)
        if record.pending:
            reason = self.guest.reason_of(error) if error else "an earlier freeze may still come."
            raise exc.HTTPConflict(explanation=f"Not thawed for certain yet, attempts go on: {reason}")
        fields = ("frozen_at", "thawed_at", "expired", "state")
        values = {name: getattr(record, name) for name in fields}
        return reply(uuid, "unquiesce", **values, confirmed=error is None)

    def show(self, context: Any, uuid: str, _argument: Any) -> Response:
        """Tell what is known about a server."""
        self._server(context, uuid, "show")
        record = self.records.get(self.guest.cell_context(uuid, context.request_id), uuid)
        known = {"state": "thawed", "expired": False, "timeout": None}
        known |= dict.fromkeys(("frozen_at", "thaw_at", "thawed_at"), 0.0)
        return reply(uuid, "quiesce", **{name: getattr(record, name, value) for name, value in known.items()})

    def discover(self, _context: Any, _uuid: str, _argument: Any) -> Response:
        """Tell that the filter is here, and its limits."""
        document = {"version": API_VERSION, "supported": self.watcher.healthy()}
        document |= {name: self.limits[name] for name in ("default_timeout", "max_timeout", "freeze_timeout")}
        return webob.Response(json_body={"multisite_quiesce": document})

    def _server(self, context: Any, uuid: str, rule: str) -> Any:
        server = common.get_instance(self.servers, context, uuid, expected_attrs=["flavor"])
        self.policy.register()
        target = {"project_id": server.project_id, "user_id": server.user_id}
        context.can(self.policy.BASE % rule, target=target)
        return server

    def _timeout(self, argument: Any) -> int:
        argument = {} if argument is None else argument
        if not isinstance(argument, dict):
            raise invalid("quiesce", "must be null or an object")
        if unknown := sorted(set(argument) - {"timeout"}):
            raise invalid(unknown[0], "is not known")
        timeout = argument.get("timeout", self.limits.default_timeout)
        if type(timeout) is not int or not 1 <= timeout <= self.limits.max_timeout:
            raise invalid("timeout", f"must be an integer from 1 to {self.limits.max_timeout}")
        return timeout


class QuiesceFilter:
    """One filter in the pipeline."""

    def __init__(self, application: App, actions: Actions | None) -> None:
        self.application = application
        self.actions = actions

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer what is ours, hand on the rest."""
        answer: App = self._answer(environ) or self.application
        return answer(environ, start_response)

    def _answer(self, environ: dict[str, Any]) -> Response | None:
        name, match = "", PATH.match(environ.get("PATH_INFO", ""))
        try:
            if match:
                name, argument = self._asked(environ, match["leaf"])
            if match and name:
                context = self._context(environ, match["project"])
                return getattr(self.actions, name)(context, match["server"], argument)
        except exc.HTTPException as error:
            return wsgi.Fault(error)
        except exception.Forbidden as error:
            return wsgi.Fault(exc.HTTPForbidden(explanation=error.format_message()))
        except exception.NotFound as error:
            return wsgi.Fault(exc.HTTPNotFound(explanation=error.format_message()))
        except Exception:
            LOG.exception("Unexpected error in the quiesce filter")
            if name:
                text = "Unexpected error; a freeze that may have begun is undone."
                return wsgi.Fault(exc.HTTPInternalServerError(explanation=text))
        return None

    @staticmethod
    def _asked(environ: dict[str, Any], leaf: str | None) -> tuple[str, Any]:
        """Find what a request asks of us, and with which argument; nothing if it is not for us."""
        method, body = environ["REQUEST_METHOD"], None
        if method == "GET" and leaf != "action":
            return ("show" if leaf else "discover"), None
        if method == "POST" and leaf == "action":
            raw = wsgi.Request(environ).body
            with contextlib.suppress(ValueError):
                body = json.loads(raw) if b"quiesce" in raw else None
        if not isinstance(body, dict) or not (ours := body.keys() & {"quiesce", "unquiesce"}):
            return "", None
        name = min(ours)
        if len(body) > 1:
            raise invalid(name, "must be the only action in the request")
        return name, body[name]

    def _context(self, environ: dict[str, Any], project: str | None) -> Any:
        context = environ.get("nova.context")
        if context is None or self.actions is None:
            raise exc.HTTPServiceUnavailable(explanation="The quiesce filter does not work; see the log.")
        if project and project != context.project_id:
            text = f"Malformed request URL: URL's project_id '{project}' doesn't match Context's project_id "
            raise exc.HTTPBadRequest(explanation=text + f"'{context.project_id}'")
        return context


_actions: list[Actions | None] = []


def factory(_global_conf: dict[str, str], **_local_conf: str) -> Callable[[App], QuiesceFilter]:
    """Make the filter; called by paste once per pipeline. Never fails: nova-api must start."""
    if not _actions:
        try:
            _actions.append(Actions())
        except Exception:
            LOG.exception("The quiesce filter cannot work; nova-api goes on without it")
            _actions.append(None)
    return lambda application: QuiesceFilter(application, _actions[0])
