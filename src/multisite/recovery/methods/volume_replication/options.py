"""What an operator may choose for this method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from multisite.clouds.mirror.backend import MirrorMode


@dataclass(frozen=True)
class ReplicationOptions:
    """``mirror_mode``: how the storage copies volumes it does not copy yet.  ``freeze_timeout``: seconds after which
    a site thaws a server by itself.  ``quiesce`` False: no server is frozen.  ``stall_timeout``: seconds that a copy
    may stand still before the run fails.
    """

    mirror_mode: MirrorMode = MirrorMode.SNAPSHOT
    freeze_timeout: Annotated[int, Field(ge=5, le=600)] = 60
    quiesce: bool = True
    stall_timeout: Annotated[int, Field(ge=30, le=86400)] = 1800


_OPTIONS: TypeAdapter[ReplicationOptions] = TypeAdapter(ReplicationOptions)


def options_of(kept: Mapping[str, Any]) -> ReplicationOptions:
    """The options of a protection (``Protection.options``)."""
    return _OPTIONS.validate_python(kept)
