"""An application as its site shows it now, and what the images of its servers say."""

from __future__ import annotations

from multisite.clouds.connect import CloudSite
from multisite.clouds.facts.application import ApplicationFacts
from multisite.domain.model import Application
from multisite.recovery.methods.cinder_backups.state import read_state, said_by_images
from multisite.recovery.methods.instance_snapshot.plan import Seen, seen_of


def look(site: CloudSite, application: Application) -> tuple[ApplicationFacts, Seen]:
    """Raises NotFoundInSite naming a missing server or volume, Unsupported, and what ``call`` raises."""
    state = read_state(site, application, ask_quiesce=False)
    return state.facts, seen_of(state, said_by_images(site, state))
