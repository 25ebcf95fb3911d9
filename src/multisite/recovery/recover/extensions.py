"""Attributes that only some Neutrons have: left out, and noted, where the target's has not loaded their extension.

Asked for all the same, Neutron refuses the whole request (400, "Unrecognized attribute(s)").
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from multisite.clouds.ledger.model import Kind
from multisite.clouds.ledger.network import NETWORK, PORT, SUBNET
from multisite.domain.manifest import NetworkRecord, PortRecord, SubnetRecord
from multisite.recovery.recover.draft import Draft

RecordT = TypeVar("RecordT", PortRecord, NetworkRecord, SubnetRecord)

FIELDS: dict[type, tuple[Kind, dict[str, tuple[str, str]]]] = {
    PortRecord: (PORT, {
        "dhcp_options": ("extra_dhcp_opts", "extra DHCP options"),
        "dns_name": ("dns_name", "DNS name"),
        "dns_domain": ("dns_domain", "DNS domain"),
    }),
    NetworkRecord: (NETWORK, {"dns_domain": ("dns_domain", "DNS domain")}),
    SubnetRecord: (SUBNET, {"dns_publish_fixed_ip": ("dns_publish_fixed_ip", "publishing of fixed IPs in DNS")}),
}  # fmt: skip
"""By kind of record its table in the ledger, which knows the extensions; by field Neutron's name, what it is called."""


def possible(draft: Draft, subject: str, record: RecordT) -> RecordT:
    """The record without what the target's Neutron cannot have, each a note."""
    kind, names = FIELDS[type(record)]
    for name, (answered, words) in names.items():
        if not getattr(record, name) or not draft.needs("network_extensions", "network extensions"):
            continue
        alias = kind.extension_of(answered)
        if alias is not None and alias not in draft.facts.network_extensions:
            draft.note(
                subject,
                f"its {words} cannot be set at {draft.facts.site}: Neutron there lacks the extension {alias}",
                "load the extension there and preview again, or do without",
            )
            record = replace(record, **{name: type(getattr(record, name))()})
    return record


def possible_port(draft: Draft, subject: str, record: PortRecord) -> PortRecord:
    """The same of a port; its binding profile is an administrator's to set."""
    if record.binding_profile and not draft.facts.may_set_profiles:
        draft.note(
            subject,
            "its binding profile cannot be set: none of our accounts is an administrator there",
            "name an account that is one: multisite_administrator in clouds.yaml (docs/projects.md)",
        )
        record = replace(record, binding_profile={})
    return possible(draft, subject, record)
