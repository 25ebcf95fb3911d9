"""The ways an application can be protected, by the name operators use: the better ones first, where none is named."""

from __future__ import annotations

from collections.abc import Mapping

from multisite.recovery.methods.base import ProtectionMethod
from multisite.recovery.methods.consistent_backup.method import ConsistentBackup
from multisite.recovery.methods.instance_snapshot.method import InstanceSnapshot
from multisite.recovery.methods.volume_replication.method import VolumeReplication

METHODS: Mapping[str, ProtectionMethod] = {
    method.name: method for method in (VolumeReplication(), ConsistentBackup(), InstanceSnapshot())
}
