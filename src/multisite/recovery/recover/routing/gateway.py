"""Where a router's gateway is at the target: the external network it is mapped to, or the only one of the same name.

External networks are the provider's: a name stands for the same way out in both sites unless the operator says more.
"""

from __future__ import annotations

from multisite.domain.routing import RouterGateway
from multisite.recovery.recover.draft import Draft
from multisite.recovery.recover.mapping import listed, mapped
from multisite.recovery.recover.target_facts import TargetNetwork


def way_out(draft: Draft, subject: str, gateway: RouterGateway | None) -> TargetNetwork | None:
    """The network at the target.  None: it has no gateway, or none can be given, which is told or in the way."""
    if gateway is None:
        return None
    external = [network for network in draft.facts.networks if network.external]
    wanted = mapped(draft.rules.external_networks, gateway.network_id, gateway.network_name)
    if wanted is not None:
        return draft.find(external, wanted, subject, "external_networks")
    same = [network for network in external if gateway.network_name and network.name == gateway.network_name]
    if len(same) == 1:
        return same[0]
    _ask(draft, subject, gateway, external, len(same))
    return None


def _ask(
    draft: Draft, subject: str, gateway: RouterGateway, external: list[TargetNetwork], same: int
) -> None:
    """There is a choice to make, or none."""
    site, was = draft.facts.site, gateway.network_name or gateway.network_id
    option = draft.option("external_networks", gateway.network_id, gateway.network_name)
    if not external:
        draft.note(
            subject,
            f"it comes back without its gateway in external network {was}: {site} has no external network",
            f"have one made there, preview again, and map it: {option}",
        )
        return
    here = f"{same} external networks of this name" if same else "no external network of this name"
    there = listed(f"{network.name} ({network.id})" for network in external)
    draft.problem(
        subject,
        f"its gateway is in external network {was}, and {site} has {here}",
        f"say which one to use: {option} ({site} has: {there})",
    )


def source_nat(draft: Draft, subject: str, gateway: RouterGateway | None) -> bool:
    """Whether it has source NAT at the target: what it is at the source, which is an administrator's to switch off."""
    if gateway is None or gateway.enable_snat is not False:
        return True
    if draft.needs("may_set_snat", "roles of our accounts") and not draft.facts.may_set_snat:
        draft.note(
            subject,
            "its source NAT, which is off at the source, cannot be switched off: none of our accounts is an "
            f"administrator at {draft.facts.site}",
            "name an account that is one: multisite_administrator in clouds.yaml (docs/projects.md)",
        )
        return True
    return False
