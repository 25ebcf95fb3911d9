"""What the steps of a recovery do with flavors: make one, or hold one that another recovery made, and leave it."""

from __future__ import annotations

from collections.abc import Callable

from multisite.clouds import flavors
from multisite.clouds.administrator import FLAVORS, may_administer
from multisite.clouds.errors import NotFoundInSite
from multisite.clouds.resources import tokens
from multisite.jobs.model import Made, StepContext, StepFailed
from multisite.recovery.recover.model import PlannedFlavor
from multisite.recovery.recover.steps import Run, Steps, Undo


def make_or_hold(steps: Steps, flavor: PlannedFlavor) -> tuple[str, Run]:
    """The title of the step, and what it does."""
    if flavor.use is None:
        return f"Create flavor {flavor.name}", steps.ensure(flavors.ensure_flavor, flavor.record, flavor.name)
    return f"Hold flavor {flavor.name}, which another recovery made", _hold(steps, flavor, flavor.use)


def _hold(steps: Steps, flavor: PlannedFlavor, flavor_id: str) -> Run:
    def run(ctx: StepContext) -> Made:
        site = steps.site(ctx)
        if not may_administer(site, FLAVORS):
            ctx.event(
                f"flavor {flavor.name} goes when the recovery that made it is undone: {site.account} is no "
                f"administrator of {site.name}, so it cannot be held"
            )
            return Made(flavor_id)
        try:
            flavors.hold_flavor(site, ctx.token, flavor_id)
        except NotFoundInSite:
            raise StepFailed(
                f"flavor {flavor.name} ({flavor_id}), which another recovery made, is gone since the preview: "
                "undo this recovery, and start it again"
            ) from None
        return Made(flavor_id)

    return run


def leave(steps: Steps, flavor: PlannedFlavor) -> Undo:
    """The one that the step made or held goes, unless others have come to use it meanwhile."""

    def undo(ctx: StepContext, result: Made | None) -> None:
        site = steps.site(ctx)
        if flavor.use is not None and not may_administer(site, FLAVORS):
            return  # it was not held
        stay = flavors.leave_flavor(site, ctx.token, flavor.record.description, late=result is None)
        for name, users in stay.items():
            by = f"{', '.join(sorted(users)[:5])} use it" if users else "another recovery uses it"
            ctx.event(f"flavor {name} is kept: {by}")

    return undo


def describe(steps: Steps, flavor: PlannedFlavor) -> Callable[[StepContext], object]:
    """Give one that this job made its own description."""

    def run(ctx: StepContext) -> object:
        token, made = f"{tokens.job_prefix(ctx.job_id)}{flavor.step}", steps.id_of(ctx, flavor)
        flavors.describe_flavor(steps.site(ctx), token, made, flavor.record.description)
        return {"flavor": made}

    return run
