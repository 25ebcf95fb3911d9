"""Whether a preview says of a difference: by the name of the thing, and in the words an operator has for the field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tests.odd.compare import Difference

WORDS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("server", "attachments"): ("/dev/",),
    ("server", "OS-EXT-SRV-ATTR:root_device_name"): ("/dev/",),
    ("server", "accessIPv4"): ("access address",),
    ("server", "scheduler_hints"): ("scheduler hints",),
    ("volume", "bootable"): ("root disk", "marked bootable"),
    ("port", "qos_policy_id"): ("QoS policy",),
    ("network", "qos_policy_id"): ("QoS policy",),
    ("subnet", "service_types"): ("service types",),
    ("floating IP", "floating_ip_address"): ("floating IP",),
    ("floating IP", "floating_network_id"): ("floating IP",),
}
"""Each has to be in the sentence; a field without a line goes by its own name."""


def silent(found: Iterable[Difference], said: Iterable[str]) -> list[Difference]:
    """Those that no sentence tells of."""
    sentences = list(said)
    return [one for one in found if not any(_tells(one, sentence) for sentence in sentences)]


def _tells(one: Difference, sentence: str) -> bool:
    words = (one.kind,) if not one.field else WORDS.get((one.kind, one.field), (one.field.replace("_", " "),))
    named = one.thing in sentence or (one.of and f"server {one.of}" in sentence)
    named = named or (" more" in sentence and one.kind in sentence)
    return named and all(word in sentence for word in words)
