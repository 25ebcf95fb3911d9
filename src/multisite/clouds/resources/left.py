"""What an undone job has left in its sites: the question a kind of job gives its engine (``JobKind.left``)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from multisite.clouds.connect import CloudSite, Sites
from multisite.clouds.resources.kinds import KINDS, Kind, label
from multisite.clouds.resources.lifecycle import Found, find_of_job, read_or_none
from multisite.clouds.resources.tokens import job_prefix

Left = list[tuple[str, str]]
"""The step of each thing ("" when its kind does not show it) and what it is, in words."""


def left_by_job(
    sites: Sites,
    kinds: tuple[Kind, ...],
    *,
    stays: Callable[[CloudSite, str, Found], bool] = lambda *_: False,
    harmless: Collection[str] = (),
    project_of: Callable[[str], str | None] = lambda _: None,
) -> Callable[[str, str, Mapping[str, str]], Left]:
    """For ``JobKind.left``: asks each site for what of ``kinds`` carries a token of the job, but for what ``stays``.

    ``stays`` gets the site, the job's id and what was found.  ``harmless``: steps that make nothing in their site,
    which need not answer for them.  ``project_of``: by the job's id, the project of the site that was chosen for it,
    None for the default.  Raises what ``call`` raises: then it is not known.
    """

    def left(job_id: str, project_id: str, begun: Mapping[str, str]) -> Left:
        found: Left = []
        for name in sorted({site for step, site in begun.items() if step not in harmless}):
            site = sites.open(name, for_project=project_id, project=project_of(job_id))
            for one in find_of_job(site, job_id, kinds):
                if not stays(site, job_id, one) and _is_there(site, one):
                    step = (one.token or "").removeprefix(job_prefix(job_id))
                    found.append((step, f"site {name} still has {label(one.kind)} {one.name} ({one.id})"))
        return found

    return left


def _is_there(site: CloudSite, found: Found) -> bool:
    """A busy Nova lists a server for seconds after it answered 404 for its id."""
    return not KINDS[found.kind].lags or read_or_none(site, found.kind, found.id) is not None
