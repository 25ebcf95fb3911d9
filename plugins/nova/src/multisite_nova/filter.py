# SPDX-License-Identifier: Apache-2.0
"""The paste filter: server actions quiesce and unquiesce in front of nova-api; all else passes untouched."""

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


def iso(seconds: float) -> str | None:
    """Write a time as ISO 8601 in UTC; nothing for one that is not known."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z") if seconds else None


def reply(server: str, name: str, **values: Any) -> webob.Response:
    """Put values into the body of an answer, times in words."""
    readable = {key: iso(value) if key.endswith("_at") else value for key, value in values.items()}
    return webob.Response(json_body={name: {"server_id": server, **readable}})


def invalid(field: str, rule: str) -> exc.HTTPBadRequest:
    """Say which field of a body is wrong, much as Nova does."""
    return exc.HTTPBadRequest(explanation=f"Invalid input for field '{field}': {rule}")


class Service:
    """What the requests need, made once per process; making it starts the watcher."""

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


class QuiesceFilter:
    """One filter in the pipeline."""

    def __init__(self, application: App, service: Service | None) -> None:
        self.application = application
        self.service = service

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer what is ours, hand on the rest."""
        return (self._answer(environ) or self.application)(environ, start_response)

    def _answer(self, environ: dict[str, Any]) -> App | None:
        match = PATH.match(environ.get("PATH_INFO", ""))
        handler = None
        try:
            if match and (handler := self._handler(environ, match["server"], match["leaf"])):
                return handler(self._context(environ, match["project"]))
        except exc.HTTPException as error:
            return wsgi.Fault(error)
        except exception.Forbidden as error:
            return wsgi.Fault(exc.HTTPForbidden(explanation=error.format_message()))
        except exception.NotFound as error:
            return wsgi.Fault(exc.HTTPNotFound(explanation=error.format_message()))
        except Exception:
            LOG.exception("Unexpected error in the quiesce filter")
            if handler:
                text = "Unexpected error; a freeze that may have begun is undone."
                return wsgi.Fault(exc.HTTPInternalServerError(explanation=text))
        return None

    def _handler(self, environ: dict[str, Any], server: str, leaf: str) -> Callable[[Any], App] | None:
        """Find what a request asks of us, if anything."""
        method = environ["REQUEST_METHOD"]
        if method == "POST" and leaf == "action":
            action, argument = self._action(wsgi.Request(environ))
            perform = {"quiesce": self._quiesce, "unquiesce": self._unquiesce}.get(action)
            return perform and (lambda context: perform(context, server, argument))
        if method == "GET" and leaf != "action":
            return (lambda context: self._show(context, server)) if leaf else self._discover
        return None

    @staticmethod
    def _action(request: wsgi.Request) -> tuple[str, Any]:
        try:
            body = json.loads(request.body) if b"quiesce" in request.body else None
        except ValueError:
            body = None
        ours = [key for key in ("quiesce", "unquiesce") if isinstance(body, dict) and key in body]
        if not ours:
            return "", None
        if len(body) > 1:
            raise invalid(ours[0], "must be the only action in the request")
        return ours[0], body[ours[0]]

    def _context(self, environ: dict[str, Any], project: str | None) -> Any:
        context = environ.get("nova.context")
        if context is None or self.service is None:
            raise exc.HTTPServiceUnavailable(
                explanation="The quiesce filter is out of order; see nova-api's log."
            )
        if project and project != context.project_id:
            text = f"Malformed request URL: URL's project_id '{project}' doesn't match Context's project_id "
            raise exc.HTTPBadRequest(explanation=text + f"'{context.project_id}'")
        return context

    def _server(self, context: Any, uuid: str, rule: str) -> Any:
        server = common.get_instance(self.service.servers, context, uuid, expected_attrs=["flavor"])
        self.service.policy.register()
        target = {"project_id": server.project_id, "user_id": server.user_id}
        context.can(self.service.policy.BASE % rule, target=target)
        return server

    def _timeout(self, argument: Any) -> int:
        limits = self.service.limits
        argument = {} if argument is None else argument
        if not isinstance(argument, dict):
            raise invalid("quiesce", "must be null or an object")
        if unknown := sorted(set(argument) - {"timeout"}):
            raise invalid(unknown[0], "is not known")
        timeout = argument.get("timeout", limits.default_timeout)
        if type(timeout) is not int or not 1 <= timeout <= limits.max_timeout:
            raise invalid("timeout", f"must be an integer from 1 to {limits.max_timeout}")
        return timeout

    def _quiesce(self, context: Any, uuid: str, argument: Any) -> App:
        timeout = self._timeout(argument)
        server = self._server(context, uuid, "quiesce")
        if not self.service.watcher.healthy():
            raise exc.HTTPServiceUnavailable(
                explanation="This nova-api cannot keep the time limit of a freeze."
            )
        if server.vm_state != "active" or server.task_state or not server.host:
            state = ", ".join(filter(None, (server.vm_state, server.task_state)))
            raise exc.HTTPConflict(explanation=f"Cannot 'quiesce' server {uuid} while it is {state}")
        try:
            record = self.service.watcher.freeze(server, timeout, context.request_id)
        except self.service.thaw.Conflict as conflict:
            raise exc.HTTPConflict(explanation=str(conflict)) from conflict
        return reply(uuid, "quiesce", frozen_at=record.frozen_at, thaw_at=record.thaw_at, timeout=timeout)

    def _unquiesce(self, context: Any, uuid: str, argument: Any) -> App:
        if argument not in (None, {}):
            raise invalid("unquiesce", "must be null")
        self._server(context, uuid, "unquiesce")
        record, error = self.service.watcher.thaw(uuid, context.request_id)
        if record.pending:
            reason = self.service.guest.reason_of(error) if error else "an earlier freeze may still come."
            raise exc.HTTPConflict(explanation=f"Not thawed for certain yet, attempts go on: {reason}")
        fields = ("frozen_at", "thawed_at", "expired", "state")
        values = {name: getattr(record, name) for name in fields}
        return reply(uuid, "unquiesce", **values, confirmed=error is None)

    def _show(self, context: Any, uuid: str) -> App:
        self._server(context, uuid, "show")
        record = self.service.records.get(self.service.guest.cell_context(uuid, context.request_id), uuid)
        known = {
            "state": "thawed",
            "expired": False,
            "timeout": None,
            "frozen_at": 0,
            "thaw_at": 0,
            "thawed_at": 0,
        }
        return reply(uuid, "quiesce", **{name: getattr(record, name, value) for name, value in known.items()})

    def _discover(self, _context: Any) -> App:
        document: dict[str, Any] = {"version": API_VERSION, "supported": self.service.watcher.healthy()}
        for name in ("default_timeout", "max_timeout", "freeze_timeout"):
            document[name] = self.service.limits[name]
        return webob.Response(json_body={"multisite_quiesce": document})


_service: list[Service | None] = []


def factory(_global_conf: dict[str, str], **_local_conf: str) -> Callable[[App], QuiesceFilter]:
    """Make the filter; called by paste once per pipeline. Never fails: nova-api must start."""
    if not _service:
        try:
            _service.append(Service())
        except Exception:
            LOG.exception("The quiesce filter cannot work; nova-api goes on without it")
            _service.append(None)
    return lambda application: QuiesceFilter(application, _service[0])
