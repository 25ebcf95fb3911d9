"""The quiesce filter in front of nova-api (plugins/nova): freeze, thaw, tell; and the limit it keeps.

A guest's agent is "ok", "dead" (every attempt fails at once), "hung" (no attempt is answered) or "absent"
(the image never promised one).
"""

from __future__ import annotations

from typing import Any

from multisite_lab.sim import guest
from multisite_lab.sim.clock import filter_time
from multisite_lab.sim.model import Freeze, Row, Server, Sim
from multisite_lab.sim.nova.servers import find
from multisite_lab.sim.wire import Answer, ApiError, Ask, Route, fault, ok

DEFAULT_TIMEOUT = 30
DEAD = "Guest agent is not responding: Guest agent is not available for the domain"
ABSENT = "QEMU guest agent is not enabled"


def discover(sim: Sim, _ask: Ask) -> Answer:
    """For every user."""
    document = {
        "version": "1.0",
        "supported": sim.settings.watcher,
        "default_timeout": DEFAULT_TIMEOUT,
        "max_timeout": sim.settings.longest_freeze,
        "freeze_timeout": sim.settings.freeze_timeout,
    }
    return ok({"multisite_quiesce": document})


def show(sim: Sim, ask: Ask) -> Answer:
    server = _server(sim, ask, "show")
    freeze = server.freeze
    row: Row = {
        "server_id": server.id,
        "state": freeze.state,
        "expired": freeze.expired,
        "timeout": freeze.timeout,
    }
    return ok({"quiesce": row | _times(freeze, "frozen_at", "thaw_at", "thawed_at")})


def _times(freeze: Freeze, *names: str) -> Row:
    return {name: filter_time(getattr(freeze, name)) for name in names}


def _server(sim: Sim, ask: Ask, rule: str) -> Server:
    server = find(sim, ask.ids["id"], ask)
    if not {"admin", "service"} & set(ask.account.roles):
        raise fault(403, f"Policy doesn't allow os_compute_api:multisite:{rule} to be performed.")
    return server


def _invalid(field: str, rule: str) -> ApiError:
    return fault(400, f"Invalid input for field '{field}': {rule}")


def _timeout(sim: Sim, argument: Any) -> int:
    argument = {} if argument is None else argument
    if not isinstance(argument, dict):
        raise _invalid("quiesce", "must be null or an object")
    if unknown := sorted(set(argument) - {"timeout"}):
        raise _invalid(unknown[0], "is not known")
    timeout = argument.get("timeout", DEFAULT_TIMEOUT)
    if type(timeout) is not int or not 1 <= timeout <= sim.settings.longest_freeze:
        raise _invalid("timeout", f"must be an integer from 1 to {sim.settings.longest_freeze}")
    return timeout


def quiesce(sim: Sim, ask: Ask, argument: Any) -> Answer:
    """Freeze, once the guest has confirmed it; 409 for every reason it does not."""
    timeout, server = _timeout(sim, argument), _server(sim, ask, "quiesce")
    if not sim.settings.watcher:
        raise fault(503, "This nova-api cannot limit a freeze.")
    if server.status != "ACTIVE" or server.task_state:
        state = ", ".join(filter(None, (server.status.lower(), server.task_state)))
        raise fault(409, f"Cannot 'quiesce' server {server.id} while it is {state}")
    last = server.freeze
    if last.state == "thawing":
        said = f"The server still has to be thawed after the freeze of request {last.request_id}."
        raise fault(409, said)
    if last.state != "thawed":
        raise fault(409, f"The server is {last.state} already, by request {last.request_id}.")
    if server.agent == "absent":
        raise fault(409, ABSENT)
    freeze = server.freeze = Freeze("frozen", last.number + 1, timeout, request_id=ask.request_id)
    if server.agent != "ok":
        return _not_confirmed(sim, server)
    guest.park(sim, server)
    freeze.frozen_at, freeze.thaw_at = sim.now, sim.now + timeout
    sim.after(timeout, lambda: _limit(sim, server.id, freeze.number), watch=True)
    row: Row = {"server_id": server.id, "timeout": timeout, **_times(freeze, "frozen_at", "thaw_at")}
    return ok({"quiesce": row}, seconds=sim.settings.freeze)


def _not_confirmed(sim: Sim, server: Server) -> Answer:
    """A freeze nobody confirmed is undone, again and again until the agent says so."""
    server.freeze.state = "thawing"
    if server.agent == "dead":
        raise fault(409, DEAD)
    seconds = sim.settings.freeze_timeout
    error = fault(
        409,
        f"The guest did not confirm the freeze within {seconds} seconds: its agent or the nova-compute of "
        "its host does not answer. It is thawed as soon as that is possible.",
    )
    return Answer(409, error.answer.body, seconds=seconds)


def agent(sim: Sim, server: Server, state: str) -> None:
    """The agent dies, hangs, or comes back: what is still to be thawed then is."""
    if state not in ("ok", "dead", "hung", "absent"):
        raise ValueError(f"agent: {state!r} is not ok, dead, hung or absent")
    server.agent = state  # type: ignore[assignment]  # checked above
    if state == "ok" and server.freeze.state == "thawing":
        _thawed(sim, server)


def _limit(sim: Sim, server_id: str, number: int) -> None:
    """The limit of a freeze is over; of an old freeze that is nothing to a newer one."""
    server = sim.state.servers.get(server_id)
    if server is None or not sim.settings.watcher:
        return
    if server.freeze.number == number and server.freeze.state == "frozen":
        server.freeze.expired = True
        if server.agent == "ok":
            _thawed(sim, server)
        else:
            server.freeze.state = "thawing"


def _thawed(sim: Sim, server: Server) -> None:
    guest.go_on(sim, server)
    server.freeze.state = "thawed"
    server.freeze.thawed_at = server.freeze.thawed_at or sim.now


def unquiesce(sim: Sim, ask: Ask, argument: Any) -> Answer:
    """Thaw, frozen or not; what a freeze came to is told until the next."""
    if argument not in (None, {}):
        raise _invalid("unquiesce", "must be null")
    server = _server(sim, ask, "unquiesce")
    idle, confirmed = server.freeze.state == "thawed", server.agent == "ok"
    if not idle and not confirmed and server.status == "ACTIVE":
        server.freeze.state = "thawing"
        reason = (
            DEAD
            if server.agent == "dead"
            else (f"The guest did not confirm the thaw within {sim.settings.freeze_timeout} seconds.")
        )
        raise fault(409, f"Not thawed for certain yet, attempts go on: {reason}")
    if not idle:
        _thawed(sim, server)
    elif server.freeze.thawed_at is None:
        server.freeze.thawed_at = sim.now
    freeze = server.freeze
    row: Row = {"server_id": server.id, **_times(freeze, "frozen_at", "thawed_at")}
    row |= {"expired": freeze.expired, "state": freeze.state, "confirmed": confirmed}
    return ok({"unquiesce": row}, seconds=sim.settings.freeze)


ACTIONS = {"quiesce": quiesce, "unquiesce": unquiesce}
ROUTES = (
    Route("GET", "/os-multisite-quiesce", discover),
    Route("GET", "/servers/{id}/os-multisite-quiesce", show),
)
