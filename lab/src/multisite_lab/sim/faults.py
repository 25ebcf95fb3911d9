"""Scripted faults: which request is struck, and how."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import Literal, get_args

Kind = Literal["error", "lost", "late", "stale", "partial", "token", "delay"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass
class Rule:
    """A fault for the ``nth`` matching request and the ``times - 1`` after it.

    | kind | what happens |
    |---|---|
    | ``error`` | nothing but the answer ``status`` |
    | ``lost`` | the effect, then ``status`` |
    | ``late`` | ``status`` now, the effect after ``seconds`` |
    | ``stale`` | a read shows the state from before the last change anybody asked for |
    | ``partial`` | a list shows its first ``keep`` rows only, and tells of no more |
    | ``token`` | 401: the token is not valid any more |
    | ``delay`` | effect and answer as usual, the answer ``seconds`` later |

    ``status`` None cuts the connection instead of answering.  ``service`` and ``method`` "" match any;
    ``path`` is searched for in the path behind the service's version; actions are told apart by their name
    behind it: ``/action#quiesce``.  ``template`` is the whole path as the log has it (``/volumes/{id}``), "" any.
    """

    kind: Kind
    service: str = ""
    method: str = ""
    path: str = ""
    template: str = ""
    nth: int = 1
    times: int = 1
    status: int | None = None
    seconds: float = 0.2
    keep: int = 0
    seen: int = 0
    struck: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind: {self.kind!r} is not one of {', '.join(KINDS)}")
        if self.nth < 1 or self.times < 1:
            raise ValueError("nth, times: begin with 1")
        re.compile(self.path)

    def strikes(self, service: str, method: str, path: str, template: str = "") -> bool:
        """Count the request if it matches; whether it is one of those that are struck."""
        if self.service not in ("", service) or self.method not in ("", method):
            return False
        if self.template not in ("", template):
            return False
        if not re.search(self.path, path):
            return False
        self.seen += 1
        hit = self.nth <= self.seen < self.nth + self.times
        self.struck += hit
        return hit


@dataclass(frozen=True)
class Seen:
    """A request as it was logged, ids left out of its path.

    ``status`` None: the connection was cut; ``fault``: what struck it; ``known`` False: the simulation does
    not offer this call.  ``rows``: how many a list showed, None when the answer was no list.  ``subject``: the
    id that was in its path, "" when there was none.
    """

    service: str
    method: str
    path: str
    status: int | None
    at: float
    fault: str | None = None
    known: bool = True
    rows: int | None = None
    subject: str = ""

    @property
    def call(self) -> tuple[str, str, str]:
        return self.service, self.method, self.path


@dataclass
class Script:
    """The rules of a site, and the log of every request it was sent."""

    rules: list[Rule] = field(default_factory=list)
    log: list[Seen] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, rule: Rule) -> Rule:
        with self._lock:
            self.rules.append(rule)
        return rule

    def clear(self) -> None:
        """Forget the rules; the log stays."""
        with self._lock:
            self.rules.clear()

    def struck_by(self, service: str, method: str, path: str, template: str = "") -> Rule | None:
        """The first rule that strikes this request; all that match count it."""
        with self._lock:
            hits = [rule for rule in self.rules if rule.strikes(service, method, path, template)]
        return hits[0] if hits else None

    def forget(self) -> None:
        """Begin anew: no rules, and an empty log."""
        with self._lock:
            self.rules.clear()
            self.log.clear()

    def note(self, seen: Seen) -> None:
        with self._lock:
            self.log.append(seen)

    def calls(self) -> list[tuple[str, str, str]]:
        """The distinct calls so far, (service, method, path with ids left out), in order."""
        with self._lock:
            return list(dict.fromkeys(seen.call for seen in self.log))
