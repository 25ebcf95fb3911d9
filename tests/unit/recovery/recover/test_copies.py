"""What other recoveries of an application mean for one more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from multisite.domain.epoch import Epochs
from multisite.domain.findings import Severity
from multisite.domain.model import Recovery, RecoveryState
from multisite.recovery.recover.copies import copies_of, in_the_way
from tests.unit.recovery.recover_samples import NOW

MADE = Recovery("r1", "mme", "p", "rp1", "lyon", RecoveryState.DONE, "j1", "olga", NOW, application_id="a1")
NONE = Epochs("a1")
BLOCKING, NOTE = Severity.BLOCKING, Severity.NOTE


@pytest.mark.parametrize(
    ("state", "there", "superseded"),
    [
        # state of the other one, in the same site or another, and with the operator's word
        ("running", (BLOCKING, BLOCKING), (BLOCKING, NOTE)),
        ("paused", (BLOCKING, BLOCKING), (BLOCKING, NOTE)),
        ("undoing", (BLOCKING, BLOCKING), (BLOCKING, NOTE)),
        ("undo_failed", (BLOCKING, BLOCKING), (BLOCKING, NOTE)),
        ("done", (BLOCKING, BLOCKING), (NOTE, NOTE)),
        ("undone", (), ()),
    ],
)
def test_each_state(state: str, there: tuple[Severity, ...], superseded: tuple[Severity, ...]) -> None:
    copies = copies_of([replace(MADE, state=RecoveryState(state))], NONE)
    for word, expected in ((False, there), (True, superseded)):
        found = [
            finding.severity
            for target in ("lyon", "oslo")
            for finding in in_the_way(copies, "mme", target, superseded=word)
        ]
        assert tuple(found) == expected


def test_the_remedy_fits_the_state() -> None:
    (done,) = in_the_way(copies_of([MADE], NONE), "mme", "oslo", superseded=False)
    assert (done.site, done.kind) == ("lyon", "application mme")
    assert done.remedy.startswith("undo recovery r1; ")
    running = replace(MADE, state=RecoveryState.RUNNING)
    (at_work,) = in_the_way(copies_of([running], NONE), "mme", "oslo", superseded=False)
    assert at_work.remedy.startswith("wait for recovery r1, or resume or undo it; ")
