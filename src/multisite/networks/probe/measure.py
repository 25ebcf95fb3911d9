"""Measuring an address: questions at a steady pace, and what came of them.  Unknown stays unknown."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from multisite.networks.probe.echo import Asker, CannotMeasure, Way, asker

Opens = Callable[[str, Way], Asker]


@dataclass(frozen=True)
class Report:
    """``loss`` is a share (0 to 1), times are milliseconds, gaps seconds; None: unknown, and ``unknown`` says why.

    ``longest_gap`` is the longest time without an answer: between two answers, or since the first question, or until
    the last.  It includes one interval that passes between any two answers: subtract ``interval`` for the outage.
    """

    address: str
    way: str
    interval: float
    sent: int = 0
    received: int = 0
    loss: float | None = None
    min_ms: float | None = None
    median_ms: float | None = None
    p99_ms: float | None = None
    longest_gap: float | None = None
    answered: tuple[int, ...] = field(default=(), repr=False)
    unknown: str = ""

    @property
    def outage(self) -> float | None:
        """Seconds the address was away at most once: the longest gap beyond the pace of the questions."""
        return None if self.longest_gap is None else max(0.0, round(self.longest_gap - self.interval, 3))


@dataclass
class _Tally:
    sent: dict[int, float] = field(default_factory=dict)
    rtts: list[float] = field(default_factory=list)
    got: set[int] = field(default_factory=set)
    last: float = 0.0
    gap: float = 0.0

    def take(self, number: int, at: float, timeout: float) -> bool:
        """One answer; False when it came twice, or too late."""
        rtt = at - self.sent.get(number, at + 1)
        if number in self.got or number not in self.sent or rtt > timeout:
            return False
        self.got.add(number)
        self.rtts.append(rtt * 1000)
        self.gap = max(self.gap, at - self.last)
        self.last = at
        return True


def measure(
    address: str,
    how: Way,
    *,
    count: int | None = 10,
    interval: float = 0.2,
    timeout: float = 1.0,
    stop: Callable[[], bool] = lambda: False,
    seen: Callable[[int, float | None], None] = lambda _number, _rtt: None,
    opens: Opens = asker,
) -> Report:
    """Ask ``count`` times (None: until ``stop()``), every ``interval`` seconds; an answer counts within ``timeout``.

    ``seen`` is told of each answer as it arrives (number, seconds), and of each question given up (None).  Never
    raises for the network's sake: what could not be measured is ``unknown``.
    """
    tally = _Tally()
    try:
        here = opens(address, how)
    except CannotMeasure as error:
        return Report(address, str(how), interval, unknown=str(error))
    try:
        _ask_all(here, tally, (count, interval, timeout), stop, seen)
    except CannotMeasure as error:
        return _report(address, how, interval, tally, str(error))
    finally:
        here.close()
    return _report(address, how, interval, tally)


def _ask_all(
    here: Asker,
    tally: _Tally,
    pace: tuple[int | None, float, float],
    stop: Callable[[], bool],
    seen: Callable[[int, float | None], None],
) -> None:
    count, interval, timeout = pace
    begun = tally.last = time.monotonic()
    number, given_up = 0, 0
    while (count is None or number < count) and not stop():
        tally.sent[number] = time.monotonic()
        here.ask(number)
        number += 1
        _listen(here, tally, begun + number * interval, timeout, seen, complete=None)
        while given_up < number and time.monotonic() - tally.sent[given_up] > timeout:
            if given_up not in tally.got:
                seen(given_up, None)
            given_up += 1
    _listen(here, tally, time.monotonic() + timeout, timeout, seen, complete=number)
    if len(tally.got) < number:  # the end of it was without an answer
        tally.gap = max(tally.gap, max(tally.sent.values(), default=begun) - tally.last)


def _listen(
    here: Asker,
    tally: _Tally,
    until: float,
    timeout: float,
    seen: Callable[[int, float | None], None],
    *,
    complete: int | None,
) -> None:
    while (left := until - time.monotonic()) > 0 and (complete is None or len(tally.got) < complete):
        for number, at in here.answers(left):
            if tally.take(number, at, timeout):
                seen(number, at - tally.sent[number])


def _report(address: str, how: Way, interval: float, tally: _Tally, unknown: str = "") -> Report:
    sent, rtts = len(tally.sent), sorted(tally.rtts)
    if unknown or not sent:
        return Report(address, str(how), interval, sent, len(rtts), unknown=unknown or "nothing was sent")
    times = (None, None, None)
    if rtts:
        p99 = rtts[min(len(rtts) - 1, int(0.99 * len(rtts)))]
        times = (round(rtts[0], 3), round(statistics.median(rtts), 3), round(p99, 3))  # type: ignore[assignment]
    loss = round(1 - len(rtts) / sent, 4)
    return Report(
        address, str(how), interval, sent, len(rtts), loss, *times, round(tally.gap, 3), tuple(sorted(tally.got))
    )  # fmt: skip


def answers(address: str, how: Way, *, tries: int = 3, opens: Opens = asker) -> bool | None:
    """Whether anybody answers there now: the first answer of a few questions decides; None when it is unknown."""
    heard: list[int] = []

    def seen(number: int, rtt: float | None) -> None:
        if rtt is not None:
            heard.append(number)

    report = measure(
        address,
        how,
        count=tries,
        interval=0.25,
        timeout=0.5,
        stop=lambda: bool(heard),
        seen=seen,
        opens=opens,
    )
    if heard or report.received:
        return True
    return None if report.unknown else False
