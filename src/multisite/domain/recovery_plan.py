"""Recovery plans: how an application is recovered in a site, said once and used for previews, recoveries and drills."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, Literal

from pydantic import Field

from multisite.domain.validation import Expression

WORDS_OF_THE_DAY = frozenset({"accept_loss", "accept_split", "source_is_fenced"})
"""Rules that no plan keeps: who recovers gives their word for what is so at that moment."""


OnFailure = Literal["pause", "continue"]
"""``pause``: the recovery rests until somebody resumes or undoes it; ``continue``: it goes on, and tells of it."""
Seconds = Annotated[float, Field(gt=0, le=24 * 3600.0)]
ServerRef = Annotated[str, Field(min_length=1, max_length=255)]


@dataclass(frozen=True)
class Gate:
    """What must be so at members of a group, once they are ready, before the next group boots.

    ``port``: a TCP connection is accepted, at the member's address in ``network`` (name or id of the source; None: its
    first), or, ``floating``, at the floating IP that leads there.  ``console``: a line matches ``match``.  ``agent``:
    the guest agent freezes and thaws the file systems.  ``members``: None: all of the group.
    """

    kind: Literal["port", "console", "agent"]
    timeout: Annotated[Seconds, Field(description="Seconds, from when the member is ready")] = 300.0
    members: tuple[ServerRef, ...] | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    network: ServerRef | None = None
    floating: bool = False
    match: Expression | None = None
    on_failure: OnFailure = "pause"

    def __str__(self) -> str:
        where = (
            "its floating IP" if self.floating else f"its address in {self.network or 'its first network'}"
        )
        what = {"port": f"port {self.port} of {where}", "console": f"console shows {self.match!r}"}
        after = "" if self.on_failure == "pause" else ", else goes on"
        return f"{what.get(self.kind, 'guest agent answers')} within {self.timeout:.0f} s{after}"


@dataclass(frozen=True)
class PlanGroup:
    """``members`` (servers, by name or id) boot at the same time, when the group before is ready, its gates passed."""

    name: str
    members: tuple[ServerRef, ...]
    gates: tuple[Gate, ...] = ()


ServerAction = Literal[
    "server-start",
    "server-stop",
    "server-reboot",
    "server-hard-reboot",
    "server-metadata",
    "server-tags",
]
MetadataKey = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[a-zA-Z0-9-_:. ]+$")]
MetadataValue = Annotated[str, Field(max_length=255)]
Tag = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\x00-\x20\x7f/,?#%]+$")]


When = Literal["before-recovery", "before-group", "after-group", "after-recovery", "before-undo"]


@dataclass(frozen=True)
class Hook:
    """What is done besides, at a named point: ask a URL, run a program of the administrator's, ask the operator, let
    Nova do something with recovered members.

    ``group``: that it is before or after.  ``before-undo``: of a recovery that was done.  ``body``: JSON whose texts
    may name ``{recovery}`` and the like; None: all that is known.  ``expect``: statuses; empty: 200 to 299.
    ``action``: of the ``members`` that are ready then (None: all), with ``metadata`` or ``tags``.
    """

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    kind: Literal["http", "command", "prompt", "openstack"]
    when: When
    group: str | None = None
    timeout: Annotated[float, Field(gt=0, le=3600.0, description="Seconds of one try")] = 60.0
    on_failure: OnFailure = "pause"
    in_drills: bool = False
    url: Annotated[str, Field(max_length=2000)] | None = None
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    body: dict[str, Any] | None = None
    expect: Annotated[tuple[Annotated[int, Field(ge=200, le=599)], ...], Field(max_length=20)] = ()
    retries: Annotated[int, Field(ge=0, le=10)] = 0
    command: Annotated[str, Field(max_length=64)] | None = None
    question: Annotated[str, Field(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")] | None = None
    action: ServerAction | None = None
    members: tuple[ServerRef, ...] | None = None
    metadata: Annotated[dict[MetadataKey, MetadataValue], Field(max_length=20)] = field(default_factory=dict)
    tags: Annotated[tuple[Tag, ...], Field(max_length=20)] = ()

    def __str__(self) -> str:
        what = {
            "http": f"{self.method} {self.url}",
            "command": f"run {self.command}",
            "prompt": f"ask: {self.question}",
            "openstack": f"{self.action} of {', '.join(self.members or ('all members that are ready',))}",
        }
        limit = "" if self.kind == "prompt" else f" within {self.timeout:.0f} s"
        after = "" if self.on_failure == "pause" else ", else goes on"
        return f"{what[self.kind]}{limit}{after}"


@dataclass(frozen=True)
class DnsRecord:
    """Addresses that a name gets when the recovery is done: those that ``members`` have then.

    Of each its address in ``network`` (name or id of the source; None: its first), or, ``floating``, the floating IP
    that leads there.  ``driver``: ``rfc2136`` updates a zone that the configuration lists, ``designate`` one of the
    project in the target's DNS service; ``none`` tells people what to set.
    """

    name: Annotated[str, Field(min_length=1, max_length=254)]
    members: tuple[ServerRef, ...]
    zone: Annotated[str, Field(min_length=1, max_length=254)] | None = None
    driver: Literal["rfc2136", "designate", "none"] = "rfc2136"
    type: Literal["A", "AAAA"] = "A"
    ttl: Annotated[int, Field(ge=0, le=7 * 86400, description="Seconds that others may keep it for")] = 60
    network: ServerRef | None = None
    floating: bool = False
    timeout: Annotated[float, Field(gt=0, le=3600.0, description="Seconds to wait for the server")] = 60.0
    on_failure: OnFailure = "pause"

    def __str__(self) -> str:
        return f"{self.name} {self.type}"


@dataclass(frozen=True)
class RecoveryPlan:
    """``mapping``: rules as a recovery takes them, but for those by which an operator vouches for something.

    ``groups``: in the order in which they boot; without, members boot in the application's order.
    ``dns``: the names that lead to its members then.
    ``application``: its name when the plan was made.  A plan outlives its application, as restore points do.
    """

    id: str
    name: str
    project_id: str
    application_id: str
    application: str
    target_site: str
    mapping: dict[str, Any] = field(default_factory=dict)
    groups: tuple[PlanGroup, ...] = ()
    hooks: tuple[Hook, ...] = ()
    dns: tuple[DnsRecord, ...] = ()
    description: str = ""
    created_at: datetime | None = None

    @property
    def digest(self) -> str:
        """Hex sha256 of what it makes of a recovery: another one, another recovery."""
        told = ("id", "name", "project_id", "application", "description", "created_at")
        what = {name: value for name, value in asdict(self).items() if name not in told}
        return sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
