"""What all models share: strictness, names, references."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from multisite.domain.page import LARGEST, Page


class In(BaseModel):
    """A request body: exactly the fields we know, of exactly the types we say."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Query(BaseModel):
    """Parameters of a query string: text, so types are read from it; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid")


class PageQuery(Query):
    """A page of a list: ``marker`` is the id of the last item of the page before."""

    limit: Annotated[int, Field(ge=1, le=LARGEST, description="Most items of the answer")] = LARGEST
    marker: Annotated[
        str | None,
        Field(min_length=1, max_length=255, description="The id of the last item of the page before"),
    ] = None

    def page(self) -> Page:
        return Page(self.limit, self.marker)

    def filters(self) -> dict[str, Any]:
        """What else was asked."""
        return {name: value for name, value in self if name not in ("limit", "marker")}


class Out(BaseModel):
    """An answer, read from a dataclass of ``domain``."""

    model_config = ConfigDict(from_attributes=True)


Name = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="Letters, digits, '.', '_' and '-', beginning with a letter or digit",
    ),
]
Ref = Annotated[
    str,
    Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$", description="A name or an id"),
]
Text = Annotated[str, Field(max_length=1024, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")]


class LinkOut(Out):
    """``rel`` is ``next``: of the page after this one, as far as there may be one."""

    rel: str
    href: str


class JobStartedOut(Out):
    """Work was accepted; watch the job."""

    job_id: str


class MaybeJobOut(Out):
    """As ``JobStartedOut``; null when there was nothing left to do."""

    job_id: str | None
