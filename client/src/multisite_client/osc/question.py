"""Options of what is asked of a recovery: where, by which rules, and what the operator vouches for."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

from osc_lib.exceptions import CommandError

from multisite_client.osc import refs
from multisite_client.osc.restore_point import RESTORE_POINT

KINDS = {
    "project": "projects",
    "network": "networks",
    "network-name": "network_names",
    "flavor": "flavors",
    "volume-type": "volume_types",
    "availability-zone": "availability_zones",
    "volume-zone": "volume_zones",
    "keypair": "keypairs",
    "keypair-name": "keypair_names",
    "security-group": "security_groups",
    "security-group-name": "security_group_names",
    "server-group": "server_groups",
    "qos-policy": "qos_policies",
    "router": "routers",
    "router-name": "router_names",
    "external-network": "external_networks",
    "floating-ip": "floating_ips",
}
"""Every map of the API's rules, by what ``--map`` calls it."""


def with_question(parser: argparse.ArgumentParser, *, purpose: str = "disaster") -> argparse.ArgumentParser:
    """Where, and the rules; without what this ``purpose`` need not be told."""
    parser.add_argument(
        "--target-site", metavar="<site>",
        help="Site to recover in (default: the plan's, or the only target site of the protection)",
    )  # fmt: skip
    parser.add_argument(
        "--plan",
        metavar="<recovery plan>",
        help="Recovery plan (name or id) to go by; what is named beside it replaces its rules, this one time",
    )
    parser.add_argument(
        "--accept-loss",
        action="append",
        default=[],
        metavar="<loss>:<name or id>",
        help="Accept a loss that the preview names, such as ephemeral-disk:mme-1 (repeatable; goes to the audit trail)",
    )
    if purpose != "drill":
        _with_words(parser, purpose)
    return with_rules(parser)


def with_rules(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """What a recovery plan keeps."""
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="<kind>:<source>=<target>",
        help=f"Map a source resource to a target resource (repeatable; kinds: {', '.join(KINDS)})",
    )
    parser.add_argument(
        "--create-missing-flavors", action="store_true", help="Create flavors the target site lacks"
    )
    parser.add_argument(
        "--new-addresses",
        action="store_true",
        help="In networks that are mapped to existing ones take new addresses and MACs",
    )
    parser.add_argument(
        "--ready-console", metavar="<regex>", help="A recovered server is ready when its console shows this"
    )
    parser.add_argument(
        "--ready-timeout", type=float, metavar="<seconds>", help="How long to wait until a server is ready"
    )
    return parser


def with_members(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Of a move member by member."""
    parser.add_argument(
        "--one-by-one",
        action="store_true",
        help="Move one server after the other, while the others stay up (of a move)",
    )
    parser.add_argument(
        "--pause-between",
        type=float,
        metavar="<seconds>",
        help="With --one-by-one: wait so long before the next server",
    )
    parser.add_argument(
        "--ask-between",
        action="store_true",
        help="With --one-by-one: pause before each server but the first, until `recovery answer` or `recovery resume`",
    )
    parser.add_argument(
        "--accept-split",
        action="store_true",
        help="With --one-by-one: also where networks are not stretched over both sites, and the servers are parted "
        "meanwhile",
    )
    return parser


def _with_words(parser: argparse.ArgumentParser, purpose: str) -> None:
    """What the operator vouches for."""
    if purpose == "disaster":
        parser.add_argument(
            "--source-is-fenced",
            action="store_true",
            help="Confirm that the source's servers are off or cut off (needed while the source site cannot be asked)",
        )
    parser.add_argument(
        "--supersede",
        action="store_true",
        help="Confirm that the copies other recoveries made of the application are off or cut off, and given up",
    )


@dataclass(frozen=True)
class Question:
    """``words``: restore point, target site (None: the plan's, or the protection's only one) and mapping."""

    words: tuple[str, str | None, dict[str, Any]]
    plan: str | None


def question(client: Any, parsed: argparse.Namespace) -> Question:
    """What a command that looks or starts asks."""
    point = RESTORE_POINT.id(client, parsed.restore_point)
    site = None if parsed.target_site is None else refs.site(client, parsed.target_site)
    return Question((point, site, mapping(parsed)), parsed.plan)


_FLAGS = (
    "accept_loss", "create_missing_flavors", "source_is_fenced", "ready_console", "ready_timeout", "one_by_one",
    "pause_between", "ask_between", "accept_split",
)  # fmt: skip
"""Options that are rules by the same name."""


def mapping(parsed: argparse.Namespace) -> dict[str, Any]:
    """The rules that were named."""
    found: dict[str, Any] = {}
    for text in parsed.map:
        kind, source, target = _pair(text)
        found.setdefault(kind, {})[source] = target
    found |= {name: value for name in _FLAGS if (value := getattr(parsed, name, None))}
    return found | ({"keep_addresses": False} if getattr(parsed, "new_addresses", False) else {})


def _pair(text: str) -> tuple[str, str, str]:
    kind, _, pair = text.partition(":")
    source, _, target = pair.partition("=")
    if kind not in KINDS or not source or not target:
        raise CommandError(f"--map {text}: must be <kind>:<source>=<target>; kinds: {', '.join(KINDS)}")
    return KINDS[kind], source, target
