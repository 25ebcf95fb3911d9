"""State of the databases of an identity, as one check read it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_GTID = re.compile(r"(\d+)-\d+-(\d+)")


@dataclass(frozen=True)
class MasterStatus:
    """``primary``: it answered, in the cluster's primary component and ready.  ``position``: see `position`."""

    site: str
    primary: bool
    position: int | None = None
    why: str = ""
    """What is wrong, when it is not primary."""


@dataclass(frozen=True)
class ReplicaStatus:
    """A replica's ``SHOW SLAVE STATUS``, as far as it matters; all empty when it did not answer.

    ``follows``: the master site whose address it has, "" for none or an unknown one.  ``receiving`` and
    ``applying``: Slave_IO_Running and Slave_SQL_Running, as MariaDB says ("Yes", "No", "Connecting").
    """

    name: str
    answers: bool
    follows: str = ""
    receiving: str = ""
    applying: str = ""
    receive_error: int = 0
    """Last_IO_Errno; 1236: the master has not the changes that are missed any more."""
    error: str = ""
    position: int | None = None


def position(gtids: str, domain: int) -> int | None:
    """The number of the last change of the cluster's domain in a GTID position; None when it has none of it."""
    found = [int(seqno) for of, seqno in _GTID.findall(gtids) if int(of) == domain]
    return max(found, default=None)
