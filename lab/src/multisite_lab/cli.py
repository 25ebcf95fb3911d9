"""The `multisite-lab` command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from multisite_lab import form, health, lock, sites, up
from multisite_lab.model import ALL_SITES, CORE_MANAGEMENT, MOST_HOSTS, LabError, Site, site_named

_ACCOUNTS = ["operator", "admin", "member", "other", "multisite"]
_OUT = Console(highlight=False, soft_wrap=True)


class _Group(click.Group):
    """Turns refusals into one line and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except LabError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Group)
def main() -> None:
    """Two whole OpenStack sites on this machine, made to be lost."""


def _some_sites(command: Callable[..., None]) -> Callable[..., None]:
    return click.argument("names", metavar="[SITES]...", nargs=-1, type=click.Choice(list(ALL_SITES)))(
        command
    )


def _one_site(command: Callable[..., None]) -> Callable[..., None]:
    return click.argument("site", type=click.Choice(list(ALL_SITES)))(command)


_at_host = click.option("--host", default="", help="At this compute host; without it the site's own machine.")


def _say(text: str) -> None:
    _OUT.print(text, markup=False)


def _chosen(names: tuple[str, ...]) -> list[Site]:
    have = form.sites()
    for name in names:
        if name not in have:
            raise LabError(
                f"{name} belongs to other forms of the lab: multisite-lab up --identity star, or --third"
            )
    return [site_named(name) for name in names] or list(have.values())


@main.command("up")
@_some_sites
@click.option(
    "--identity",
    type=click.Choice([kind.value for kind in form.Identity]),
    default=form.Identity.OWN.value,
    show_default=True,
    help="Each site its own identity, or one over three sites (star).",
)
@click.option("--only-identity", is_flag=True, help="No Nova, Cinder, Ceph, ...: only the one identity.")
@click.option(
    "--compute-hosts",
    type=click.IntRange(1, MOST_HOSTS),
    default=1,
    show_default=True,
    help="Of each site; the first is the control plane's own machine.",
)
@click.option(
    "--l3", is_flag=True, help="Router agents at each compute host, and the external network `public`."
)
@click.option("--third", is_flag=True, help="A lean third site: Keystone, Neutron, a switch.")
@click.option("--object-store", is_flag=True, help="Backups in S3 of a Ceph gateway outside of both sites.")
@click.option("--replication", is_flag=True, help="rbd-mirror between the sites' volumes.")
def up_command(names: tuple[str, ...], identity: str, **options: Any) -> None:
    """Bring sites up (default: all); repairs what is half dead; safe to repeat."""
    with lock.exclusive():
        form.choose(form.Form(form.Identity(identity), **options))
        up.Up(_chosen(names), _say).run()


@main.command()
@_some_sites
@click.option("--wipe", is_flag=True, help="Also forget everything the sites have kept.")
def down(names: tuple[str, ...], wipe: bool) -> None:
    """Cut the power of sites (default: all)."""
    with lock.exclusive():
        up.down(_chosen(names), wipe, _say)


@main.command()
@_one_site
def kill(site: str) -> None:
    """Lose a site: every process of it ends at once."""
    _say(f"{site}: every process gone after {sites.kill(site):.2f} s")


@main.command()
@_one_site
@click.option("--no-wait", is_flag=True, help="Do not wait until it is ready.")
def start(site: str, no_wait: bool) -> None:
    """Start a lost site again with what it had on its disks."""
    sites.start(site, wait=not no_wait)
    _say(f"{site}: {'started' if no_wait else 'ready'}")


@main.command("kill-host")
@_one_site
@click.argument("host")
def kill_host(site: str, host: str) -> None:
    """Lose one compute host of a site (c2, or its whole name)."""
    _say(f"{site} {host}: every process gone after {sites.kill_host(site, host):.2f} s")


@main.command("start-host")
@_one_site
@click.argument("host")
@click.option("--no-wait", is_flag=True, help="Do not wait until its agents have reported.")
def start_host(site: str, host: str, no_wait: bool) -> None:
    """Start a lost compute host again with what it had on its disks."""
    sites.start_host(site, host, wait=not no_wait)
    _say(f"{site} {host}: {'started' if no_wait else 'ready'}")


@main.command()
@_some_sites
@click.option("--timeout", default=300.0, show_default=True)
def ready(names: tuple[str, ...], timeout: float) -> None:
    """Wait until sites are ready (default: all)."""
    for name in names or form.sites():
        sites.wait_ready(name, timeout)
        _say(f"{name}: ready")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(as_json: bool) -> None:
    """Every service of every site: state, pid, version, memory, health."""
    machines = [machine for site in form.sites().values() for machine in form.machines(site)]
    found = [row for machine in machines for row in health.rows(machine)]
    found += health.core_rows()
    if as_json:
        click.echo(json.dumps([asdict(row) for row in found], indent=1))
        return
    table = Table("site", "service", "state", "pid", "version", "MiB", "health")
    for row in found:
        table.add_row(
            row.site,
            row.service,
            row.state,
            str(row.pid or ""),
            row.version,
            str(row.memory or ""),
            row.health,
        )
    table.add_row("", "total", "", "", "", str(sum(row.memory for row in found)), "")
    _OUT.print(table)


@main.command()
@_one_site
@click.argument("service")
@click.option("-n", "lines", default=40, show_default=True, help="How many lines of each file.")
@click.option("-f", "follow", is_flag=True, help="Go on as the service writes.")
@_at_host
def logs(site: str, service: str, lines: int, follow: bool, host: str) -> None:
    """What a service has written."""
    machine = form.machine(site_named(site), host)
    files = health.log_files(machine, service)
    if not files:
        raise LabError(f"{machine.name}: {service} has written nothing in {machine.log}")
    command = ["tail", "-n", str(lines), *(["-F"] if follow else []), *map(str, files)]
    os.execvp(command[0], command)


@main.command()
@_one_site
@click.argument("service")
@click.argument("action", type=click.Choice(["start", "stop", "restart", "kill", "pause", "resume"]))
@_at_host
def service(site: str, service: str, action: str, host: str) -> None:
    """Do something to one service of a site."""
    sites.service(site, service, action, host)


@main.command("stop-service")
@_one_site
@click.argument("service")
@_at_host
def stop_service(site: str, service: str, host: str) -> None:
    """Lose one service by SIGKILL and keep it lost."""
    sites.stop_service(site, service, host)


@main.command("start-service")
@_one_site
@click.argument("service")
@_at_host
def start_service(site: str, service: str, host: str) -> None:
    """Start a lost service again."""
    sites.start_service(site, service, host)


@main.command()
@_one_site
@click.option("--as", "account", default="operator", type=click.Choice(_ACCOUNTS))
def env(site: str, account: str) -> None:
    """Shell variables for OpenStack clients, which must run under `exec`."""
    click.echo(f"export OS_CLIENT_CONFIG_FILE={sites.clouds_yaml()}")
    click.echo(f"export OS_CLOUD={site}{'' if account == 'operator' else f'-{account}'}")


@main.command("exec", context_settings={"ignore_unknown_options": True})
@click.option(
    "--site", type=click.Choice(list(ALL_SITES)), help="Inside this site; without it in the core's network."
)
@_at_host
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def exec_command(site: str | None, host: str, command: tuple[str, ...]) -> None:
    """Run a command where the sites can be reached, with the operators' clouds.yaml."""
    if host and not site:
        raise LabError("--host needs --site")
    prefix = sites.site_prefix(site, host) if site else sites.core_prefix()
    environment = {"OS_CLIENT_CONFIG_FILE": str(sites.clouds_yaml())} | dict(os.environ)
    sys.exit(subprocess.run([*prefix, *command], env=environment).returncode)


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def faults(arguments: tuple[str, ...]) -> None:
    """Run proxies that make calls of the manager fail, in the core's network (--folder is needed)."""
    listen = [] if "--listen" in arguments else ["--listen", CORE_MANAGEMENT]
    command = [*sites.core_prefix(), sys.executable, "-m", "multisite_lab.faults", *listen, *arguments]
    os.execvp(command[0], command)


@main.group()
def link() -> None:
    """The links between the sites: cut, reconnect, make long."""


@link.command()
@_one_site
def cut(site: str) -> None:
    """Let nothing pass between a site and all others; what runs in it goes on."""
    sites.cut(site)


@link.command()
@click.argument("names", metavar="[SITES]...", nargs=-1, type=click.Choice(list(ALL_SITES)))
def reconnect(names: tuple[str, ...]) -> None:
    """Restore the links of sites (default: all): neither cut nor delayed any more."""
    for name in names or form.sites():
        sites.reconnect(name)


@link.command()
@_one_site
@click.argument("milliseconds", type=float)
def delay(site: str, milliseconds: float) -> None:
    """Hold every frame to and from a site for so long."""
    sites.delay(site, milliseconds)


@main.command()
def guest() -> None:
    """Build the guest image unless it is in the cache; print where it is."""
    image = up.guest_image(_say)
    if image is None:
        raise LabError("this lab cannot build a guest image")
    click.echo(image)


if __name__ == "__main__":
    main()
