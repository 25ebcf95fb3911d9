"""What a site's Nova can be asked for."""

from __future__ import annotations

from multisite.clouds.call import call
from multisite.clouds.connect import CloudSite


def newest(site: CloudSite) -> tuple[int, ...]:
    """The newest microversion that Nova knows.  Raises what ``call`` raises."""
    data = call(site, "ask compute for its version", lambda: site.compute.get_endpoint_data())
    known = data.max_microversion if data is not None else None
    return tuple(map(int, known or (0, 0)))


def supports(site: CloudSite, version: str) -> bool:
    """Whether Nova knows this microversion.  Raises what ``call`` raises."""
    return newest(site) >= number(version)


def number(version: str) -> tuple[int, ...]:
    """``2.94`` to compare."""
    return tuple(map(int, version.split(".")))
