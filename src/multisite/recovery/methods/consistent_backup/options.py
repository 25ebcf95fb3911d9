"""What an operator may choose for this method: what a protection keeps and a run is planned by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from multisite.domain.validation import Expression


@dataclass(frozen=True)
class BackupOptions:
    """``freeze_timeout``: seconds after which a site thaws a server by itself.

    ``quiesce`` False: no server is frozen (crash-consistent only).  ``full_every``: every how many runs a full
    backup is made.  ``console_mark``: regular expression; the newest console line of each server that matches it
    after the freeze is kept as its mark.  ``snapshot_gap_seconds``: wait between snapshots, 0 for all at once;
    only for showing what an unfrozen, spread-out backup is worth.  ``standby_only``: the restore point is of the
    application's standby members; active ones are neither frozen nor snapshotted, nor in it.
    """

    freeze_timeout: Annotated[int, Field(ge=5, le=600)] = 60
    quiesce: bool = True
    full_every: Annotated[int, Field(ge=1, le=365)] = 7
    console_mark: Expression | None = None
    snapshot_gap_seconds: Annotated[float, Field(ge=0, le=5)] = 0.0
    standby_only: bool = False


_OPTIONS: TypeAdapter[BackupOptions] = TypeAdapter(BackupOptions)


def options_of(kept: Mapping[str, Any]) -> BackupOptions:
    """The options of a protection (``Protection.options``)."""
    return _OPTIONS.validate_python(kept)
