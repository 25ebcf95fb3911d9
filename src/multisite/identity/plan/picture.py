"""Traffic between sites against the number of sites, as SVG that loads nothing from anywhere."""

from __future__ import annotations

from multisite.identity.plan import candidates
from multisite.identity.plan.candidates import Candidate
from multisite.identity.plan.constants import GALERA_MEASURED
from multisite.identity.plan.flows import flows, question
from multisite.identity.plan.inputs import Inputs, Link, uniform
from multisite.identity.plan.places import places

SITES = (2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 70, 100)
_ALIKE = 0.08
"""Curves this near to each other everywhere are drawn as one."""
_RUNNING = ("#0b6e99", "#d1495b", "#2e8b57", "#8e5ea2", "#e08e0b", "#3d3d3d", "#7a5c3e")
_GONE = ("#9aa5b1", "#b8a9c9", "#c9b79c", "#a9b8a5")

Curve = tuple[tuple[int, float], ...]


def scaled(inputs: Inputs, sites: int) -> Inputs:
    """``sites`` sites, each with the average load of those asked about."""
    known = len(inputs.sites)
    users = sum(site.users for site in inputs.sites) / known
    kept = {
        name: getattr(inputs, name)
        for name in (
            "endpoints_per_region", "endpoint_url_bytes", "services_per_region", "token_cache_time", "cache_time",
            "token_caches_per_site", "validation_catalog", "application_credential_logins", "sites_per_cluster",
        )
    }  # fmt: skip
    return uniform(
        sites,
        users=round(users * sites),
        logins=sum(site.logins_per_second for site in inputs.sites) / known * sites,
        requests=sum(site.requests_per_second for site in inputs.sites) / known * sites,
        link=inputs.links.default or Link(round_trip_ms=0, bandwidth_mbit=1),
        role_changes_per_hour=inputs.role_changes_per_hour / known * sites,
        revocations_per_hour=inputs.revocations_per_hour / known * sites,
        tokens=inputs.tokens.model_dump(),
        **kept,
    )


def curves(inputs: Inputs) -> dict[Candidate, Curve]:
    """(sites, bytes per second) of every candidate, at ``SITES``."""
    asked = [(number, scaled(inputs, number)) for number in SITES]
    return {
        candidate: tuple((number, _per_second(candidate, each)) for number, each in asked)
        for candidate in candidates.ALL
    }


def _per_second(candidate: Candidate, inputs: Inputs) -> float:
    return sum(flow.rate for flow in flows(question(inputs, candidate, places(candidate, inputs))))


def grouped(found: dict[Candidate, Curve]) -> list[tuple[tuple[Candidate, ...], Curve]]:
    """Curves that nobody could tell apart under one label; the costliest last point first."""
    groups: list[tuple[list[Candidate], Curve]] = []
    for candidate, curve in found.items():
        for members, other in groups:
            if members[0].shape == candidate.shape and _alike(curve, other):
                members.append(candidate)
                break
        else:
            groups.append(([candidate], curve))
    groups.sort(key=lambda group: -group[1][-1][1])
    return [(tuple(members), curve) for members, curve in groups]


def svg(inputs: Inputs) -> str:
    """The picture; both axes logarithmic, removed formats dashed and gray."""
    import pygal
    from pygal.style import Style

    groups = grouped(curves(inputs))
    running, gone = iter(_RUNNING * 2), iter(_GONE * 3)
    removed = [all(member.removed for member in members) for members, _ in groups]
    style = Style(
        background="white", plot_background="white", colors=tuple(next(gone if off else running) for off in removed),
        font_family="sans-serif", title_font_size=18, legend_font_size=14, label_font_size=12,
        major_label_font_size=12, guide_stroke_color="#e6e6e6", major_guide_stroke_color="#cccccc",
        guide_stroke_dasharray="1,0", major_guide_stroke_dasharray="1,0", stroke_opacity=1,
        stroke_width="2.5", foreground_subtle="#888888",
    )  # fmt: skip
    chart = pygal.XY(
        style=style, js=[], logarithmic=True, width=1200, height=760, legend_at_bottom=True,
        legend_at_bottom_columns=3, truncate_legend=-1, dots_size=3, show_x_guides=False, margin=24, margin_bottom=44,
        title=_title(inputs), x_title=f"sites (clusters of more than {GALERA_MEASURED.value:.0f} are extrapolated)",
        y_title="between sites, per second",
        x_value_formatter=lambda value: f"{value:.0f}", value_formatter=size, pretty_print=True,
    )  # fmt: skip
    chart.x_labels = list(SITES)
    lowest = max(1.0, min((value for _, curve in groups for _, value in curve if value), default=1.0))
    highest = max((value for _, curve in groups for _, value in curve), default=10.0)
    chart.y_labels = [10.0**power for power in range(len(str(int(lowest))) - 1, len(str(int(highest))) + 1)]
    for (members, curve), off in zip(groups, removed, strict=True):
        dashes = {"dasharray": "7, 5"} if off else {}
        chart.add(_label(members), [point for point in curve if point[1] > 0], stroke_style=dashes or None)
    return str(chart.render(is_unicode=True))


def size(value: float) -> str:
    """Bytes for people, in powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(value) < 999.5:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} TB"


def _title(inputs: Inputs) -> str:
    known = len(inputs.sites)
    logins = sum(site.logins_per_second for site in inputs.sites) / known
    requests = sum(site.requests_per_second for site in inputs.sites) / known
    return (
        f"Identity traffic between sites, each with {logins:.3g} logins/s and {requests:.3g} API requests/s"
    )


def _label(members: tuple[Candidate, ...]) -> str:
    if len(members) == 1:
        return members[0].name + (" (removed upstream)" if members[0].removed else "")
    formats = ", ".join(f"{m.format}{' (removed)' if m.removed else ''}" for m in members)
    return f"{members[0].shape}: {formats}"


def _alike(one: Curve, other: Curve) -> bool:
    return all(
        abs(first - second) <= _ALIKE * max(first, second, 1.0)
        for (_, first), (_, second) in zip(one, other, strict=True)
    )
