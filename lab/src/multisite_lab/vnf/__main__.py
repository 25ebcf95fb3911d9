"""``python -m multisite_lab.vnf deploy|destroy|proof|leftovers CLOUD [NAME]``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import click

from multisite_lab import netns, vnf
from multisite_lab.model import CORE_NAMESPACE, LabError


def _enter_core() -> None:
    """Run again where the sites can be reached, unless that is here."""
    core = netns.RUN / CORE_NAMESPACE
    if core.exists() and core.stat().st_ino != Path("/proc/self/ns/net").stat().st_ino:
        command = [*netns.enter(CORE_NAMESPACE), sys.executable, "-m", "multisite_lab.vnf", *sys.argv[1:]]
        os.execvp(command[0], command)


def _say(line: str) -> None:
    click.echo(line)


def _places(command: Callable[..., None]) -> Callable[..., None]:
    return click.argument("cloud")(click.argument("name", default="vnf")(command))


@click.group()
def main() -> None:
    """The demonstration application of the lab."""
    _enter_core()


@main.command()
@_places
@click.option("--servers", default=3, show_default=True)
def deploy(cloud: str, name: str, servers: int) -> None:
    """Deploy it and wait until it works."""
    vnf.deploy(cloud, name, servers, progress=_say)


@main.command()
@_places
def destroy(cloud: str, name: str) -> None:
    """Remove everything of it."""
    vnf.destroy(cloud, name, progress=_say)


@main.command()
@_places
def proof(cloud: str, name: str) -> None:
    """Say what each guest found at its newest boot."""
    found = vnf.find(cloud, name)
    if found is None:
        raise click.ClickException(f"{cloud} has no {name}")
    for server, one in zip(found.servers, vnf.proofs(found), strict=True):
        frozen = vnf.expected(cloud, server.id)
        _say(
            f"{one.name}: {'consistent' if one.consistent else 'INCONSISTENT'} at boot on record {one.record}"
            f" ({one.sum}), journals {one.journal}; last frozen on {frozen or 'none'}"
        )


@main.command()
@click.argument("cloud")
@click.argument("names", nargs=-1)
def leftovers(cloud: str, names: tuple[str, ...]) -> None:
    """List what is no part of the named applications; fail if there is any."""
    found = vnf.leftovers(cloud, *names)
    for line in found:
        _say(line)
    if found:
        raise SystemExit(1)


if __name__ == "__main__":
    try:
        main(standalone_mode=True)
    except LabError as problem:
        raise SystemExit(str(problem)) from None
