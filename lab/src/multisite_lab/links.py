"""The links between the sites: cut, reconnected, made long.

A cut takes a site's cables out of the core's switches at once and without a word to either end: no reset, no
unreachable, as when a line is dug up.  A delay is made by a program (wire.py) that holds every frame on its way, for
this machine's kernel has no netem; it covers whatever the sites talk, without telling any of it.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from multisite_lab import netns, paths, process
from multisite_lab.model import CORE_NAMESPACE, LabError, Site
from multisite_lab.passwords import write_private

MOST_DELAY = 2000.0


@dataclass(frozen=True)
class Link:
    """``delay``: milliseconds for each frame from or to the site; a round trip between two has it four times."""

    is_cut: bool = False
    delay: float = 0.0


def state(site: Site) -> Link:
    """How the site's link is now; it stays so when the site is lost and started again."""
    try:
        return Link(**json.loads(_file(site).read_text()))
    except (OSError, ValueError, TypeError):
        return Link()


def cut(site: Site) -> None:
    """Let nothing pass to or from the site; what runs in it goes on."""
    _change(site, replace(state(site), is_cut=True))


def delay(site: Site, milliseconds: float) -> None:
    """Make the site's link so long, in each direction; 0 makes it short again."""
    if not 0 <= milliseconds <= MOST_DELAY:
        raise LabError(f"a delay is between 0 and {MOST_DELAY:.0f} ms, not {milliseconds}")
    _change(site, replace(state(site), delay=milliseconds))


def reconnect(site: Site) -> None:
    """The link as it was when the lab was made."""
    _change(site, Link())


def apply(site: Site) -> None:
    """Put the remembered state on cables that were just made."""
    wanted = state(site)
    if wanted != Link():
        _put(site, wanted)


def forget_wire(site: Site) -> None:
    """End the program of a long link; the cables are about to go."""
    process.end_detached(_record(site))


def forget(site: Site) -> None:
    """Nothing remembered of a site that is removed."""
    forget_wire(site)
    _file(site).unlink(missing_ok=True)


def _change(site: Site, wanted: Link) -> None:
    write_private(_file(site), json.dumps(asdict(wanted)) + "\n")
    if netns.wired(site):
        _put(site, wanted)


def _put(site: Site, wanted: Link) -> None:
    forget_wire(site)
    netns.attach(site)
    if wanted.delay:
        near, far = netns.splice(site)
        _start_wire(site, near, far, wanted.delay)
    netns.plug(site, not wanted.is_cut)


def _start_wire(site: Site, near: str, far: str, milliseconds: float) -> None:
    log = paths.state() / "core" / f"{site.name}.wire.log"
    command = [
        *netns.enter(CORE_NAMESPACE),
        sys.executable,
        "-m",
        "multisite_lab.wire",
        near,
        far,
        str(milliseconds),
    ]
    holder = process.detach(command, log, _record(site), "w")
    end = time.monotonic() + 15
    while "carrying" not in log.read_text():
        if holder.poll() is not None or time.monotonic() > end:
            raise LabError(f"{site.name}: its long link did not start: {log.read_text()[-400:]}")
        time.sleep(0.05)


def _file(site: Site) -> Path:
    return paths.state() / "core" / f"{site.name}.link.json"


def _record(site: Site) -> Path:
    return paths.state() / "core" / f"{site.name}.wire.json"
