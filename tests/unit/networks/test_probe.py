"""The probe: figures from a scripted wire, and the wire itself on loopback."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from multisite.domain.errors import Invalid, Unavailable
from multisite.networks.probe import program
from multisite.networks.probe.echo import CannotMeasure, Way, _checksum, answer_udp, way
from multisite.networks.probe.measure import answers, measure
from multisite.networks.probe.service import ProbeService


class Wire:
    """Answers the numbers it is told to, at once."""

    def __init__(self, answered: set[int]) -> None:
        self.answered, self.waiting = answered, list[tuple[int, float]]()

    def ask(self, number: int) -> None:
        if number in self.answered:
            self.waiting.append((number, time.monotonic()))

    def answers(self, seconds: float) -> list[tuple[int, float]]:
        if not self.waiting:
            time.sleep(min(seconds, 0.005))
        found, self.waiting = self.waiting, []
        return found

    def close(self) -> None:
        pass


def test_figures() -> None:
    answered = {0, 1, 2, 8, 9}
    report = measure(
        "192.0.2.1", Way("icmp"), count=10, interval=0.05, timeout=0.2, opens=lambda *_: Wire(answered)
    )
    assert (report.sent, report.received, report.loss) == (10, 5, 0.5)
    assert report.answered == (0, 1, 2, 8, 9)
    assert report.longest_gap is not None
    assert 0.25 < report.longest_gap < 5  # from the third answer to the ninth: six intervals
    assert report.outage is not None
    assert report.outage < report.longest_gap


def test_an_address_that_is_silent_was_measured() -> None:
    report = measure(
        "192.0.2.1", Way("icmp"), count=3, interval=0.02, timeout=0.05, opens=lambda *_: Wire(set())
    )
    assert (report.received, report.loss, report.min_ms, report.unknown) == (0, 1.0, None, "")
    assert answers("192.0.2.1", Way("icmp"), opens=lambda *_: Wire(set())) is False
    assert answers("192.0.2.1", Way("icmp"), opens=lambda *_: Wire({1})) is True


def test_what_could_not_be_measured_is_unknown() -> None:
    def refuses(*_: object) -> Wire:
        raise CannotMeasure("not allowed here")

    report = measure("192.0.2.1", Way("icmp"), opens=refuses)
    assert (report.loss, report.longest_gap, report.outage, report.unknown) == (
        None,
        None,
        None,
        "not allowed here",
    )
    assert answers("192.0.2.1", Way("icmp"), opens=refuses) is None
    assert "unknown" in program.sentence(report)


@contextmanager
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_tcp_open_and_refused_are_answers() -> None:
    with listening() as port:
        assert measure("127.0.0.1", Way("tcp", port), count=5, interval=0.02).received == 5
    assert (
        measure("127.0.0.1", Way("tcp", port), count=3, interval=0.02).received == 3
    )  # RST: somebody has the address


def test_udp_echo() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    threading.Thread(target=answer_udp, args=("127.0.0.1", port, time.monotonic() + 20), daemon=True).start()
    report = measure("127.0.0.1", Way("udp", port), count=20, interval=0.05, timeout=2.0)
    assert report.received > 10
    assert report.min_ms is not None
    silent = measure("127.0.0.1", Way("udp", 9), count=3, interval=0.02, timeout=0.1)
    assert (silent.received, silent.unknown) == (0, "")


def test_icmp_where_it_is_allowed() -> None:
    report = measure("127.0.0.1", Way("icmp"), count=3, interval=0.05)
    assert report.received == 3 or "ICMP is not allowed" in report.unknown


def test_the_checksum_is_that_of_rfc_1071() -> None:
    assert _checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0x220D


@pytest.mark.parametrize("text", ["", "icmp:1", "tcp", "tcp:0", "tcp:65536", "udp:x", "http:80"])
def test_ways_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="must be icmp"):
        way(text)


def test_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    with listening() as port:
        assert program.main([f"tcp:{port}", "127.0.0.1", "--count", "3", "--interval", "0.02", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["sent"], told["received"], told["loss"], told["unknown"]) == (3, 3, 0.0, "")
    assert (
        program.main(["udp:9", "127.0.0.1", "--count", "2", "--interval", "0.02", "--timeout", "0.1"])
        == program.LOST
    )
    assert "0 of 2 answered, loss 100.0 %, no answer" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("address", "how", "words"),
    [
        ("lyon", "icmp", "address"),
        ("127.0.0.1", "icmp", "address"),
        ("224.0.0.1", "icmp", "address"),
        ("192.0.2.1", "tcp", "way"),
    ],
)
def test_the_service_refuses(address: str, how: str, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        ProbeService().measure(address, how)


def test_the_service_is_bounded() -> None:
    with pytest.raises(Invalid, match="count"):
        ProbeService().measure("192.0.2.1", count=500, interval=1.0)
    service = ProbeService(lambda *_: Wire({0}))
    assert service.measure("192.0.2.1", count=1).received == 1
    while service._free.acquire(blocking=False):
        pass
    with pytest.raises(Unavailable, match="try again"):
        service.measure("192.0.2.1", count=1)
