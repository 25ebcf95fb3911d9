"""A line of ``[replication] backends`` that is wrong is named with its site and what is wrong."""

from __future__ import annotations

import pytest

from multisite.clouds.mirror.rbd import RbdMirror
from multisite.clouds.mirror.settings import parsed
from multisite.domain.errors import Invalid

GOOD = "paris rbd conf=/etc/p.conf host=paris@rbd#rbd user=multisite"


def test_a_line_is_a_storage() -> None:
    found = parsed([GOOD, "lyon rbd conf=/etc/l.conf host=lyon@rbd#rbd"])
    assert set(found) == {"paris", "lyon"}
    assert isinstance(found["paris"], RbdMirror)
    assert (found["paris"].site, found["paris"].host) == ("paris", "paris@rbd#rbd")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["paris"], "must be <site> rbd conf="),
        (["paris rbd conf"], "must be <site> rbd conf="),
        (["paris drbd conf=x host=y"], "paris: there is no driver 'drbd'; there are: rbd"),
        (["paris rbd conf=/etc/p.conf"], "paris: host= is missing"),
        (["paris rbd host=paris@rbd#rbd"], "paris: conf= is missing"),
        ([f"{GOOD} pol=volumes"], "paris: pol is no setting of rbd"),
        ([GOOD, GOOD], "paris is named twice"),
    ],
)
def test_what_is_wrong_is_said(lines: list[str], said: str) -> None:
    with pytest.raises(Invalid, match=r"\[replication\] backends: ") as error:
        parsed(lines)
    assert said in str(error.value)
