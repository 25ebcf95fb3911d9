"""Looking whether a plane still is what was made of it: all its sites at the same time, nothing is changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from multisite.clouds.ask import ask_all
from multisite.clouds.connect import Sites
from multisite.clouds.plane_state import read_state
from multisite.domain.caller import Caller
from multisite.domain.errors import MultisiteError
from multisite.domain.findings import Comparison, Finding
from multisite.domain.model import Application
from multisite.domain.plane_drift import PlaneSiteState, judge, unknown
from multisite.domain.planes import PlaneRecord
from multisite.domain.stretched import Drift, PortState
from multisite.networks.planes.orders import made_name
from multisite.networks.stretch.service import NetworkService

REMOTE_PORTS = "remote ports"
"""Kind of finding: what `network show` says."""


def compare(opens: Sites, app: Application, record: PlaneRecord) -> Comparison:
    """Of a plane of networks of its own.  A site that does not tell everything is unknown, never in sync."""

    def read(site: str) -> PlaneSiteState:
        return read_state(
            opens.open(site, for_project=app.project_id), made_name(app.name, record.name), record.made[site]
        )

    answers = ask_all(record.made, read, errors=(MultisiteError,))
    silent = [PlaneSiteState(site, known=False, why=why) for site, why in answers.reasons.items()]
    return judge(app.name, record, [*answers.known.values(), *silent])


def compare_stretched(networks: NetworkService, caller: Caller, id: str) -> Comparison:
    """Of a stretched plane: its networks as ``network check`` sees them, its remote ports as ``network show`` does."""
    parts = networks.check(caller, id).findings
    ports = _of_ports(networks.show(caller, id), {finding.site for finding in parts})
    return Comparison((*parts, *ports))


def _of_ports(drift: Drift, said: set[str]) -> Iterator[Finding]:
    """``said``: sites of which something was told already: what is unknown there is no news."""
    repair = f"openstack multisite network reconcile {drift.network.name}"
    counts = Counter((row.site, row.of_site, row.state) for row in drift.ports)
    for (site, other, state), count in sorted(counts.items()):
        if state is PortState.UNKNOWN and not {site, other} & said:
            yield unknown(site, f"{count} remote ports for {other} could not be compared")
        elif state not in (PortState.UNKNOWN, PortState.IN_SYNC):
            what = f"{count} remote ports for {other} are {state}"
            yield Finding(site, REMOTE_PORTS, what, f"guests there do not reach those of {other}", repair)
