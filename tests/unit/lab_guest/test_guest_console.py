"""The lines of a guest's console, as they came out of a real one."""

from __future__ import annotations

import pytest

from multisite_lab.guest.console import FREEZE_MARK, Record, marked, parse

FIRST = """\
SYSLINUX 6.04 20210613 Copyright (C) 1994-2015 H. Peter Anvin et al
GUEST-INIT up=4.29 kernel=6.1.0-56-cloud-amd64
GUEST-AGENT up=4.73
GUEST-NET eth0 10.10.0.11/24 gw=
GUEST-ROOT /dev/vda2 journal=clean
GUEST-DATA vdb formatted
GUEST-DATA /dev/vdb journal=clean up=5.50
GUEST-VERIFY root=0 data=0 rbad=0 dbad=0 diff=0 consistent=yes sum=0 checked=0
GUEST-WORKLOAD pid=154 up=5.55
GUEST-READY up=5.73 data=1 mem=94776k/67612k
GUEST-NET eth1 10.20.0.11/24 gw=
GUEST-CONFIG uuid=6e0b8efd-3127-4cd7-ab87-65f09fc1de75 hostname=vnf-1.novalocal
GUEST-RECORD seq=3 sum=1779941
GUEST-FREEZE seq=385 sum=3072696102
GUEST-THAW seq=385 sum=3072696102
GUEST-FREEZE-FAILED seq=390 sum=17
GUEST-FREEZE seq=392 sum=1536108923
"""
TORN = """\
GUEST-INIT up=4.96 kernel=6.1.0-56-cloud-amd64
GUEST-ROOT /dev/vda2 journal=recovered
GUEST-DATA /dev/vdb journal=clean up=6.85
GUEST-VERIFY root=2069 data=2173 rbad=0 dbad=1 diff=-104 consistent=no sum=4119287385 checked=2248
GUEST-WORKLOAD refused
GUEST-READY up=7.28 data=1 mem=94776k/67636k
"""


def test_a_first_boot() -> None:
    boot = parse(FIRST)
    assert boot.verdict is not None
    assert boot.verdict.consistent
    assert boot.verdict.record == Record(0, 0)
    assert boot.journal == "clean"
    assert boot.ready == 5.73
    assert boot.working is True
    assert boot.records == (Record(3, 1779941),)
    assert boot.addresses == {"eth0": "10.10.0.11", "eth1": "10.20.0.11"}
    assert boot.server_id == "6e0b8efd-3127-4cd7-ab87-65f09fc1de75"


def test_a_freeze_that_failed_is_no_freeze() -> None:
    boot = parse(FIRST)
    assert boot.freezes == (Record(385, 3072696102), Record(392, 1536108923))
    assert boot.thaws == (Record(385, 3072696102),)
    assert boot.frozen


def test_only_the_newest_boot_counts() -> None:
    boot = parse(FIRST + TORN)
    assert boot.verdict is not None
    assert not boot.verdict.consistent
    assert boot.verdict.bad == 1
    assert (boot.verdict.root, boot.verdict.data) == (2069, 2173)
    assert boot.journal == "recovered"
    assert boot.working is False
    assert boot.freezes == ()


@pytest.mark.parametrize(
    "text", ["", "no guest here\n", "GUEST-INIT up=", "GUEST-VERIFY root=1 data=1 rba", "GUEST-WORKLOAD\n"]
)
def test_what_is_cut_off_says_nothing(text: str) -> None:
    boot = parse(text)
    assert (boot.verdict, boot.ready, boot.working, boot.journal, boot.frozen) == (
        None,
        None,
        None,
        "",
        False,
    )


def test_every_moment_of_a_boot_can_be_read() -> None:
    for end in range(len(FIRST)):
        parse(FIRST[:end])


def test_windows_line_ends_of_a_serial_port() -> None:
    assert parse(FIRST.replace("\n", "\r\n")) == parse(FIRST)


def test_a_mark_is_a_record() -> None:
    assert marked("GUEST-FREEZE seq=385 sum=3072696102") == Record(385, 3072696102)
    assert marked("GUEST-THAW seq=385 sum=3072696102") is None
    assert "seq=" in FREEZE_MARK
