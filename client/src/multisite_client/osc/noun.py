"""What the commands about one kind of thing share: how it is named, listed and shown, and the commands that follow."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from osc_lib.cli.parseractions import NonNegativeAction

from multisite_client.osc import progress, refs
from multisite_client.osc.base import Command, Formats, Lister, Row, ShowOne, Table, shown, table

if TYPE_CHECKING:
    from multisite_client.proxy import Proxy


@dataclass(frozen=True)
class Noun:
    """``name`` in the proxy's verbs (``get_<name>``), ``plural`` the verb that lists (default: ``<name>s``).

    ``help``: what an operator may name it by; ``find``: that to an id (default: by id or name).  ``order``: fields as
    ``show`` has them, others follow; ``columns``: titles and fields of the list; ``hidden``: fields never shown.
    """

    name: str
    help: str
    order: tuple[str, ...]
    columns: Mapping[str, str] = field(default_factory=dict)
    formats: Formats = field(default_factory=dict)
    list_formats: Formats | None = None
    plural: str = ""
    find: Callable[[Proxy, str], str] | None = None
    hidden: tuple[str, ...] = ()

    def argument(self, parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
        parser.add_argument(self.name, metavar=f"<{self.name.replace('_', ' ')}>", help=self.help)
        return parser

    def id(self, client: Proxy, ref: str) -> str:
        """Of what an operator typed; CommandError when there is none, or more than one."""
        return self.find(client, ref) if self.find else refs.one(self.name, ref, lambda: self.all(client))

    def all(self, client: Proxy, **query: Any) -> Iterable[Any]:
        return self._verb(client, self.plural or f"{self.name}s")(**query)  # type: ignore[no-any-return]

    def get(self, client: Proxy, id: str) -> Any:
        return self._verb(client, f"get_{self.name}")(id)

    def delete(self, client: Proxy, id: str) -> str | None:
        """The id of the job, for nouns whose removal is one."""
        return self._verb(client, f"delete_{self.name}")(id)  # type: ignore[no-any-return]

    def row(self, item: Any) -> Row:
        return shown(item, self.order, self.formats, self.hidden)

    def table(self, items: Iterable[Any]) -> Table:
        return table(items, self.columns, self.formats if self.list_formats is None else self.list_formats)

    def _verb(self, client: Proxy, name: str) -> Callable[..., Any]:
        found: Callable[..., Any] = getattr(client, name)
        return found


class ListNoun(Lister):
    """All there are, or a part of them; ``filters``: options that the service selects by, as they are called there.

    ``most``: how many are shown unless an operator says so; None: all.
    """

    noun: ClassVar[Noun]
    filters: ClassVar[tuple[str, ...]] = ()
    most: ClassVar[int | None] = None

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        shown = "all" if self.most is None else self.most
        parser.add_argument(
            "--limit", type=int, default=self.most, action=NonNegativeAction, metavar="<count>",
            help=f"Show at most so many (default: {shown}; 0: all)",
        )  # fmt: skip
        parser.add_argument(
            "--marker", metavar="<id>", help="Show only what comes after the one with this id"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Table:
        names = ("limit", "marker", *self.filters)
        query = {name: value for name in names if (value := getattr(parsed_args, name))}
        return self.table(self.noun.all(self.client, **query), parsed_args)

    def table(self, items: Iterable[Any], _parsed: argparse.Namespace) -> Table:
        return self.noun.table(items)


class _OfOne:
    """A command about one thing; ``waits``: it may start a job, and waits for it unless told not to."""

    noun: ClassVar[Noun]
    waits: ClassVar[bool] = False
    client: Any

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = self.noun.argument(super().get_parser(prog_name))  # type: ignore[misc]
        return progress.add_options(parser) if self.waits else parser

    def id(self, parsed: argparse.Namespace) -> str:
        return self.noun.id(self.client, getattr(parsed, self.noun.name))


class ShowNoun(_OfOne, ShowOne):
    """One of them; commands that answer with one derive from this, too."""

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        return self.noun.row(self.noun.get(self.client, self.id(parsed_args)))


class DeleteNoun(_OfOne, Command):
    """Remove one; ``wanted``: how a job of it ends."""

    wanted: ClassVar[str] = "done"

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        job_id = self.noun.delete(self.client, self.id(parsed_args))
        if job_id is not None and not parsed_args.no_wait:
            progress.follow(self, job_id, parsed_args, self.wanted)


NounCommandT = TypeVar("NounCommandT", ListNoun, ShowNoun, DeleteNoun)


def command(kind: type[NounCommandT], noun: Noun, doc: str, **settings: object) -> type[NounCommandT]:
    """A command that needs nothing of its own; ``doc``: its help, ``settings``: as ``waits`` and ``wanted``."""
    return type(
        kind.__name__, (kind,), {"__module__": kind.__module__, "__doc__": doc, "noun": noun, **settings}
    )


def finish(
    command: ShowOne, noun: Noun, started: Mapping[str, Any], parsed: argparse.Namespace, wanted: str = "done"
) -> Row:
    """Watch the job that was started about one, and show what it left; not watched: as it is now."""
    if parsed.no_wait:
        return noun.row(started[noun.name])
    progress.follow(command, started["job_id"], parsed, wanted)
    return noun.row(noun.get(command.client, started[noun.name]["id"]))
