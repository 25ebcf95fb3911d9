"""``python -m multisite_lab.faults``: see program.py.  ``multisite-lab faults`` runs it in the core's network."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from multisite_lab import sites
from multisite_lab.faults import journal, program
from multisite_lab.model import SITES, site_named


@click.command()
@click.option("--folder", required=True, type=click.Path(path_type=Path), help="Where its files are to be.")
@click.option("--listen", default="127.0.0.1", show_default=True, help="Address the proxies listen on.")
@click.option("--clouds", type=click.Path(path_type=Path), help="clouds.yaml to lead through the proxies.")
@click.option("--calls", is_flag=True, help="Only print the distinct calls logged in the folder.")
@click.argument("names", metavar="SITE[=PORT]...", nargs=-1)
def main(folder: Path, listen: str, clouds: Path | None, calls: bool, names: tuple[str, ...]) -> None:
    """Stand between the manager and sites (default: all), and make calls fail as faults.json says."""
    files = program.Folder(folder)
    if calls:
        for (service, method, path), count in journal.distinct(
            line for line in journal.read(files.requests) if line["number"] is not None
        ).items():
            click.echo(f"{count:6d}  {service:10s} {method:7s} {path}")
        return
    wanted = [name.partition("=") for name in names or SITES]
    ports = {site_named(name): int(port or 0) for name, _, port in wanted}
    asyncio.run(program.serve(ports, files, listen, clouds or sites.clouds_yaml()))


if __name__ == "__main__":
    main()
