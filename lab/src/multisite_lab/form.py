"""Which of its forms this lab has, remembered in its state: whose identity, how many compute hosts, which networks."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from multisite_lab import paths
from multisite_lab.model import ALL_SITES, MOST_HOSTS, SITES, Host, LabError, Machine, Site, hosts_of
from multisite_lab.passwords import write_private


class Identity(StrEnum):
    """WorkContextFilter users and projects a site knows."""

    OWN = "own"
    """Each site has a Keystone with its own database, users and catalog."""
    STAR = "star"
    """One identity: masters at sites 1 and 2, read-only copies at site 3, a Keystone at each."""


@dataclass(frozen=True)
class Form:
    """What `up` is told.

    ``only_identity``: no Nova, Cinder, Ceph, ...; only with one identity over all sites.  ``compute_hosts``: of each
    whole site, 1 or 2.  ``l3``: a router agent on each of them and the external network `public`.  ``third``: a lean
    third site with its own Keystone and Neutron, and one host that has a switch and its agent.  ``object_store``:
    Cinder's backups in S3 of a Ceph gateway in the core.  ``replication``: an rbd-mirror in each site, the pools peers
    of each other.
    """

    identity: Identity = Identity.OWN
    only_identity: bool = False
    compute_hosts: int = 1
    l3: bool = False
    third: bool = False
    object_store: bool = False
    replication: bool = False

    def __str__(self) -> str:
        """As `up` is told."""
        words = [f"--identity {self.identity}"] + ["--only-identity"] * self.only_identity
        if self.compute_hosts > 1:
            words.append(f"--compute-hosts {self.compute_hosts}")
        words += ["--l3"] * self.l3 + ["--third"] * self.third
        return " ".join(words + ["--object-store"] * self.object_store + ["--replication"] * self.replication)

    @property
    def networks(self) -> bool:
        """Whether it is made for networks between the sites: each has a switch of its own, Neutron the plugin."""
        return self.compute_hosts > 1 or self.l3 or self.third


def current() -> Form:
    """The form of this lab; where nothing is remembered each site has its own identity."""
    try:
        found = json.loads(_file().read_text())
        return Form(**found | {"identity": Identity(found["identity"])})
    except FileNotFoundError:
        return Form()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LabError(
            f"{_file()} cannot be read ({error}): remove it, then multisite-lab down --wipe"
        ) from None


def shared() -> bool:
    """Whether the sites of this lab share one identity."""
    return current().identity is Identity.STAR


def sites() -> dict[str, Site]:
    """The sites this lab has in its form, by name."""
    return ALL_SITES if shared() or current().third else SITES


def hosts(site: Site) -> list[Host]:
    """The compute hosts a site has in this form besides its own machine."""
    return hosts_of(site) if current().compute_hosts > 1 and whole(site) else []


def machines(site: Site) -> list[Machine]:
    """Everything of a site that has a power switch, the control plane first."""
    return [site, *hosts(site)]


def machine(site: Site, host: str = "") -> Machine:
    """The site's machine of that name or of its short form (`c1` is the site's own); empty: the site's own."""
    for found in machines(site):
        if host in ("", found.name, "c1" if found == site else found.name.rpartition("-")[2]):
            return found
    names = ", ".join(found.name for found in machines(site))
    raise LabError(f"{site.name} has no compute host {host!r} in this form of the lab; it has {names}")


def whole(site: Site) -> bool:
    """Whether a site is a whole OpenStack site and not only a part of the identity, or a lean one."""
    # Not "is one of SITES": the golden database is built in a site of its own name.
    return site.name not in ALL_SITES.keys() - SITES.keys() and not current().only_identity


def lean(site: Site) -> bool:
    """Whether a site has an identity and networks of its own and nothing else."""
    return current().third and site.name in ALL_SITES.keys() - SITES.keys()


def own_database(site: Site) -> bool:
    """Whether a site has a MariaDB of its own (one identity over all sites has others)."""
    return whole(site) or lean(site)


def queue_address(site: Site) -> str:
    """Where a site's message queue listens: on its loopback unless further hosts need it."""
    return site.management if hosts(site) else "127.0.0.1"


def furnished(site: Site) -> bool:
    """Whether a site gets a flavor and the guest image: with networks between sites guests boot at each."""
    return whole(site) and (site.furnished or current().networks)


def choose(wanted: Form) -> None:
    """Remember the form before the first site is made; refuse another one while sites of the old exist."""
    if wanted.only_identity and wanted.identity is Identity.OWN:
        raise LabError("--only-identity needs one identity over all sites: --identity star")
    if wanted.networks and wanted.identity is not Identity.OWN:
        raise LabError("--compute-hosts, --l3 and --third need sites with an identity of their own")
    if wanted.only_identity and (wanted.object_store or wanted.replication):
        raise LabError("--object-store and --replication need sites with volumes: not --only-identity")
    if not 1 <= wanted.compute_hosts <= MOST_HOSTS:
        raise LabError(f"--compute-hosts is 1 or {MOST_HOSTS}, not {wanted.compute_hosts}")
    have = current()
    if have == wanted:
        return
    if made := [site.name for site in ALL_SITES.values() if (site.root / "identity").exists()]:
        raise LabError(
            f"{', '.join(made)} exist in another form: go on with `multisite-lab up {have}`, "
            f"or remove them with `multisite-lab down --wipe` before `up {wanted}`"
        )
    if wanted == Form():
        forget()
    else:
        write_private(_file(), json.dumps(asdict(wanted)) + "\n")


def forget() -> None:
    """The lab has no sites any more; the next `up` may choose."""
    _file().unlink(missing_ok=True)


def _file() -> Path:
    return paths.state() / "form.json"
