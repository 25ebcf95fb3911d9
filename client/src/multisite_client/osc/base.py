"""What all commands share: the client, errors in one sentence, columns."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cliff.columns import FormattableColumn
from osc_lib import exceptions
from osc_lib.command import command

from multisite_client.osc.service_package import EXIT_MISSING, ServicePackageMissing

if TYPE_CHECKING:
    from multisite_client.proxy import Proxy

Row = tuple[tuple[str, ...], tuple[Any, ...]]
Table = tuple[Sequence[str], Iterable[Sequence[Any]]]
Formats = Mapping[str, Callable[[Any], str]]


class _Mixin:
    """``client``, and an exit status other than 0 for commands that succeed with a negative answer."""

    app: Any
    exit_status = 0

    @property
    def client(self) -> Proxy:
        found: Proxy = self.app.client_manager.multisite
        return found

    def run(self, parsed_args: argparse.Namespace) -> int:
        try:
            status: int = super().run(parsed_args)  # type: ignore[misc]
        except ServicePackageMissing as missing:
            self.app.stderr.write(f"{missing}\n")
            return EXIT_MISSING
        except Exception as error:
            raise explained(error) from error
        return status or self.exit_status


class Command(_Mixin, command.Command):
    """A command without output of its own."""


class ShowOne(_Mixin, command.ShowOne):
    """A command that shows one object."""


class Lister(_Mixin, command.Lister):
    """A command that shows a table."""


def explained(error: Exception) -> Exception:
    """The service's message instead of the SDK's; other errors unchanged."""
    message = getattr(error, "details", None)
    status = getattr(error, "status_code", None) or getattr(error, "http_status", None)
    if not message or not status:
        return error
    request_id = getattr(error, "request_id", None)
    shown = f"{message} (HTTP {status}" + (f", {request_id})" if request_id else ")")
    return exceptions.CommandError(shown)


def attributes(item: Any) -> dict[str, Any]:
    """The fields of a resource or of a JSON object, without what the SDK adds."""
    if isinstance(item, Mapping) and not hasattr(item, "to_dict"):
        return dict(item)
    fields: dict[str, Any] = item.to_dict(computed=False, original_names=True)
    return {k: v for k, v in fields.items() if not (k == "name" and v is None)}


def shown(item: Any, order: Sequence[str], formats: Formats | None = None, hidden: Sequence[str] = ()) -> Row:
    """Fields and values of an object: ``order`` first; ``formats`` say how people see a complex value."""
    fields = {name: value for name, value in attributes(item).items() if name not in hidden}
    names = [n for n in order if n in fields] + sorted(n for n in fields if n not in order)
    chosen = formats or {}
    values = (_formatted(fields[n], chosen.get(n)) for n in names)
    return tuple(names), tuple(values)


def table(items: Iterable[Any], columns: Mapping[str, str], formats: Formats | None = None) -> Table:
    """Titles and rows; ``columns`` maps titles to fields."""
    chosen = formats or {}
    rows = (
        tuple(_formatted(fields.get(f), chosen.get(f)) for f in columns.values())
        for fields in map(attributes, items)
    )
    return tuple(columns), rows


class Formatted(FormattableColumn[Any]):
    """A value that is shown to people in another way than to machines."""

    def __init__(self, value: Any, how: Callable[[Any], str]) -> None:
        super().__init__(value)
        self._how = how

    def __lt__(self, other: object) -> bool:
        return str(self._value) < str(getattr(other, "_value", other))

    def human_readable(self) -> str:
        return "" if self._value is None else self._how(self._value)


def _formatted(value: Any, how: Callable[[Any], str] | None) -> Any:
    return value if how is None else Formatted(value, how)


def seconds(value: float) -> str:
    """A duration for people: ``12.3 s``, ``4 min 5 s``, ``2 h 3 min``, ``5 d 1 h``."""
    if value < 60:
        return f"{value:.1f} s"
    for unit, size, lesser, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if value >= size:
            return f"{int(value // size)} {unit} {int(value % size // part)} {lesser}"
    return f"{value:.1f} s"


def lines(how: Callable[[Any], str]) -> Callable[[Any], str]:
    """A list with an item per line."""
    return lambda values: "\n".join(how(value) for value in values)


def pairs(value: Mapping[str, Any]) -> str:
    """A mapping as ``key=value`` lines."""
    return "\n".join(f"{k}={v}" for k, v in value.items())
