"""What an operator may choose for this method: what a protection keeps and a run is planned by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from multisite.domain.validation import Expression


@dataclass(frozen=True)
class SnapshotOptions:
    """``full_every``: every how many runs a full backup of a volume is made.

    ``console_mark``: regular expression; the newest console line of each server that matches it after its image was
    made is kept as its mark.
    """

    full_every: Annotated[int, Field(ge=1, le=365)] = 7
    console_mark: Expression | None = None


_OPTIONS: TypeAdapter[SnapshotOptions] = TypeAdapter(SnapshotOptions)


def options_of(kept: Mapping[str, Any]) -> SnapshotOptions:
    """The options of a protection (``Protection.options``)."""
    return _OPTIONS.validate_python(kept)
