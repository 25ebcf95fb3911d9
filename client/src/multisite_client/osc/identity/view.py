"""A plan for people: a table that fits the terminal, verdicts and reasons; and for machines: everything."""

from __future__ import annotations

import shutil
import textwrap
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from enum import Enum
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from multisite.identity.plan.survive import Abilities
    from multisite.identity.plan.verdict import Judged, Plan
    from multisite_client.osc.base import Row

_WIDEST, _WIDE = 120, 106
_LEGEND = (
    "What works when a site or its link is cut, in that site and, at worst, in the others: I issue tokens, V validate,"
    " W write; (I) for a part of the users or of the time; - not at all. 3x: so many of the sites, cut one at a time."
)


def width() -> int:
    """Columns to use."""
    return min(_WIDEST, shutil.get_terminal_size((_WIDEST, 24)).columns)


def write(found: Plan, stream: TextIO, columns: int) -> None:
    """The candidates as a table, then each one's verdict with its number."""
    from multisite.identity.plan import constants

    stream.write(_heading(found, columns) + "\n" + _table(found.candidates, columns) + "\n")
    stream.write(textwrap.fill(_LEGEND, columns) + "\n\n")
    for judged in found.candidates:
        text = f"{judged.assessment.candidate.name}, {judged.verdict}: {judged.why}"
        stream.write(textwrap.fill(text, columns, subsequent_indent="    ") + "\n")
    extrapolated = constants.GALERA_MEASURED.value
    if len(found.inputs.sites) > extrapolated:
        note = (
            f"Traffic of clusters is measured for up to {extrapolated:.0f} members and extrapolated beyond."
        )
        stream.write(textwrap.fill(note, columns) + "\n")
    stream.write("\n")


def beside(found: Plan) -> Row:
    """The recommendation and its reasons, for the table that ends the output."""
    room = max(40, width() - 22)
    fields: dict[str, str] = {"recommendation": textwrap.fill(found.recommendation.name, room)}
    several = len(found.recommendation.per_owner) > 1
    reasons = [reason.text for reason in found.recommendation.reasons]
    if several:
        reasons += [
            f"{one.owner or '(no owner)'}, {len(one.sites)} sites: {one.chosen.candidate.name}: {reason.text}"
            for one in found.recommendation.per_owner
            for reason in one.reasons
        ]
    fields["reasons"] = "\n".join(
        textwrap.fill(text, room, initial_indent="- ", subsequent_indent="  ") for text in reasons
    )
    if not several:
        chosen = found.recommendation.per_owner[0].chosen
        fields["to operate"] = textwrap.fill(chosen.operation, room)
    return tuple(fields), tuple(fields.values())


def everything(found: Plan) -> dict[str, Any]:
    """Inputs, candidates with flows by cause, cuts and splits, the recommendation, the model's constants."""
    from multisite.identity.plan import constants

    recommendation = found.recommendation
    return {
        "recommendation": recommendation.name,
        "reasons": [asdict(reason) for reason in recommendation.reasons],
        "mappings_between_owners": recommendation.mappings,
        "per_owner": [
            {"owner": one.owner, "sites": list(one.sites), "candidate": one.chosen.candidate.name,
             "reasons": [asdict(reason) for reason in one.reasons], "assessment": _assessment(one.chosen)}
            for one in recommendation.per_owner
        ],
        "candidates": [
            {"name": judged.assessment.candidate.name, "verdict": str(judged.verdict), "why": judged.why}
            | _assessment(judged.assessment)
            for judged in found.candidates
        ],
        "inputs": found.inputs.model_dump(mode="json"),
        "constants": {name: asdict(constant) for name, constant in constants.table().items()},
    }  # fmt: skip


def _assessment(found: Any) -> dict[str, Any]:
    data = _plain(asdict(found))
    data["candidate"] |= {
        "name": found.candidate.name,
        "title": found.candidate.title,
        "removed": found.candidate.removed,
    }
    data["traffic"]["per_day"] = found.traffic.per_day
    data["traffic"]["by_cause"] = {str(cause): rate for cause, rate in found.traffic.by_cause}
    kept: dict[str, Any] = data
    return kept


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.name.lower() if isinstance(value.value, int) else value.value
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value


def _heading(found: Plan, columns: int) -> str:
    from multisite.identity.plan.picture import size

    inputs = found.inputs
    owners = len({site.owner for site in inputs.sites})
    logins = sum(site.logins_per_second for site in inputs.sites)
    requests = sum(site.requests_per_second for site in inputs.sites)
    body = max(judged.assessment.body_bytes for judged in found.candidates)
    text = (
        f"{len(inputs.sites)} sites of {owners} owner{'s' * (owners > 1)}, {sum(s.users for s in inputs.sites)} users,"
        f" {logins:.3g} logins/s, {requests:.3g} API requests/s, {inputs.role_changes_per_hour:g} role changes/h;"
        f" a validation's answer is {size(body)}"
    )
    return textwrap.fill(text, columns)


def _table(candidates: Iterable[Judged], columns: int) -> str:
    from prettytable import PrettyTable

    rows = [_cells(judged) for judged in candidates]
    titles = list(rows[0])
    if columns < _WIDE:
        titles = [title for title in titles if title not in ("per day", "token", "write", "keys/day")]
    made = PrettyTable(titles, align="l")
    made.add_rows([[row[title] for title in titles] for row in rows])
    for title in ("per second", "per day", "token", "write", "keys/day"):
        if title in titles:
            made.align[title] = "r"
    return str(made)


def _cells(judged: Judged) -> dict[str, str]:
    from multisite.identity.plan.picture import size

    found = judged.assessment
    load = found.burden
    return {
        "candidate": found.candidate.name,
        "per second": size(found.traffic.per_second),
        "per day": size(found.traffic.per_day),
        "token": size(found.token_bytes),
        "write": f"{load.write_ms:g} ms",
        "keys/day": f"{load.secrets_per_day + load.public_keys_per_day:.0f}",
        "cut: there": _several(cut.there for cut in found.cuts),
        "others": _several(cut.elsewhere for cut in found.cuts if cut.elsewhere is not None),
        "verdict": "removed" if found.candidate.removed else str(judged.verdict),
    }


def _several(works: Iterable[Abilities]) -> str:
    counted = Counter(str(each) for each in works).most_common()
    if len(counted) == 1:
        return counted[0][0]
    return "\n".join(f"{number}x {shown}" for shown, number in counted) or "-"
