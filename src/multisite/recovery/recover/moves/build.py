"""What moves are built of, beside the recoveries they are like."""

from __future__ import annotations

from multisite.jobs.engine import JobEngine
from multisite.recovery.recover.moves.dependencies import MoveDependencies
from multisite.recovery.recover.moves.job import move_kind
from multisite.recovery.recover.moves.prepare import MovePreparation
from multisite.store.database import Database
from multisite.store.protections import ProtectionRepository
from multisite.store.restore_points import RestorePointRepository
from multisite.store.stretched import StretchedRepository


def move_preparation(database: Database, jobs: JobEngine, here: MoveDependencies) -> MovePreparation:
    """What asks the source; registers the kind of job with ``jobs``."""
    jobs.register(move_kind(here))
    return MovePreparation(
        here.protections,
        ProtectionRepository(database),
        RestorePointRepository(database),
        here.sites,
        here.now,
        StretchedRepository(database),
        here.methods,
    )
