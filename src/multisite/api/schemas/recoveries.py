"""Recoveries: the question, the preview, the record of what was done."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from multisite.api.schemas.common import Expression, In, Name, Ref
from multisite.api.schemas.derived import group, shown, started
from multisite.domain.model import Preview, Recovery

Pairs = Annotated[dict[Ref, Ref], Field(max_length=100)]
Seconds = Annotated[float, Field(gt=0, le=86400)]


class MappingIn(In):
    """The operator's rules: what is called otherwise at the target, and how to proceed there.

    Maps go from a name or id of the source to a name or id of the target; ``network_names`` and
    ``security_group_names`` make it under another name.
    """

    networks: Pairs = Field(default_factory=dict)
    network_names: Pairs = Field(default_factory=dict)
    flavors: Pairs = Field(default_factory=dict)
    availability_zones: Pairs = Field(default_factory=dict)
    volume_types: Pairs = Field(default_factory=dict)
    keypairs: Pairs = Field(default_factory=dict)
    security_groups: Pairs = Field(default_factory=dict)
    security_group_names: Pairs = Field(default_factory=dict)
    create_missing_flavors: Annotated[bool, Field(description="Make flavors the target lacks")] = False
    keep_addresses: Annotated[
        bool, Field(description="False: in mapped networks take any free address and MAC")
    ] = True
    source_is_fenced: Annotated[
        bool, Field(description="The operator vouches that the source's servers cannot answer any more")
    ] = False
    parallel_boot: Annotated[bool, Field(description="Do not wait for one server before the next")] = False
    ready_console: Annotated[
        Expression | None, Field(description="A server is ready when its console shows this")
    ] = None
    ready_timeout: Seconds = 600.0
    boot_timeout: Seconds = 600.0


class PreviewIn(In):
    restore_point: Ref
    target_site: Name
    mapping: MappingIn = Field(default_factory=MappingIn)

    def rules(self) -> dict[str, Any]:
        """The mapping, only what was said."""
        return self.mapping.model_dump(exclude_unset=True)


class StartIn(PreviewIn):
    confirm: Annotated[Name, Field(description="The application's name, as a sign that this is meant")]
    preview: Annotated[
        Ref | None, Field(description="The digest of a preview: start only if it would still be the same")
    ] = None


PreviewOut = shown(
    Preview,
    more={"startable": bool, "digest": str},
    doc="``startable`` is false while a problem blocks; ``data_age_seconds`` is what would be lost.",
)
RecoveryOut = shown(Recovery)
RecoveriesOut = group("RecoveriesOut", recoveries=list[Recovery])
RecoveryStartedOut = started("RecoveryStartedOut", recovery=Recovery)
