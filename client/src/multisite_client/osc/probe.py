"""``openstack multisite probe``: loss, latency and outage of an address."""

from __future__ import annotations

import argparse
import ipaddress
import signal
import time
from typing import Any

from osc_lib.exceptions import CommandError

from multisite_client.osc import findings
from multisite_client.osc.base import Row, ShowOne, shown
from multisite_client.osc.service_package import needs_service_package

"""Exit statuses: some probes were not answered; nothing could be measured."""
_ORDER = (
    "address", "way", "sent", "received", "loss", "min_ms", "median_ms", "p99_ms", "longest_gap", "outage", "interval",
    "unknown",
)  # fmt: skip


class Probe(ShowOne):
    """Measure loss, latency and outage of an address: from where the service runs, or (--here, --follow) from here

    Exit status 1 when something was lost, 2 when nothing could be measured.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("target", metavar="<target>", help="IP address, or a moving address (name or id)")
        parser.add_argument(
            "--way", metavar="<way>", help="icmp, tcp:<port>, udp:<port> (default: the address's, or icmp)"
        )
        parser.add_argument(
            "--count", type=int, default=20, metavar="<n>", help="Number of probes (default 20)"
        )
        parser.add_argument(
            "--interval",
            type=float,
            default=0.2,
            metavar="<s>",
            help="Seconds between two probes (default 0.2)",
        )
        parser.add_argument(
            "--timeout",
            type=float,
            default=1.0,
            metavar="<s>",
            help="Seconds to wait for a reply (default 1)",
        )
        parser.add_argument("--here", action="store_true", help="Measure from this machine")
        parser.add_argument(
            "--follow",
            action="store_true",
            help="Measure from this machine until Ctrl-C; prints every change, then the outage",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        target, how = self._target(parsed_args)
        if parsed_args.here or parsed_args.follow:
            found = self._here(target, how, parsed_args)
        else:
            found = self.client.measure(
                address=target,
                way=how,
                count=parsed_args.count,
                interval=parsed_args.interval,
                timeout=parsed_args.timeout,
            )
        self.exit_status = findings.exit_status(
            None if found["unknown"] else found["received"] >= found["sent"]
        )
        return shown(found, _ORDER)

    def _target(self, parsed: argparse.Namespace) -> tuple[str, str]:
        try:
            address, way = str(ipaddress.ip_address(parsed.target)), "icmp"
        except ValueError:
            from multisite_client.osc import refs

            known = self.client.get_address(refs.address(self.client, parsed.target))
            address, way = known.address, "icmp" if known.probe == "none" else known.probe
        return address, parsed.way or way

    def _here(self, target: str, how: str, parsed: argparse.Namespace) -> dict[str, Any]:
        needs_service_package()
        from multisite.networks.probe.echo import way
        from multisite.networks.probe.measure import measure
        from multisite.networks.probe.program import shown as report_of

        try:
            chosen = way(how)
        except ValueError as error:
            raise CommandError(f"--way {error}") from error
        stopped: list[int] = []
        before = signal.signal(signal.SIGINT, lambda number, _frame: stopped.append(number))
        stream = self.app.stdout if parsed.formatter == "table" else self.app.stderr
        tell = _Changes(stream) if parsed.follow else None
        try:
            report = measure(
                target, chosen, count=None if parsed.follow else parsed.count, interval=parsed.interval,
                timeout=parsed.timeout, stop=lambda: bool(stopped), seen=tell or (lambda _n, _rtt: None),
            )  # fmt: skip
        finally:
            signal.signal(signal.SIGINT, before)
        return report_of(report)


class _Changes:
    """A line whenever the address starts or stops answering."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._begun = stream, time.monotonic()
        self._up: bool | None = None
        self._last = self._begun

    def __call__(self, number: int, rtt: float | None) -> None:
        now, up = time.monotonic(), rtt is not None
        if up != self._up:
            if up and self._up is not None:
                self._say(now, f"answers again after {now - self._last:.2f} s ({(rtt or 0) * 1000:.1f} ms)")
            else:
                self._say(
                    now,
                    f"answers ({(rtt or 0) * 1000:.1f} ms)" if up else f"probe {number} was not answered",
                )
            self._up = up
        if up:
            self._last = now

    def _say(self, now: float, text: str) -> None:
        self._stream.write(f"[{now - self._begun:7.2f} s] {text}\n")
        self._stream.flush()
