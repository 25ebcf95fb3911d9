"""Nothing that is sent, and nothing that lies in the backup store, breaks the API, hangs it or makes it grow.

A few of each here; ``make fuzz`` takes 20,000 requests and 3,000 manifests (``FUZZ_REQUESTS``, ``FUZZ_MANIFESTS``).
The last line of each says the counts.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from api.conftest import ADMIN
from api.setup import MINE, operator
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from werkzeug.test import TestResponse

from multisite.domain.manifest import digest_of
from multisite.recovery import manifests
from tests.contract.served import APP, SERVICES, begin_anew, prepare, schema

REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "100"))
MANIFESTS = int(os.environ.get("FUZZ_MANIFESTS", "30"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
ROUNDS = 9
HANG = 5.0
"""Seconds an answer may take."""
GIVE_UP = 60
"""Seconds after which a request that has not been answered is stopped."""
GROWTH = 32 << 20
"""Bytes the process may be larger at the end than after a third of the requests."""


class Sent(Enum):
    """``DAMAGED``: text that was such a document once."""

    ALLOWED = schemathesis.GenerationMode.POSITIVE
    NOT_ALLOWED = schemathesis.GenerationMode.NEGATIVE
    DAMAGED = "damaged"


class Hangs(Exception):
    pass


@dataclass
class Tally:
    """``at``: the process's size after each hundred requests."""

    count: int = 0
    slowest: float = 0.0
    errors: list[str] = field(default_factory=list)
    hangs: list[str] = field(default_factory=list)
    at: list[int] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)

    @contextmanager
    def one(self, what: str) -> Iterator[None]:
        """Times a request, and stops it when it does not end."""
        begun, delayed = time.monotonic(), _delayed()
        signal.alarm(GIVE_UP)
        try:
            yield
            # What a thread has waited before counts for nothing, also when it has ended meanwhile.
            took = time.monotonic() - begun - (_delayed() - delayed).total() / 1e9
        except Hangs:
            took = float(GIVE_UP)
        finally:
            signal.alarm(0)
        self.count, self.slowest = self.count + 1, max(self.slowest, took)
        if took > HANG:
            self.hangs.append(self._told(f"{what}: {took:.1f} s"))
        if self.count % 100 == 0:
            self.at.append(_size())

    def judge(self, what: str, status: int, text: str, expected: set[str]) -> None:
        """A 5xx that is not described, or that says nothing but that it is our fault."""
        self.answers[status] += 1
        if status == 500 or (status > 500 and str(status) not in expected):
            self.errors.append(self._told(f"{what}: {status} {text[:300]}"))

    def _told(self, wrong: str) -> str:
        """At once: the end of all requests is far."""
        print(f"\nFUZZ request {self.count}: {wrong}", flush=True)
        return wrong

    def tell(self, what: str, last: pytest.Config) -> None:
        """Prints the figures, and the counts as what the run ends with."""
        thirds = [self.at[len(self.at) * n // 3 - 1] for n in (1, 2, 3)] if len(self.at) >= 3 else []
        sizes = ", ".join(f"{size >> 20}" for size in thirds) or "too few to tell"
        answers = ", ".join(f"{count} x {status}" for status, count in sorted(self.answers.items()))
        counts = (
            f"FUZZ {self.count} {what}: {len(self.errors)} server errors, {len(self.hangs)} over {HANG:.0f} s"
        )
        print(
            f"\n{what}: {answers}; slowest {self.slowest:.1f} s; MiB after each third: {sizes}; seed {SEED}"
        )
        last.add_cleanup(lambda: print(counts))
        assert (self.errors[:5], self.hangs[:5]) == ([], [])
        assert not thirds or thirds[2] - thirds[0] < GROWTH


def _delayed() -> Counter[str]:
    """Nanoseconds each thread has waited for a processor (proc(5): schedstat): others' work is no hang."""
    waited: Counter[str] = Counter()
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # it has ended
            waited[task.name] = int((task / "schedstat").read_text().split()[1])
    return waited


def _size() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(autouse=True)
def alarm() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise Hangs

    before = signal.signal(signal.SIGALRM, stop)
    yield
    signal.signal(signal.SIGALRM, before)


def test_requests(pytestconfig: pytest.Config) -> None:
    """Of every operation as many: with input the document allows, does not allow, and that is no such document.

    In rounds over all operations, so that a third of the requests is like the next one.
    """
    tally = Tally()
    operations = [found.ok() for found in schema.get_all_operations()]
    ways = [(operation, sent) for operation in operations for sent in Sent if _possible(operation, sent)]
    each = max(1, REQUESTS // len(ways) // ROUNDS)
    for number in itertools.count(SEED):
        for operation, sent in ways:
            _try(operation, sent, each, number, tally)
        if tally.count >= REQUESTS:
            break
    tally.tell("requests", pytestconfig)


def _possible(operation: Any, sent: Sent) -> bool:
    """Any text is allowed as an id: without a body or a query there is nothing wrong to send."""
    return bool(operation.body or (operation.query and sent is not Sent.DAMAGED) or sent is Sent.ALLOWED)


def _try(operation: Any, sent: Sent, count: int, seed: int, tally: Tally) -> None:
    expected, dice = set(operation.definition.raw["responses"]), random.Random(seed)
    damages = sent is Sent.DAMAGED
    mode = Sent.ALLOWED.value if damages else sent.value

    @seeded(seed)
    @settings(
        max_examples=count, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case: schemathesis.Case) -> None:
        refused = False
        prepare(case)
        body = {"data": damaged(json.dumps(case.body, default=str).encode(), dice)} if damages else {}
        what = f"{case.method} {case.formatted_path} {case.query} {str(body or case.body)[:200]}"
        with tally.one(what):
            answer = case.call(headers=ADMIN, **body)
            tally.judge(what, answer.status_code, answer.text, expected)
            refused = 400 <= answer.status_code < 500
        if case.method != "GET" and not refused:
            begin_anew()

    run()


def test_manifests(pytestconfig: pytest.Config) -> None:
    """Damaged, and signed all the same; the others are as they were."""
    begin_anew()
    client, tally, dice = APP.test_client(), Tally(), random.Random(SEED)
    point = SERVICES.of("restore_points")
    store = SERVICES.protections._manifests
    directory = store.path / "multisite" / "restore-points" / point.id
    good = (directory / manifests.MANIFEST).read_bytes()
    others = {p.id for p in SERVICES.protections.restore_points(operator(MINE))} - {point.id}
    order = {"restore_point": point.id, "target_site": "lyon", "mapping": {"source_is_fenced": True}}
    asked: list[tuple[str, str, Any]] = [
        ("GET", "/v1/restore-points", None),
        ("GET", f"/v1/restore-points/{point.id}", None),
        ("POST", "/v1/recoveries/preview", order),
        ("POST", "/v1/restore-points/rescan", None),
    ]
    for number in range(MANIFESTS):
        data = damaged(good, dice)
        (directory / manifests.MANIFEST).write_bytes(data)
        (directory / manifests.SIGNATURE).write_bytes(store.keys.sign(data))
        (directory / manifests.DIGEST).write_text(digest_of(data) + "\n")
        for method, path, body in asked:
            what = f"manifest {number}: {method} {path}"
            with tally.one(what):
                answer: TestResponse = client.open(path, method=method, json=body, headers=ADMIN)
                tally.judge(what, answer.status_code, answer.text, {"502", "503"})
        shown = {p["id"] for p in client.get("/v1/restore-points", headers=ADMIN).json["restore_points"]}
        assert others <= shown
    tally.tell(f"requests over {MANIFESTS} damaged manifests", pytestconfig)
    begin_anew()


ODD: list[Any] = [
    None, True, -1, 0, 1e308, 10**400, "", "x" * 10_000, "\x00", "\ud800", "../../etc", [], {}, [[]], {"": {}},
    "2026-11-28T17:00:00", "0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59-14:00",
]  # fmt: skip


def damaged(good: bytes, dice: random.Random) -> bytes:
    """A byte, a piece or a value of it is another."""
    at = dice.randrange(len(good))
    way = dice.randrange(6)
    if way == 0:
        return good[:at]
    if way == 1:
        return good[:at] + bytes([dice.randrange(256)]) + good[at + 1 :]
    if way == 2:
        return good[:at] + good[at : at + 200] * dice.randrange(2, 50) + good[at:]
    if way == 3:
        return good[:at] + b"[" * dice.randrange(1, 200_000) + good[at:]
    document = json.loads(good)
    for _ in range(dice.randrange(1, 4)):
        _change(document, dice)
    return json.dumps(document).encode()


def _change(document: Any, dice: random.Random) -> None:
    """One value somewhere in it: gone, odd, or in another's place."""
    here = document
    while True:
        keys: list[Any] = (
            list(here) if isinstance(here, dict) else list(range(len(here))) if isinstance(here, list) else []
        )
        if not keys:
            return
        key = dice.choice(keys)
        if not isinstance(here[key], dict | list) or not here[key] or dice.random() < 0.2:
            break
        here = here[key]
    if dice.random() < 0.2:
        del here[key]
    else:
        here[key] = deepcopy(dice.choice([*ODD, here[dice.choice(keys)]]))
