"""An application that runs in paris, its protection, and two restore points, the second builds on the first."""

from __future__ import annotations

from multisite.command.wiring import Services
from multisite.domain.caller import Caller
from multisite_lab.guest.console import FREEZE_MARK
from tests.sim import deploy

from .worker import Worker

OPTIONS = {"freeze_timeout": 30, "console_mark": FREEZE_MARK}


def make(services: Services, worker: Worker, caller: Caller, name: str) -> None:
    """Of the caller's project; its servers are called otherwise (``vnf-1``); the second one is not frozen."""
    site = services.paths._clouds.open("paris", for_project=caller.project_id)
    first, second = deploy.deploy(site, name.replace("mme", "vnf")).servers
    members = [{"id": first}, {"id": second, "quiesce": False}]
    services.applications.create(caller, name, "paris", members)
    protection = services.protections.create(
        caller, name, "consistent-backup", target_site="lyon", options=OPTIONS
    )
    services.policies.create(caller, "gold", schedules=[{"cron": "0 * * * *"}], retention={"daily": 7})
    mapping = {"create_missing_flavors": True}
    services.recovery_plans.create(caller, "by-day", name, "lyon", mapping=mapping)
    for _ in range(2):
        worker.done(services.protections.run(caller, protection.id))
