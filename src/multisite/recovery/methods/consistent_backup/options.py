"""What an operator may choose for this method: what a protection keeps and a run is planned by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, Field, TypeAdapter


def _expression(text: str) -> str:
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return text


@dataclass(frozen=True)
class BackupOptions:
    """``freeze_timeout``: seconds after which a site thaws a server by itself.

    ``quiesce`` False: no server is frozen (crash-consistent only).  ``full_every``: every how many runs a full
    backup is made.  ``console_mark``: regular expression; the newest console line of each server that matches it
    after the freeze is kept as its mark.  ``snapshot_gap_seconds``: wait between snapshots, 0 for all at once;
    only for showing what an unfrozen, spread-out backup is worth.
    """

    freeze_timeout: Annotated[int, Field(ge=5, le=600)] = 60
    quiesce: bool = True
    full_every: Annotated[int, Field(ge=1, le=365)] = 7
    console_mark: Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_expression)] | None = (
        None
    )
    snapshot_gap_seconds: Annotated[float, Field(ge=0, le=5)] = 0.0


_OPTIONS: TypeAdapter[BackupOptions] = TypeAdapter(BackupOptions)


def options_of(kept: Mapping[str, Any]) -> BackupOptions:
    """The options of a protection (``Protection.options``)."""
    return _OPTIONS.validate_python(kept)
