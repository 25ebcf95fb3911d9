"""Talking to a site's supervisor."""

from __future__ import annotations

import xmlrpc.client
from dataclasses import dataclass
from typing import Any, cast

from supervisor.xmlrpc import SupervisorTransport

from multisite_lab.model import LabError, Machine

_ALREADY_STARTED = 60
_NOT_RUNNING = 70


@dataclass(frozen=True)
class Program:
    """What the supervisor knows about one program; `pid` is its number inside the site."""

    name: str
    state: str
    pid: int
    why: str

    @property
    def running(self) -> bool:
        """Whether it runs or is being started."""
        return self.state in ("RUNNING", "STARTING")


class Supervisor:
    """The supervisor of one site or host."""

    def __init__(self, site: Machine) -> None:
        self._site = site
        transport = SupervisorTransport(None, None, f"unix://{site.supervisor_socket}")
        # The address is never used: the transport goes to the socket.
        self._rpc = cast(Any, xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)).supervisor

    def programs(self) -> dict[str, Program]:
        """State of every program."""
        rows = self._call("getAllProcessInfo")
        found = [
            Program(r["name"], r["statename"], r["pid"], r["spawnerr"] or r["description"]) for r in rows
        ]
        return {program.name: program for program in found}

    def start(self, name: str, wait: bool = False) -> None:
        """Start a program; no error when it runs already."""
        self._call("startProcess", name, wait, accept=_ALREADY_STARTED)

    def stop(self, name: str, wait: bool = True) -> None:
        """Stop a program and its group; no error when it does not run."""
        self._call("stopProcess", name, wait, accept=_NOT_RUNNING)

    def answers(self) -> bool:
        """Whether the supervisor is there at all."""
        try:
            self._rpc.getState()
        except (OSError, xmlrpc.client.Error):
            return False
        return True

    def _call(self, method: str, *arguments: Any, accept: int | None = None) -> Any:
        try:
            return getattr(self._rpc, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == accept:
                return None
            text = f"{self._site.name}: supervisor says {fault.faultString} to {method}{arguments}"
            raise LabError(text) from None
        except OSError as error:
            raise LabError(f"{self._site.name}: its supervisor does not answer ({error})") from None
