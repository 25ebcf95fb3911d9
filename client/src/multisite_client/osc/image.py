"""``openstack multisite image ...``: images copied to other sites, verified before they are shown."""

from __future__ import annotations

import argparse
from typing import Any

from multisite_client.osc import progress, refs
from multisite_client.osc.base import Row, ShowOne, lines
from multisite_client.osc.noun import DeleteNoun, ListNoun, Noun, ShowNoun, command, finish

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def size(value: int) -> str:
    """Bytes for people: ``1.5 GiB``."""
    number, unit = float(value), 0
    while number >= 1024 and unit < len(_UNITS) - 1:
        number, unit = number / 1024, unit + 1
    return f"{number:.1f} {_UNITS[unit]}" if unit else f"{value} B"


def _copy(copy: dict[str, Any]) -> str:
    image = f", image {copy['image_id']}" if copy["image_id"] else ""
    why = f": {copy['why']}" if copy["why"] else ""
    return f"{copy['site']}: {copy['state']}{image}{why}"


REPLICATION = Noun(
    "image_replication",
    "Image replication (id, or an image's name: its newest)",
    (
        "id", "image_name", "image_id", "source_site", "state", "sentence", "copies", "size", "digest", "notes",
        "error", "job_id", "requested_by", "created_at",
    ),
    {
        "ID": "id", "Image": "image_name", "Source": "source_site", "Size": "size", "State": "state",
        "Copies": "copies", "Created at": "created_at",
    },
    {"copies": lines(_copy), "notes": lines(str), "size": size},
    {"copies": lambda copies: ", ".join(f"{c['site']} {c['state']}" for c in copies), "size": size},
    find=refs.image_replication,
    hidden=("target_sites",),
)  # fmt: skip


class Replicate(ShowOne):
    """Copy an image to other sites; each shows it once its digest is that of the source

    The image is read once for all of them. A target that has it already gets no second one.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("image", metavar="<image>", help="Image in the source site (id, or name)")
        parser.add_argument("--source-site", metavar="<site>", required=True, help="Where it is")
        parser.add_argument(
            "--target-site",
            metavar="<site>",
            action="append",
            required=True,
            help="Where it is to be (repeatable)",
        )
        return progress.add_options(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        started = self.client.replicate_image(
            image=parsed_args.image, source_site=parsed_args.source_site, target_sites=parsed_args.target_site
        )
        return finish(self, REPLICATION, started, parsed_args)


List = command(ListNoun, REPLICATION, "List image replications, newest first")
Show = command(ShowNoun, REPLICATION, "Show an image replication, and what became of it at each target")
Delete = command(
    DeleteNoun, REPLICATION, "Remove the copies that an image replication made", waits=True, wanted="undone"
)
