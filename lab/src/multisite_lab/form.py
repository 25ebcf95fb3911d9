"""Which of its forms this lab has, remembered in its state: each site its own identity, or one over all of them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from multisite_lab import paths
from multisite_lab.model import ALL_SITES, SITES, LabError, Site
from multisite_lab.passwords import write_private


class Identity(StrEnum):
    """Whose users and projects a site knows."""

    OWN = "own"
    """Each site has a Keystone with its own database, users and catalog."""
    STAR = "star"
    """One identity: masters at sites 1 and 2, read-only copies at site 3, a Keystone at each."""


@dataclass(frozen=True)
class Form:
    """``only_identity``: no Nova, Cinder, Ceph, ...; only with one identity over all sites."""

    identity: Identity = Identity.OWN
    only_identity: bool = False

    def __str__(self) -> str:
        """As `up` is told."""
        more = " --only-identity" if self.only_identity else ""
        return f"--identity {self.identity}{more}"


def current() -> Form:
    """The form of this lab; where nothing is remembered each site has its own identity."""
    try:
        found = json.loads(_file().read_text())
        return Form(Identity(found["identity"]), bool(found["only_identity"]))
    except FileNotFoundError:
        return Form()
    except (OSError, ValueError, KeyError) as error:
        raise LabError(
            f"{_file()} cannot be read ({error}): remove it, then multisite-lab down --wipe"
        ) from None


def shared() -> bool:
    """Whether the sites of this lab share one identity."""
    return current().identity is Identity.STAR


def sites() -> dict[str, Site]:
    """The sites this lab has in its form, by name."""
    return ALL_SITES if shared() else SITES


def whole(site: Site) -> bool:
    """Whether a site is a whole OpenStack site and not only a part of the identity."""
    # Not "is one of SITES": the golden database is built in a site of its own name.
    return site.name not in ALL_SITES.keys() - SITES.keys() and not current().only_identity


def choose(wanted: Form) -> None:
    """Remember the form before the first site is made; refuse another one while sites of the old exist."""
    if wanted.only_identity and wanted.identity is Identity.OWN:
        raise LabError("--only-identity needs one identity over all sites: --identity star")
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
