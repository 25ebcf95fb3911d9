"""What findings say together, and how one reads in an error."""

from __future__ import annotations

import pytest

from multisite.domain.findings import (
    SENTENCES,
    Comparison,
    Finding,
    Severity,
    blockers,
    blocking,
    describe,
    unknown,
)

WRONG = Finding("paris", "mtu", "it is 1400, not 1450", "large frames are lost", "set it back")
SILENT = unknown("lyon", "connection refused", "nobody knows")
NOTE = Finding("", "gateway", "none", severity=Severity.NOTE)
BLOCKS = blocking("oslo", "quota", "2 more ports", "raise it")


@pytest.mark.parametrize(
    ("findings", "in_sync"),
    [((), True), ((NOTE,), True), ((SILENT, NOTE), None), ((WRONG, SILENT), False), ((BLOCKS,), False)],
)
def test_what_differs_outweighs_what_is_unknown(findings: tuple[Finding, ...], in_sync: bool | None) -> None:
    assert Comparison(findings).in_sync is in_sync


def test_in_words() -> None:
    assert str(WRONG) == "site paris: mtu: it is 1400, not 1450 (remedy: set it back)"
    assert describe([NOTE, SILENT]) == (
        "gateway: none; site lyon: unknown: it does not tell what it has: connection refused "
        "(remedy: check again when it answers)"
    )


def test_what_blocks() -> None:
    assert blockers([WRONG, BLOCKS, SILENT, NOTE]) == (BLOCKS,)


def test_every_severity_has_its_sentence() -> None:
    assert set(SENTENCES) == set(Severity)
