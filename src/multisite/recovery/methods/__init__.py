"""The ways an application can be protected, by the name operators use."""

from __future__ import annotations

from collections.abc import Mapping

from multisite.recovery.methods.base import ProtectionMethod
from multisite.recovery.methods.consistent_backup.method import ConsistentBackup

METHODS: Mapping[str, ProtectionMethod] = {method.name: method for method in (ConsistentBackup(),)}
