"""What is to fail: rules as data, and which rule a request falls under."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

FAULTS = {
    "delay": "forwarded after `seconds`",
    "drop": "connection closed, the request never forwarded",
    "hang": "never answered, never forwarded",
    "error": "answered with `status` (500, 503 ...), never forwarded",
    "late-success": "forwarded; its answer is lost as `answer` says",
    "late-effect": "answered 504 at once, forwarded after `seconds`",
    "stale": "a GET answered with the last body that URL gave before; forwarded when there was none",
    "unauthorized": "answered 401 as for an expired token, never forwarded",
}
ANSWERS = ("cut", "504", "hang")
CUTS = ("refuse", "hang")


class BadRule(ValueError):
    """A rule that means nothing; the message names the field."""


@dataclass(frozen=True)
class Rule:
    """One fault and the requests it is for.

    ``service`` as in the routes ("nova"), ``method`` ("POST"), ``path`` a regular expression searched in the
    path without its query, as the service sees it.  ``nth``: which of the matching requests, 1 the first; empty
    means every.  ``number``: requests by their number in the log.  ``seconds`` for delay and late-effect;
    ``status`` and ``request_id`` (whether the answer carries one, so whether a service gave it or a balancer
    in front of it) for error; ``answer`` for late-success.
    """

    fault: str
    service: str | None = None
    method: str | None = None
    path: str = ""
    nth: tuple[int, ...] = ()
    number: tuple[int, ...] = ()
    seconds: float = 0.0
    status: int = 503
    request_id: bool = False
    answer: str = "cut"

    def __post_init__(self) -> None:
        if self.fault not in FAULTS:
            raise BadRule(f"fault: {self.fault!r} is none of {', '.join(FAULTS)}")
        if self.answer not in ANSWERS:
            raise BadRule(f"answer: {self.answer!r} is none of {', '.join(ANSWERS)}")
        if not 400 <= self.status <= 599:
            raise BadRule(f"status: {self.status} is no error")
        try:
            re.compile(self.path)
        except re.error as error:
            raise BadRule(f"path: {self.path!r} is not a regular expression: {error}") from error

    def fits(self, service: str, method: str, path: str) -> bool:
        """Whether a request is of the kind this rule is for, whichever one of them."""
        return (
            self.service in (None, service)
            and self.method in (None, method)
            and re.search(self.path, path) is not None
        )


class Rulebook:
    """The rules in force, and how many requests each has met.  Usable from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._met: dict[Rule, int] = {}

    def replace(self, rules: Iterable[Rule], *, keep: bool = False) -> None:
        """Other rules from now on; with ``keep`` a rule that was there already goes on counting."""
        with self._lock:
            self._met = {rule: self._met.get(rule, 0) if keep else 0 for rule in rules}

    def choose(self, number: int, service: str, method: str, path: str) -> Rule | None:
        """The first rule that is for this request.  Every rule it fits counts it, also when another acts."""
        chosen = None
        with self._lock:
            for rule in self._met:
                if not rule.fits(service, method, path):
                    continue
                self._met[rule] += 1
                wanted = (not rule.nth or self._met[rule] in rule.nth) and (
                    not rule.number or number in rule.number
                )
                chosen = chosen or (rule if wanted else None)
        return chosen

    def met(self, rule: Rule) -> int:
        """How many requests a rule has fitted so far."""
        with self._lock:
            return self._met.get(rule, 0)


@dataclass(frozen=True)
class Orders:
    """What a control file says about one site."""

    rules: tuple[Rule, ...] = ()
    cut: str | None = None


def parse(text: str) -> dict[str, Orders]:
    """``{"site1": {"cut": null, "rules": [{"fault": ..., ...}]}}``; BadRule names what is wrong."""
    try:
        content = json.loads(text or "{}")
    except ValueError as error:
        raise BadRule(f"not JSON: {error}") from error
    if not isinstance(content, dict):
        raise BadRule("not an object with a member per site")
    return {site: _orders(site, said) for site, said in content.items()}


def _orders(site: str, said: Any) -> Orders:
    if not isinstance(said, dict) or said.keys() - {"rules", "cut"}:
        raise BadRule(f"{site}: has other members than rules and cut")
    cut = said.get("cut")
    if cut not in (None, *CUTS):
        raise BadRule(f"{site}: cut: {cut!r} is none of {', '.join(CUTS)}")
    return Orders(tuple(_rule(one) for one in said.get("rules", ())), cut)


def _rule(said: Mapping[str, Any]) -> Rule:
    known = {field.name for field in fields(Rule)}
    if "fault" not in said or said.keys() - known:
        raise BadRule(f"rule: {dict(said)} needs fault and may have {', '.join(sorted(known))}")
    values = dict(said)
    for name in ("nth", "number"):
        given = values.get(name, ())
        values[name] = (given,) if isinstance(given, int) else tuple(given)
    return Rule(**values)
