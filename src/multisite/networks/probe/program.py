"""``multisite-probe``: measure an address from where this runs, or answer such measurements.

On a network node of the site that serves DHCP for a stretched network it measures within that, from its namespace::

    ip netns exec qdhcp-<network id> multisite-probe icmp 10.0.0.12 --count 50

and inside a guest, or beside one, over an L3 path.  It needs Python alone: ``python3 -m multisite.networks.probe``.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict

from multisite.networks.probe.echo import answer_udp, way
from multisite.networks.probe.measure import Report, measure

LOST, UNKNOWN = 1, 2
"""Exit statuses: some questions were not answered; nothing could be measured."""


def main(argv: Sequence[str] | None = None) -> int:
    """0: every question was answered; see ``LOST`` and ``UNKNOWN``."""
    parser = _parser()
    words = parser.parse_args(argv)
    if words.way != "answer" and words.address is None:
        parser.error("address: say whom to ask")
    if words.way == "answer":
        stop = None if words.seconds is None else time.monotonic() + words.seconds
        sys.stdout.write(f"answered {answer_udp(words.bind, words.port, stop)}\n")
        return 0
    report = _measured(words)
    sys.stdout.write(json.dumps(shown(report)) + "\n" if words.json else f"{sentence(report)}\n")
    return UNKNOWN if report.unknown else LOST if report.received < report.sent else 0


def _measured(words: argparse.Namespace) -> Report:
    began = time.monotonic()

    def seen(number: int, rtt: float | None) -> None:
        if words.follow:
            what = "no answer" if rtt is None else f"{rtt * 1000:.1f} ms"
            sys.stderr.write(f"[{time.monotonic() - began:8.3f} s] {number} {what}\n")

    stopped: list[int] = []
    signal.signal(
        signal.SIGINT, lambda number, _frame: stopped.append(number)
    )  # what was measured is still told
    return measure(
        words.address,
        words.way,
        count=None if words.follow else words.count,
        interval=words.interval,
        timeout=words.timeout,
        stop=lambda: (
            bool(stopped) or (words.seconds is not None and time.monotonic() - began > words.seconds)
        ),
        seen=seen,
    )


def shown(report: Report) -> dict[str, object]:
    """A report as JSON has it; which questions were answered is left out."""
    found = asdict(report) | {"outage": report.outage}
    del found["answered"]
    return found


def sentence(report: Report) -> str:
    """A report for people, in one line."""
    if report.unknown:
        return f"{report.address} {report.way}: unknown: {report.unknown}"
    times = (
        "no answer"
        if report.min_ms is None
        else f"min {report.min_ms:.1f} median {report.median_ms:.1f} p99 {report.p99_ms:.1f} ms"
    )
    return (
        f"{report.address} {report.way}: {report.received} of {report.sent} answered, loss "
        f"{100 * (report.loss or 0):.1f} %, {times}, "
        f"longest time without an answer {report.longest_gap:.3f} s (outage {report.outage:.3f} s)"
    )


def _way(text: str) -> object:
    if text == "answer":
        return text
    try:
        return way(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not an IP address") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "multisite-probe", description="Measure loss, latency and outage of an address"
    )
    parser.add_argument("way", type=_way, help="icmp, tcp:<port>, udp:<port>; or answer (a UDP echo service)")
    parser.add_argument("address", type=_address, nargs="?", help="Whom to ask")
    parser.add_argument("--count", type=int, default=20, help="Questions (default 20)")
    parser.add_argument(
        "--interval", type=float, default=0.2, help="Seconds between two questions (default 0.2)"
    )
    parser.add_argument("--timeout", type=float, default=1.0, help="Seconds an answer may take (default 1)")
    parser.add_argument("--follow", action="store_true", help="Go on until stopped, a line per question")
    parser.add_argument("--seconds", type=float, help="Stop after so long")
    parser.add_argument("--json", action="store_true", help="The report as JSON")
    parser.add_argument("--bind", default="0.0.0.0", help="answer: address to listen on")  # noqa: S104 - asked for
    parser.add_argument("--port", type=int, default=8789, help="answer: port to listen on (default 8789)")
    return parser
