"""What a preview's findings mean for the question whether it could be recovered."""

from __future__ import annotations

from multisite.domain.findings import Finding, Severity, blocking, unknown
from multisite.domain.recoverability import Recoverable, judge

NOTE = Finding("", "port", "told", "", "", Severity.NOTE)
FLAVOR = blocking("", "flavor t128", "there is none", "create it")
SILENT = unknown("lyon", "no answer", "")


def test_what_is_in_the_way_outweighs_what_is_unknown() -> None:
    assert judge((NOTE,)) == (Recoverable.YES, "")
    assert judge((NOTE, SILENT))[0] is Recoverable.UNKNOWN
    assert judge((SILENT, FLAVOR)) == (Recoverable.NO, "flavor t128: there is none")
    assert judge((FLAVOR, NOTE), [FLAVOR])[0] is Recoverable.UNKNOWN
    assert judge((FLAVOR, FLAVOR))[1] == "flavor t128: there is none (and 1 more)"
