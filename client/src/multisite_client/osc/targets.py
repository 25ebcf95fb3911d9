"""The target sites of protections, as the commands take and show them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from multisite_client.osc import findings, past, refs


def add_option(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--target-site", action="append", metavar="<site>",
        help="Site it can be recovered in (repeatable: the first is preferred, for standby; drills take each in turn)",
    )  # fmt: skip


def wanted(client: Any, named: Sequence[str] | None) -> dict[str, Any]:
    """As the service takes them: one by itself, several in the order of preference."""
    sites = [refs.site(client, one) for one in named or ()]
    return {"target_sites": sites} if len(sites) > 1 else {"target_site": sites[0] if sites else None}


def in_a_list(found: Sequence[str]) -> str:
    return ", ".join(found)


def recoverable(found: Mapping[str, str]) -> str:
    """``yes``; of several targets ``yes in lyon, no in rome``."""
    if len(found) == 1:
        return next(iter(found.values()))
    return ", ".join(f"{word} in {site}" for site, word in found.items())


def others(found: Sequence[Mapping[str, Any]]) -> str:
    """What was found of each target besides the preferred one."""
    return "\n".join(line for one in found for line in _lines(one))


def _lines(one: Mapping[str, Any]) -> list[str]:
    rto = past.spread(one, "rto_seconds", "rto_least", "rto_most", "rto_count")
    took = past.spread(one, "past_median", "past_least", "past_most", "past_count")
    said = f"{one['target_site']}: {one['recoverable']}; RTO {rto}; past runs there took: {took}"
    told = findings.as_lines(one["findings"])
    return [said, *(f"  {line}" for line in told.splitlines())]
