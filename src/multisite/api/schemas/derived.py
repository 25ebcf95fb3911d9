"""Answers' schemas, made of the dataclasses they answer with: a new field of a dataclass is in the document."""

from __future__ import annotations

import types
from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields, is_dataclass
from dataclasses import Field as dataclass_field
from typing import Any, Union, get_args, get_origin, get_type_hints

from pydantic import Field, create_model

from multisite.api.schemas.common import In, LinkOut, Out

_MADE: dict[type[Any], type[Out]] = {}


def shown(
    item_type: type[Any],
    name: str | None = None,
    *,
    without: Collection[str] = (),
    more: Mapping[str, Any] | None = None,
    doc: str | None = None,
) -> type[Out]:
    """The schema of a dataclass, called ``<dataclass>Out`` unless named; every field of it is required.

    ``without``: fields that are not shown; ``more``: what is shown besides (properties), by type; ``doc``: instead
    of the dataclass's own docstring.  Dataclasses within have a schema too: the last one made of them, else one as
    here by default.
    """
    unknown = set(without) - {field.name for field in fields(item_type)}
    if unknown:
        raise TypeError(f"{item_type.__name__} has no field {', '.join(sorted(unknown))} to leave out")
    hints = get_type_hints(item_type)
    shape = {f.name: hints[f.name] for f in fields(item_type) if f.name not in without} | dict(more or {})
    made = group(name or f"{item_type.__name__}Out", doc or _docstring(item_type), **shape)
    _MADE[item_type] = made
    return made


def taken(item_type: type[Any], name: str, *, without: Collection[str] = ()) -> type[In]:
    """The schema of a request's part that is a dataclass with pydantic's constraints, which is what checks it.

    ``without``: fields that are not taken.
    """
    hints = get_type_hints(item_type, include_extras=True)
    shape: dict[str, Any] = {
        f.name: (hints[f.name], _default(f)) for f in fields(item_type) if f.name not in without
    }
    made: type[In] = create_model(name, __base__=In, __doc__=item_type.__doc__, __module__=__name__, **shape)
    return made


def _default(field: dataclass_field[Any]) -> Any:
    """As pydantic takes it; a field without one is required."""
    if field.default_factory is not MISSING:
        return Field(default_factory=field.default_factory)
    return ... if field.default is MISSING else field.default


def group(name: str, doc: str | None = None, /, **shape: Any) -> type[Out]:
    """A schema of these fields (``applications=list[Application]``), all required."""
    definitions: dict[str, Any] = {field: (_schema(hint), ...) for field, hint in shape.items()}
    return create_model(name, __base__=Out, __doc__=doc, __module__=__name__, **definitions)


def page_of(name: str, /, **items: Any) -> type[Out]:
    """A page of a list (``jobs=list[Job]``): beside it ``jobs_links``, which ``routing`` fills, as in Nova."""
    (plural,) = items
    return group(name, **items, **{f"{plural}_links": list[LinkOut]})


def started(name: str, /, **item: Any) -> type[Out]:
    """The answer of a verb that began a job about one thing."""
    return group(name, "Work was accepted; watch the job.", job_id=str, **item)


def answer(schema: type[Out], item: object, **instead: Any) -> dict[str, Any]:
    """What the schema shows of an item; ``instead`` of its attributes, or besides them."""
    return {name: instead[name] if name in instead else getattr(item, name) for name in schema.model_fields}


def _docstring(item_type: type[Any]) -> str | None:
    """None for the signature that ``dataclass`` writes where there is none."""
    doc = item_type.__doc__ or ""
    return None if doc.startswith(f"{item_type.__name__}(") else doc


def _schema(hint: Any) -> Any:
    """The type with schemas in the place of dataclasses, and lists in that of tuples of any length."""
    if isinstance(hint, type) and is_dataclass(hint):
        return _MADE.get(hint) or shown(hint)
    kind, inner = get_origin(hint), get_args(hint)
    if kind is tuple and inner[1:] == (...,):
        return list[_schema(inner[0])]  # type: ignore[misc]  # made at run time
    if kind in (Union, types.UnionType):
        return Union[tuple(_schema(one) for one in inner)]  # noqa: UP007 - made at run time
    if kind is list:
        return list[_schema(inner[0])]  # type: ignore[misc]
    return hint
