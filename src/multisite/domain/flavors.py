"""Flavors of servers, as restore points have them (Compute API reference, flavors)."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class FlavorRecord:
    id: str
    name: str
    vcpus: int
    memory_mib: int
    disk_gib: int
    ephemeral_gib: int = 0
    swap_mib: int = 0
    extra_specs: dict[str, str] = field(default_factory=dict)
    description: str = ""

    @property
    def size(self) -> tuple[int, ...]:
        return self.vcpus, self.memory_mib, self.disk_gib, self.ephemeral_gib, self.swap_mib

    @property
    def own_specs(self) -> dict[str, str]:
        """Extra specs but Multisite's."""
        return {k: v for k, v in self.extra_specs.items() if not k.startswith("multisite")}
