"""Looking whether a plane still is what was made of it: all its sites at the same time, nothing is changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from multisite.clouds.ask import ask_all
from multisite.clouds.plane_sights import look
from multisite.domain.caller import Caller
from multisite.domain.errors import MultisiteError
from multisite.domain.model import Problem
from multisite.domain.plane_drift import PlaneDrift, PlaneJudgment, PlaneSight, judge, judged, unknown
from multisite.domain.planes import PlaneRecord
from multisite.domain.stretched import Drift, PortState
from multisite.networks.planes.orders import made_name
from multisite.networks.stretch.service import NetworkService
from multisite.networks.stretch.watch import OpensSites

STRETCHED = "stretched network"
"""Kind of drift: what ``network check`` says."""
REMOTE_PORTS = "remote ports"


def compare(opens: OpensSites, application: str, record: PlaneRecord) -> PlaneJudgment:
    """Of a plane of networks of its own.  A site that does not tell everything is unknown, never in sync."""

    def sight(site: str) -> PlaneSight:
        return look(opens.open(site), made_name(application, record.name), record.made[site])

    answers = ask_all(record.made, sight, errors=(MultisiteError,))
    silent = [PlaneSight(site, known=False, why=why) for site, why in answers.reasons.items()]
    return judge(application, record, [*answers.known.values(), *silent])


def compare_stretched(networks: NetworkService, caller: Caller, id: str) -> PlaneJudgment:
    """Of a stretched plane: its networks as ``network check`` sees them, its remote ports as ``network show`` does."""
    problems = [_of_problem(problem) for problem in networks.check(caller, id)]
    return judged([*problems, *_of_ports(networks.show(caller, id), {one.site for one in problems})])


def _of_problem(problem: Problem) -> PlaneDrift:
    _, _, site = problem.subject.rpartition("site ")
    site = "" if site == problem.subject and not problem.subject.startswith("site ") else site
    if not problem.blocking:
        return unknown(site, problem.what.removeprefix("unknown: "))
    so = "the sites' parts do not make one network as they should"
    return PlaneDrift(site, STRETCHED, f"{problem.subject}: {problem.what}", so, problem.remedy)


def _of_ports(drift: Drift, said: set[str]) -> Iterator[PlaneDrift]:
    """``said``: sites of which something was told already: what is unknown there is no news."""
    repair = f"openstack multisite network reconcile {drift.network.name}"
    counts = Counter((row.site, row.of_site, row.state) for row in drift.ports)
    for (site, other, state), count in sorted(counts.items()):
        if state is PortState.UNKNOWN and not {site, other} & said:
            yield unknown(site, f"{count} remote ports for {other} could not be compared")
        elif state not in (PortState.UNKNOWN, PortState.IN_SYNC):
            what = f"{count} remote ports for {other} are {state}"
            yield PlaneDrift(site, REMOTE_PORTS, what, f"guests there do not reach those of {other}", repair)
