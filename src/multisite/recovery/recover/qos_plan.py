"""QoS policies of a recovery: those at the target that the operator maps them to, or shared ones of the same name."""

from __future__ import annotations

from multisite.domain.manifest import QosPolicyRecord
from multisite.recovery.recover.draft import Draft
from multisite.recovery.recover.mapping import mapped
from multisite.recovery.recover.target_facts import TargetQosPolicy

EXTENSION = "qos"


def plan_qos_policies(draft: Draft) -> dict[str, str]:
    """Id of the source -> id at the target; what comes back without its policy is told."""
    if not draft.manifest.qos_policies or not draft.needs("network_extensions", "network extensions"):
        return {}
    found = {record.id: _policy(draft, record) for record in draft.manifest.qos_policies}
    return {source: there.id for source, there in found.items() if there is not None}


def _policy(draft: Draft, record: QosPolicyRecord) -> TargetQosPolicy | None:
    shown, site = record.name or record.id, draft.facts.site
    subject = f"QoS policy {shown}"
    if EXTENSION not in draft.facts.network_extensions:
        draft.note(
            subject,
            f"{_users(draft, record)} without it: Neutron at {site} lacks the extension {EXTENSION}",
            "load the extension there and preview again, or do without",
        )
        return None
    if not draft.needs("qos_policies", "QoS policies"):
        return None
    wanted = mapped(draft.rules.qos_policies, record.id, record.name)
    if wanted is not None:
        there, how = (
            draft.find(draft.facts.qos_policies, wanted, subject, "qos_policies"),
            "mapped by the operator",
        )
    else:
        there, how = _shared(draft, record, subject), "shared by its operator, of the same name"
    if there is not None:
        draft.use("QoS policy", shown, there.id, f"{there.name!r}: {how}")
    return there


def _shared(draft: Draft, record: QosPolicyRecord, subject: str) -> TargetQosPolicy | None:
    """The only shared one of this name: a name that a project gave is no sign that it is the same policy."""
    named = [policy for policy in draft.facts.qos_policies if record.name and policy.name == record.name]
    shared = [policy for policy in named if policy.shared]
    if len(shared) == 1:
        return shared[0]
    site = draft.facts.site
    here = f"has {len(shared)} shared ones of this name" if shared else "has no shared one of this name"
    suggested = f" (there is {', '.join(policy.id for policy in named)})" if named else ""
    draft.note(
        subject,
        f"{_users(draft, record)} without it: {site} {here}",
        f"map it: {draft.option('qos_policies', record.id, record.name)}{suggested}",
    )
    return None


def _users(draft: Draft, record: QosPolicyRecord) -> str:
    """Who comes back without it: "port a and network b come back"."""
    manifest = draft.manifest
    ports = [f"port {p.name or p.mac_address}" for p in manifest.ports if p.qos_policy_id == record.id]
    networks = [f"network {n.name or n.id}" for n in manifest.networks if n.qos_policy_id == record.id]
    both = [*ports, *networks]
    more = f" and {len(both) - 5} more" if len(both) > 5 else ""
    return f"{', '.join(both[:5])}{more} {'comes' if len(both) == 1 else 'come'} back"
